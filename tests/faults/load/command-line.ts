import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { runWallet, type Finished } from '../../../scripts/product.ts';
import { Operation } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { signInAs } from '../../support/processes/world.ts';
import { nameOf, type Op } from '../book.ts';
import { nameOfCustomer, type Person } from '../site/people.ts';
import { completeBy, formatMinor, type JsonAnswer } from './json-answers.ts';
import { between, chooseOperation, pause, randomOf, type Load } from './load.ts';

export type CommandLine = { run(): Promise<void> };

/**
 * The built `wallet`, a process for each command, for the customer with this number. Signs in at
 * once: the fault run has not begun yet.
 */
export async function createCommandLine(
  load: Load,
  customer: number,
  person: Person,
): Promise<CommandLine> {
  const home = join(load.site.folder, 'home');
  await mkdir(home, { mode: 0o700 });
  const env = { PATH: process.env['PATH'] ?? '', HOME: home, TZ: 'UTC', WALLET_TIMEOUT: '8s' };
  const [first] = load.site.nodes;
  const email = `${nameOfCustomer(customer)}@example.com`;
  const server = { WALLET_SERVER: first.address };
  await signInAs(email, env, () => server);
  const runCommand = async (op: Op): Promise<JsonAnswer> => {
    const amount = formatMinor(op.amountMinor);
    const what =
      op.parentId === undefined
        ? [nameOf(op.operation), amount]
        : ['reverse', op.parentId, '--amount', amount];
    const to = op.operation === Operation.TRANSFER ? ['--to', op.otherUserId ?? ''] : [];
    const account = op.account === undefined ? [] : ['--via', op.account];
    const merchant = op.operation === Operation.PURCHASE ? ['--merchant', 'Bakery'] : [];
    const key = ['--idempotency-key', op.key, '--currency', 'BRL'];
    const args = [...what, ...to, ...account, ...merchant, ...key, '--yes', '--json', '--quiet'];
    return toAnswer(await runWallet(args, { env: { ...env, ...server } }));
  };
  return {
    run: async () => {
      for (let step = 0; !load.isOver(); step += 1) {
        const random = randomOf(load, 'command line', step);
        const who = { via: 'cli', callerClass: 'customer', userId: person.id } as const;
        const op = load.book.ask(chooseOperation(load, random, who));
        // Sessions belong to the address where they were begun.
        const move = (): Promise<JsonAnswer> => runCommand(op);
        await completeBy(load, op, 'command line', random, move, () => first);
        await pause(load, between(random, [300, 1_500]));
      }
    },
  };
}

/** Without a reason of the server the outcome is unknown. */
function toAnswer({ code, stdout, stderr }: Finished): JsonAnswer {
  const text = code === 0 ? stdout : `${stdout}\n${stderr}`;
  const line = text.split('\n').find((each) => each.startsWith('{'));
  const found = line === undefined ? {} : parse(code === 0 ? stdout : line);
  if (code === 0) return { transaction: found };
  const { error } = found as { error?: { reason?: string } };
  return { reason: error?.reason ?? `code ${String(code)}: ${stderr.slice(0, 200)}` };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
