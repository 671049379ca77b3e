import type { Command } from 'commander';

import { quoteForShell } from '../../../core/shell-word.ts';
import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { checkRole } from './accounts.ts';
import type { Context } from '../../context.ts';
import { done, fail, type CommandOutcome } from '../../outcome.ts';
import { printObject } from '../../output/print.ts';
import { userColumns } from './columns.ts';
import { askEmail, askPassword } from '../shared/password.ts';
import type { Start } from '../shared/start.ts';
import { toUserJson } from '../../../lib/json/accounts.ts';
import { roleNumbers } from '../../../lib/json/names.ts';

type UsersCreateOptions = {
  readonly email?: string;
  readonly role?: string;
  readonly passwordStdin?: boolean;
};

/** Adds `wallet users create`. */
export function addUsersCreate(users: Command, start: Start): void {
  users
    .command('create')
    .description('create an account')
    .option('--email <EMAIL>', 'e-mail address (prompted for if missing)')
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
      await start(command, (context) => runUsersCreate(context, options));
    });
}

/** `wallet users create`: an account made by staff, its address vouched for by them. */
async function runUsersCreate(
  context: Context,
  options: UsersCreateOptions,
): Promise<CommandOutcome> {
  const role = checkRole(options.role ?? 'customer');
  if (!role.ok) return role;
  const credential = await context.credentials.get();
  if (!credential.ok) return credential;
  const email = await askEmail(context, options.email);
  if (!email.ok) return email;
  const password = await askPassword(context, {
    fromStdin: options.passwordStdin === true,
    isNew: true,
  });
  if (!password.ok) return password;
  const request = { email: email.value, password: password.value, role: roleNumbers[role.value] };
  const created = await context.caller.call(AuthServiceService.createUser, request, 'write');
  if (!created.ok) {
    if (created.failure.reason !== 'EMAIL_TAKEN') return created;
    const hint = `the account exists: wallet users show ${quoteForShell(email.value)}`;
    return { ok: false, failure: { ...created.failure, hint } };
  }
  const { user } = created.value;
  if (!user) return fail('UNEXPECTED', 'the server answered without a user');
  await printObject(context, user, userColumns(context.settings.timezone), toUserJson);
  return done;
}
