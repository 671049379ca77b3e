import { createWorld, expectCode, password } from '../../tests/support/processes/world.ts';
import { installWallet } from '../guide/install-wallet.ts';
import { createPlaceholders } from '../guide/placeholders.ts';
import { runShell } from '../guide/run-shell.ts';
import { intro, steps, type Step } from './steps.ts';

/**
 * Runs the tour against a daemon of its own, and gives it as Markdown. Throws where a command ends
 * otherwise than its step expects.
 */
export async function runTour(): Promise<string> {
  const world = await createWorld();
  try {
    await world.start({ LOG_LEVEL: 'warn' });
    const admin = await world.staff('shop', 'admin');
    for (const name of ['ana', 'leo']) {
      const args = [
        'users',
        'create',
        '--email',
        `${name}@example.com`,
        '--password-stdin',
        '--yes',
      ];
      expectCode(await admin.run(args, password), 0);
    }
    const home = admin.env['HOME'] ?? '';
    const variables = {
      ...admin.env,
      PATH: `${await installWallet(home)}:${process.env['PATH'] ?? ''}`,
      WALLET_SERVER: world.daemon().address,
      LC_ALL: 'C.UTF-8',
    };
    const placeholders = createPlaceholders(Date.now());
    const texts = [intro];
    for (const step of steps) {
      const output = await runStep(step, variables, home);
      texts.push(renderStep(step, withFixedTimes(placeholders.apply(output))));
    }
    return `${texts.join('\n\n')}\n`;
  } finally {
    await world.dispose();
  }
}

/** Times of day differ from run to run, and with them the checksums; a day's beginning does not. */
const withFixedTimes = (text: string): string =>
  text
    .replace(/(\d{4}-\d\d-\d\d) (?!00:00:00)\d\d:\d\d:\d\d/g, '$1 12:00:00')
    .replace(/[0-9a-f]{64}/g, '<sha-256>');

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
  const end = exitCode === 0 ? '' : `\n$ echo $?\n${exitCode}`;
  const shown = output.trimEnd().replace(/[ \r]+$/gm, '');
  return `${text}\n\n\`\`\`console\n$ ${command}\n${shown}${end}\n\`\`\``;
}
