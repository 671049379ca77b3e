import type { Command } from 'commander';

import type { SignInOptions } from '../commands/sign-in.ts';
import type { SignUpOptions } from '../commands/sign-up.ts';
import type { UsersCreateOptions } from '../commands/users-create.ts';
import type { Start } from './start.ts';

/** sign-up, sign-in, sign-out, whoami, users create. */
export function addAccountCommands(program: Command, start: Start): void {
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
          const { runSignUp } = await import('../commands/sign-up.ts');
          return runSignUp(context, options);
        },
        { canBeNewProfile: true },
      );
    });

  program
    .command('sign-in')
    .description("sign in, and keep the session in the system's keychain")
    .option('--email <EMAIL>', 'e-mail address (asked for if missing)')
    .option('--password-stdin', 'read the password from the first line of stdin')
    .option('--with-token', 'read a token or an API key from stdin instead')
    .option('--insecure-storage', 'keep the token in a file that only you can read')
    .addHelpText(
      'after',
      `
Examples:
  wallet sign-in --email ana@example.com
  wallet sign-in --profile prod --server wallet.example.com:443 --tls
  wallet sign-in --with-token < api-key.txt`,
    )
    .action(async (options: SignInOptions, command: Command) => {
      await start(
        command,
        async (context) => {
          const { runSignIn } = await import('../commands/sign-in.ts');
          return runSignIn(context, options);
        },
        { canBeNewProfile: true },
      );
    });

  program
    .command('sign-out')
    .description('end the session at the server, and forget it here')
    .addHelpText('after', '\nExamples:\n  wallet sign-out\n  wallet sign-out --profile prod')
    .action(async (_options: unknown, command: Command) => {
      await start(command, async (context) => {
        const { runSignOut } = await import('../commands/sign-out.ts');
        return runSignOut(context);
      });
    });

  program
    .command('whoami')
    .description('say who is signed in where, by which credential, and until when')
    .addHelpText('after', '\nExamples:\n  wallet whoami\n  wallet whoami --json')
    .action(async (_options: unknown, command: Command) => {
      await start(command, async (context) => {
        const { runWhoami } = await import('../commands/whoami.ts');
        return runWhoami(context);
      });
    });

  addUsersCommands(program, start);
}

function addUsersCommands(program: Command, start: Start): void {
  const users = program.command('users').description('manage accounts (staff)');
  users
    .command('create')
    .description('create an account')
    .option('--email <EMAIL>', 'e-mail address (asked for if missing)')
    .option('--role <ROLE>', 'customer, operator or admin (default customer)')
    .option('--password-stdin', 'read the password from the first line of stdin')
    .addHelpText(
      'after',
      `
Examples:
  wallet users create --email ana@example.com
  wallet users create --email op@example.com --role operator --password-stdin < password.txt`,
    )
    .action(async (options: UsersCreateOptions, command: Command) => {
      await start(command, async (context) => {
        const { runUsersCreate } = await import('../commands/users-create.ts');
        return runUsersCreate(context, options);
      });
    });
}
