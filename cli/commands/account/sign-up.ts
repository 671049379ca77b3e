import type { Command } from 'commander';

import { quoteForShell } from '../../../core/shell-word.ts';
import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../../context.ts';
import { toCliFailure } from '../../rpc/errors.ts';
import { done, fail, type CommandOutcome } from '../../outcome.ts';
import { printObject } from '../../output/print.ts';
import { userColumns } from '../users/columns.ts';
import { askEmail, askPassword } from '../shared/password.ts';
import type { Start } from '../shared/start.ts';
import { toUserJson } from '../../../lib/json/accounts.ts';

type SignUpOptions = { readonly email?: string; readonly passwordStdin?: boolean };

/** Adds `wallet sign-up`. */
export function addSignUp(program: Command, start: Start): void {
  program
    .command('sign-up')
    .description('create an account for yourself')
    .option('--email <EMAIL>', 'e-mail address (prompted for if missing)')
    .option('--password-stdin', 'read the password from the first line of stdin')
    .addHelpText(
      'after',
      `
Examples:
  wallet sign-up --email ana@example.com
  wallet sign-up --email ana@example.com --password-stdin < password.txt`,
    )
    .action(async (options: SignUpOptions, command: Command) => {
      await start(command, (context) => runSignUp(context, options), { canBeNewProfile: true });
    });
}

/** `wallet sign-up`: opens an account; signing in is a step of its own. */
async function runSignUp(context: Context, options: SignUpOptions): Promise<CommandOutcome> {
  const email = await askEmail(context, options.email);
  if (!email.ok) return email;
  const password = await askPassword(context, {
    fromStdin: options.passwordStdin === true,
    isNew: true,
  });
  if (!password.ok) return password;
  const request = { email: email.value, password: password.value };
  const called = await context.caller.callAs(
    undefined,
    AuthServiceService.signUp,
    request,
    'write',
  );
  if (!called.ok) return called;
  if (!called.value.ok) return { ok: false, failure: toCliFailure(called.value.failure, 'write') };
  const { user, verificationRequired, signUpToken } = called.value.value;
  if (!user) return fail('UNEXPECTED', 'the server answered without a user');
  if (signUpToken !== '') await keepSignUpToken(context, email.value, signUpToken);
  await printObject(context, user, userColumns(context.settings.timezone), (row) => ({
    ...toUserJson(row),
    verificationRequired,
  }));
  if (verificationRequired && context.manner.output !== 'json') {
    await context.reporter.note(
      `a code was mailed to ${user.email}: verify the address before the first sign-in`,
    );
  }
  await context.reporter.hint(
    verificationRequired
      ? `next: wallet verify-email CODE --email ${quoteForShell(user.email)}`
      : `next: wallet sign-in --email ${quoteForShell(user.email)}`,
  );
  return done;
}

/** Without it the password is asked for with the code. */
async function keepSignUpToken(context: Context, email: string, token: string): Promise<void> {
  const saved = await context.signUpTokens.save(context.account, email, token);
  if (saved.ok) return;
  await context.reporter.warn(
    'the token of the sign-up cannot be stored, so verify-email will prompt for the password: ' +
      saved.failure.message,
  );
}
