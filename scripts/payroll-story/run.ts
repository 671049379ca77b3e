import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { createWorld, password, type World } from '../../tests/support/processes/world.ts';
import { createPlaceholders } from '../guide/placeholders.ts';
import { installWallet } from '../guide/install-wallet.ts';
import { runShell } from '../guide/run-shell.ts';
import { createPayees, listPayees, type Payee } from './people.ts';
import { formatFaultyPayroll, formatPayroll } from './rows.ts';
import { intro, steps, type Step } from './steps.ts';

const payees = listPayees(500);

/**
 * Runs the story against a daemon of its own, and gives it as Markdown. `check` looks at the
 * ledger afterwards. Throws where a command ends otherwise than its step expects.
 */
export async function runPayrollStory(
  check?: (world: World, paid: readonly Payee[]) => Promise<void>,
): Promise<string> {
  const world = await createWorld();
  try {
    await world.start({ LOG_LEVEL: 'warn' });
    const operator = await world.staff('operator', 'operator');
    await createPayees(world.daemon().address, { email: operator.email, password }, payees);
    const home = operator.env['HOME'] ?? '';
    await writeFile(join(home, 'payroll.csv'), formatFaultyPayroll(payees));
    await writeFile(join(home, 'corrected.csv'), formatPayroll(payees));
    const variables = {
      ...operator.env,
      PATH: `${await installWallet(home)}:${process.env['PATH'] ?? ''}`,
      WALLET_SERVER: world.daemon().address,
      LC_ALL: 'C.UTF-8',
    };
    const placeholders = createPlaceholders(Date.now());
    const texts = [intro];
    for (const step of steps) {
      texts.push(renderStep(step, placeholders.apply(await runStep(step, variables, home))));
    }
    await check?.(world, payees);
    return `${texts.join('\n\n')}\n`;
  } finally {
    await world.dispose();
  }
}

async function runStep(
  { command, exitCode }: Step,
  variables: Readonly<Record<string, string>>,
  home: string,
): Promise<string> {
  const { code, output } = await runShell(command, variables, home);
  if (code === exitCode) return output;
  throw new Error(`${command}\nended with ${String(code)} instead of ${exitCode}:\n${output}`);
}

function renderStep({ text, command, exitCode }: Step, output: string): string {
  const [first = '', ...more] = command.split('\n');
  const typed = [`$ ${first}`, ...more.map((line) => `> ${line}`)].join('\n');
  const end = exitCode === 0 ? '' : `\n$ echo $?\n${exitCode}`;
  const shown = output === '' ? '' : `\n${output.trimEnd().replace(/[ \r]+$/gm, '')}`;
  return `${text}\n\n\`\`\`console\n${typed}${shown}${end}\n\`\`\``;
}
