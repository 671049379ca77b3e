import type { Command } from 'commander';

import type { TotpInputOptions } from '../commands/totp/shared.ts';
import type { Start } from './start.ts';

/** totp enable|disable|recovery-codes|status. */
export function addTotpCommands(program: Command, start: Start): void {
  const totp = program.command('totp').description('a second factor for sign-in');
  addEnable(totp, start);
  addOthers(totp, start);
}

function addEnable(totp: Command, start: Start): void {
  totp
    .command('enable')
    .description('ask for a code of an authenticator app at each sign-in from now on')
    .option('--password-stdin', 'only begin: read the password from stdin, and print the secret')
    .option('--totp-stdin', 'only confirm what was begun: read the code from stdin')
    .addHelpText(
      'after',
      `
Examples:
  wallet totp enable
  wallet totp enable --password-stdin --json < password.txt
  wallet totp enable --totp-stdin --json < code.txt

The recovery codes are shown once. Other sessions of yours end.`,
    )
    .action(async (options: TotpInputOptions, command: Command) => {
      await start(command, async (context) => {
        const { runTotpEnable } = await import('../commands/totp/enable.ts');
        return runTotpEnable(context, options);
      });
    });
}

function addOthers(totp: Command, start: Start): void {
  const both = 'read two lines from stdin: the password, then the code';
  totp
    .command('disable')
    .description('sign in with the password alone again; other sessions of yours end')
    .option('--password-stdin', both)
    .option('--totp-stdin', 'the same')
    .addHelpText(
      'after',
      `
Examples:
  wallet totp disable
  wallet totp disable --password-stdin --totp-stdin < password-and-code.txt`,
    )
    .action(async (options: TotpInputOptions, command: Command) => {
      await start(command, async (context) => {
        const { runTotpDisable } = await import('../commands/totp/disable.ts');
        return runTotpDisable(context, options);
      });
    });

  totp
    .command('recovery-codes')
    .description('make new recovery codes; the old ones work no longer')
    .option('--password-stdin', both)
    .option('--totp-stdin', 'the same')
    .addHelpText('after', '\nExamples:\n  wallet totp recovery-codes > recovery-codes.txt')
    .action(async (options: TotpInputOptions, command: Command) => {
      await start(command, async (context) => {
        const { runTotpRecoveryCodes } = await import('../commands/totp/recovery-codes.ts');
        return runTotpRecoveryCodes(context, options);
      });
    });

  totp
    .command('status')
    .description('say whether sign-in needs a code, and how many recovery codes are left')
    .addHelpText('after', '\nExamples:\n  wallet totp status --json')
    .action(async (_options: unknown, command: Command) => {
      await start(command, async (context) => {
        const { runTotpStatus } = await import('../commands/totp/status.ts');
        return runTotpStatus(context);
      });
    });
}
