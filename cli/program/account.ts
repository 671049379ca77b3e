import type { Command } from 'commander';

import type { ChangePasswordOptions } from '../commands/account/change-password.ts';
import type { SignInOptions } from '../commands/sessions/sign-in.ts';
import type { SignUpOptions } from '../commands/account/sign-up.ts';
import type { VerifyEmailOptions } from '../commands/account/verify-email.ts';
import { addRecoveryCommands } from './recovery.ts';
import type { Start } from './start.ts';

/** sign-up, verify-email, sign-in, sign-out, whoami, change-password, and what recovers an account. */
export function addAccountCommands(program: Command, start: Start): void {
  addOpening(program, start);
  addSignIn(program, start);
  addCredentials(program, start);
  addRecoveryCommands(program, start);
}

function addOpening(program: Command, start: Start): void {
  program
    .command('sign-up')
    .description('open an account of your own')
    .option('--email <EMAIL>', 'e-mail address (asked for if missing)')
    .option('--password-stdin', 'read the password from the first line of stdin')
    .addHelpText(
      'after',
      `
Examples:
  wallet sign-up --email ana@example.com
  wallet sign-up --email ana@example.com --password-stdin < password.txt`,
    )
    .action(async (options: SignUpOptions, command: Command) => {
      await start(
        command,
        async (context) => {
          const { runSignUp } = await import('../commands/account/sign-up.ts');
          return runSignUp(context, options);
        },
        { canBeNewProfile: true },
      );
    });

  program
    .command('verify-email')
    .description('prove with the mailed code that the e-mail address is yours')
    .argument('<CODE>', 'the code that was mailed at sign-up')
    .option('--email <EMAIL>', 'which sign-up of this machine is meant, if there are several')
    .option('--password-stdin', 'read the password of the sign-up from the first line of stdin')
    .addHelpText(
      'after',
      `
Examples:
  wallet verify-email 7K3M-Q9XD-4T2N-8WPC-J5VH-6RBE
  wallet verify-email 7K3M-Q9XD-4T2N-8WPC-J5VH-6RBE --password-stdin < password.txt

On another machine than that of the sign-up, the password is asked for.`,
    )
    .action(async (code: string, options: VerifyEmailOptions, command: Command) => {
      await start(
        command,
        async (context) => {
          const { runVerifyEmail } = await import('../commands/account/verify-email.ts');
          return runVerifyEmail(context, code, options);
        },
        { canBeNewProfile: true },
      );
    });
}

function addSignIn(program: Command, start: Start): void {
  program
    .command('sign-in')
    .description("sign in, and keep the session in the system's keychain")
    .option('--email <EMAIL>', 'e-mail address (asked for if missing)')
    .option('--password-stdin', 'read the password from the first line of stdin')
    .option('--totp-stdin', 'read two lines from stdin: the password, then the code')
    .option('--with-token', 'read a token or an API key from stdin instead')
    .option('--insecure-storage', 'keep the token in a file that only you can read')
    .addHelpText(
      'after',
      `
Examples:
  wallet sign-in --email ana@example.com
  wallet sign-in --email op@example.com --totp-stdin < password-and-code.txt
  wallet sign-in --profile prod --server wallet.example.com:443 --tls
  wallet sign-in --with-token < api-key.txt`,
    )
    .action(async (options: SignInOptions, command: Command) => {
      await start(
        command,
        async (context) => {
          const { runSignIn } = await import('../commands/sessions/sign-in.ts');
          return runSignIn(context, options);
        },
        { canBeNewProfile: true },
      );
    });
}

function addCredentials(program: Command, start: Start): void {
  program
    .command('sign-out')
    .description('end the session at the server, and forget it here')
    .addHelpText('after', '\nExamples:\n  wallet sign-out\n  wallet sign-out --profile prod')
    .action(async (_options: unknown, command: Command) => {
      await start(command, async (context) => {
        const { runSignOut } = await import('../commands/sessions/sign-out.ts');
        return runSignOut(context);
      });
    });

  program
    .command('whoami')
    .description('say who is signed in where, by which credential, and until when')
    .addHelpText('after', '\nExamples:\n  wallet whoami\n  wallet whoami --json')
    .action(async (_options: unknown, command: Command) => {
      await start(command, async (context) => {
        const { runWhoami } = await import('../commands/account/whoami.ts');
        return runWhoami(context);
      });
    });

  program
    .command('change-password')
    .description('change your password')
    .option('--password-stdin', 'read two lines from stdin: the old password, then the new one')
    .option('--revoke-other-sessions', 'end all sessions but the one in use')
    .option(
      '--revoke-api-keys',
      'end all API keys too (at a terminal: asked for if there are some)',
    )
    .option('--no-revoke-api-keys', 'let the API keys go on, without asking')
    .addHelpText(
      'after',
      `
Examples:
  wallet change-password
  wallet change-password --revoke-other-sessions --revoke-api-keys
  wallet change-password --password-stdin < old-and-new.txt`,
    )
    .action(async (options: ChangePasswordOptions, command: Command) => {
      await start(command, async (context) => {
        const { runChangePassword } = await import('../commands/account/change-password.ts');
        return runChangePassword(context, options);
      });
    });
}
