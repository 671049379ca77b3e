import type { Command } from 'commander';

import type { ChangeEmailOptions } from '../commands/account/change-email.ts';
import type { ResetPasswordOptions } from '../commands/account/reset-password.ts';
import type { Start } from './start.ts';

/** reset-password, change-email. */
export function addRecoveryCommands(program: Command, start: Start): void {
  program
    .command('reset-password')
    .description('set a new password with a code that is mailed to you')
    .option('--email <EMAIL>', 'e-mail address (asked for if missing)')
    .option('--code <CODE>', 'the code that was mailed; without it one is mailed')
    .option('--password-stdin', 'read the new password from the first line of stdin')
    .option('--keep-api-keys', 'let your API keys go on')
    .addHelpText(
      'after',
      `
Examples:
  wallet reset-password --email ana@example.com
  wallet reset-password --email ana@example.com --code CODE --password-stdin < password.txt

All sessions end, and all API keys unless --keep-api-keys is given.`,
    )
    .action(async (options: ResetPasswordOptions, command: Command) => {
      await start(
        command,
        async (context) => {
          const { runResetPassword } = await import('../commands/account/reset-password.ts');
          return runResetPassword(context, options);
        },
        { canBeNewProfile: true },
      );
    });

  program
    .command('change-email')
    .description('give your account another e-mail address')
    .option('--email <EMAIL>', 'the new address (asked for if missing)')
    .option('--code <CODE>', 'the code that was mailed to the new address')
    .option('--password-stdin', 'read your password from the first line of stdin')
    .addHelpText(
      'after',
      `
Examples:
  wallet change-email --email ana@new.example.com
  wallet change-email --code CODE`,
    )
    .action(async (options: ChangeEmailOptions, command: Command) => {
      await start(command, async (context) => {
        const { runChangeEmail } = await import('../commands/account/change-email.ts');
        return runChangeEmail(context, options);
      });
    });
}
