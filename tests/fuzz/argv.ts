import {
  createCli,
  created,
  fakeToken,
  refusal,
  startFakeServer,
  userId,
} from '../../cli/test-support.ts';
import { reasonCodes, type Reason } from '../../core/reasons.ts';
import type { CreateTransactionRequest } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { runWallet } from '../../scripts/product.ts';
import { whatOf, type Range } from './pure.ts';
import { createRandom, type Random } from './random.ts';
import { createYielder, type Report } from './report.ts';
import { anyText } from './values.ts';

const id = 'b4013d1d-f8a6-54ce-835e-4d4f030245d6';

/** Command lines that are right, or nearly. */
const lines: readonly (readonly string[])[] = [
  ['deposit', '12.50', '--yes'],
  ['withdraw', '1', '--yes', '--currency', 'JPY'],
  ['purchase', '5.00', '--merchant', 'a shop', '--yes', '--idempotency-key', 'k'],
  ['cancel', id, '--yes'],
  ['reverse', id, '--yes', '--dry-run'],
  ['balance'],
  ['balance', '--all'],
  ['balance', '--at', '2026-11-22'],
  ['transactions', 'list', '--limit', '5'],
  ['transactions', 'show', id],
  ['transactions', 'show', '--idempotency-key', 'k'],
  ['statement', 'show', '--from', '2026-11-01', '--to', '2026-11-10', '--timezone', 'UTC'],
  ['users', 'create', '--email', 'a@example.com', '--role', 'customer', '--password-stdin'],
  ['dead-letters', 'list', '--service', 'wallet', '--state', 'pending'],
  ['dead-letters', 'show', id],
  ['dead-letters', 'replay', id, '--dry-run', '--yes'],
  ['dead-letters', 'discard', id, '--note', 'x', '--yes'],
  ['config', 'list', '--show-origin'],
  ['config', 'get', 'server'],
  ['config', 'set', 'currency', 'EUR'],
  ['profiles', 'list'],
  ['profiles', 'use', 'default'],
  ['whoami'],
  ['wallets', 'list'],
  ['batch', 'run', '-', '--batch-id', 'x', '--dry-run'],
  ['exports', 'list'],
  ['sessions', 'list'],
  ['api-keys', 'list'],
  ['audit', 'log'],
  ['doctor'],
  ['completion', 'bash'],
  ['help'],
  ['--help'],
  ['--version'],
];

const options = [
  '--json',
  '--output',
  '-o',
  '--user',
  '--currency',
  '--timezone',
  '--from',
  '--to',
  '--at',
  '--limit',
  '--page-token',
  '--idempotency-key',
  '--description',
  '--profile',
  '--quiet',
  '--verbose',
  '--no-color',
  '--no-input',
  '--yes',
  '--all',
  '--dry-run',
  '--unset',
  '--',
  '-',
  '-oyjson',
  '--output=csv',
  '--output=ndjson',
  '--nonsense',
  '--timeout=50ms',
  '--timeout=0',
  '--server=nowhere',
  '--tls-ca=/nonexistent',
];

function makeLine(random: Random): string[] {
  const line = [...random.pick(lines)];
  for (let i = random.int(4); i > 0; i -= 1) {
    const at = random.int(line.length + 1);
    switch (random.int(4)) {
      case 0:
        line.splice(at, 0, random.pick(options));
        break;
      case 1:
        line.splice(at, 0, random.pick(options), anyText(random));
        break;
      case 2:
        if (at < line.length) line[at] = anyText(random);
        break;
      default:
        line.splice(at, 1);
    }
  }
  // A NUL ends an argument: none can hold one.
  return line.map((word) => word.replaceAll('\0', ''));
}

/** Rejects after a while: a command that has not ended by then never will. */
function giveUp(): Promise<never> {
  return new Promise((_resolve, reject) => {
    setTimeout(() => reject(new Error('it does not end')), tooLongMs).unref();
  });
}

const allowed = new Set([0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 130]);
const tooLongMs = 20_000;
const linesPerHome = 500;

/** A server names the currency, also where the request left it to the parent. */
const inCurrency = (item: CreateTransactionRequest['item']) =>
  item && { ...item, currency: item.currency || 'BRL' };

/** Command lines in this process, through the entry of the command itself. */
export async function fuzzArgv(report: Report, { from, count }: Range): Promise<void> {
  const reasons = Object.keys(reasonCodes) as Reason[];
  let turn = 0;
  const server = await startFakeServer({
    createTransaction: (request: CreateTransactionRequest) => {
      turn += 1;
      // Refusals of every kind come too, now and then.
      const reason = reasons[turn % (reasons.length * 3)];
      const isPassing = reason !== undefined && reasonCodes[reason] === 'UNAVAILABLE';
      return reason === undefined || isPassing
        ? created({ ...request, item: inCurrency(request.item) })
        : refusal(reason, 'a refusal with \u001b[31mcolour\u001b[0m', { field: 'amount' });
    },
    getUser: () => ({ user: { id: userId, email: 'a@example.com', role: 1 } }),
  });
  const env = {
    WALLET_SERVER: server.address,
    WALLET_TOKEN: fakeToken(),
    WALLET_TIMEOUT: '300ms',
    WALLET_INSECURE_STORAGE: '1',
  };
  const rest = createYielder();
  let cli = await createCli(env);
  for (let index = from; index < from + count; index += 1) {
    const random = createRandom(report.seed, 'argv', index);
    const argv = makeLine(random);
    const stdin = random.chance(20) ? anyText(random) : '';
    const input = JSON.stringify(argv);
    try {
      const ran = await Promise.race([cli.run(argv, { stdin }), giveUp()]);
      report.count('argv', `exit ${ran.exitCode}`);
      // What the stand-in for a server does not do ends with 1, and rightly.
      const isOfServer = /\(UNIMPLEMENTED\)|"UNIMPLEMENTED"|INTERNAL/.test(ran.err);
      // A doctor that finds a problem says so on stdout, and ends with 1.
      const isFound = ran.exitCode === 1 && argv.includes('doctor') && ran.out !== '';
      if (!allowed.has(ran.exitCode) && !isOfServer && !isFound) {
        report.violate('argv', index, `exit ${ran.exitCode}`, `${input}\n${ran.err}`);
      }
      if (ran.exitCode !== 0 && ran.exitCode !== 10 && ran.err === '' && !isFound) {
        report.violate('argv', index, `exit ${ran.exitCode} without a word`, input);
      }
    } catch (err) {
      report.count('argv', 'thrown');
      report.violate('argv', index, whatOf(err), input);
    }
    if ((index - from + 1) % linesPerHome === 0) {
      await cli.remove();
      cli = await createCli(env);
    }
    await rest();
  }
  await cli.remove();
  server.crash();
}

/** The same as processes, a few of them. */
export async function fuzzProcesses(
  report: Report,
  { from, count }: Range,
  env: Readonly<Record<string, string>>,
): Promise<void> {
  for (let index = from; index < from + count; index += 1) {
    const random = createRandom(report.seed, 'processes', index);
    const argv = makeLine(random);
    const done = await runWallet(argv, { env: { ...env, WALLET_TIMEOUT: '300ms' }, input: '' });
    report.count('processes', `exit ${String(done.code)}`);
    const isTrace = /^\s+at .+:\d+:\d+\)?$/m.test(done.stderr);
    if (done.code === null || !allowed.has(done.code) || isTrace) {
      const what = isTrace ? 'a stack trace' : `exit ${String(done.code)}`;
      report.violate('processes', index, what, `${JSON.stringify(argv)}\n${done.stderr}`);
    }
  }
}
