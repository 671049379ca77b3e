import type { Command } from 'commander';

import { quoteForShell } from '../../../core/shell-word.ts';
import { AuthServiceService, type User } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../../context.ts';
import { toCliFailure } from '../../rpc/errors.ts';
import {
  done,
  fail,
  failUsage,
  succeed,
  type CommandOutcome,
  type Outcome,
} from '../../outcome.ts';
import { printObject } from '../../output/print.ts';
import { userColumns } from '../users/columns.ts';
import { askPassword } from '../shared/password.ts';
import type { Start } from '../shared/start.ts';
import { toUserJson } from '../../../lib/json/accounts.ts';

type VerifyEmailOptions = { readonly email?: string; readonly passwordStdin?: boolean };

/** Adds `wallet verify-email`. */
export function addVerifyEmail(program: Command, start: Start): void {
  program
    .command('verify-email')
    .description('verify your e-mail address with the code that was mailed')
    .argument('<CODE>', 'the code that was mailed at sign-up')
    .option('--email <EMAIL>', 'which sign-up of this machine to use, if there are several')
    .option('--password-stdin', 'read the password of the sign-up from the first line of stdin')
    .addHelpText(
      'after',
      `
Examples:
  wallet verify-email 7K3M-Q9XD-4T2N-8WPC-J5VH-6RBE
  wallet verify-email 7K3M-Q9XD-4T2N-8WPC-J5VH-6RBE --password-stdin < password.txt

On a machine other than that of the sign-up, the command prompts for the password.`,
    )
    .action(async (code: string, options: VerifyEmailOptions, command: Command) => {
      await start(command, (context) => runVerifyEmail(context, code, options), {
        canBeNewProfile: true,
      });
    });
}

/**
 * `wallet verify-email`: proves with a mailed code that the address is one's own. That the sign-up
 * is one's own too is proved by its token, which this machine keeps, or else by its password.
 */
async function runVerifyEmail(
  context: Context,
  code: string,
  options: VerifyEmailOptions,
): Promise<CommandOutcome> {
  const email = await findEmail(context, options);
  if (!email.ok) return email;
  const token =
    email.value === undefined ? '' : await context.signUpTokens.find(context.account, email.value);
  const verified = await verify(context, code.trim(), token, options.passwordStdin === true);
  if (!verified.ok) return verified;
  const user = verified.value;
  if (email.value !== undefined) {
    await context.signUpTokens.save(context.account, email.value, '');
  }
  await printObject(context, user, userColumns(context.settings.timezone), toUserJson);
  await context.reporter.hint(`next: wallet sign-in --email ${quoteForShell(user.email)}`);
  return done;
}

/** Whose token is meant: the only one that this machine has, if no address is given. */
async function findEmail(
  { account, signUpTokens }: Context,
  { email, passwordStdin }: VerifyEmailOptions,
): Promise<Outcome<string | undefined>> {
  if (email !== undefined || passwordStdin) return succeed(email);
  const emails = await signUpTokens.list(account);
  return emails.length > 1
    ? failUsage(
        'email',
        'is missing, and this machine has several pending sign-ups',
        'add --email EMAIL',
      )
    : succeed(emails[0]);
}

async function verify(
  context: Context,
  code: string,
  signUpToken: string,
  fromStdin: boolean,
): Promise<Outcome<User>> {
  if (signUpToken !== '' && !fromStdin) {
    const sent = await send(context, { code, signUpToken, password: '' });
    const isRefused = !sent.ok && sent.failure.reason === 'VERIFICATION_CODE_INVALID';
    // The sign-up that the code belongs to may have been made elsewhere.
    if (!isRefused || !context.canPrompt) return sent;
    await context.reporter.warn('the code does not belong to the sign-up on this machine');
  }
  const password = await askPassword(context, {
    fromStdin,
    isNew: false,
    message: 'Password chosen at sign-up',
  });
  if (!password.ok) return password;
  return send(context, { code, signUpToken: '', password: password.value });
}

async function send(
  context: Context,
  request: { readonly code: string; readonly signUpToken: string; readonly password: string },
): Promise<Outcome<User>> {
  const method = AuthServiceService.verifyEmail;
  const called = await context.caller.callAs(undefined, method, request, 'write');
  if (!called.ok) return called;
  if (!called.value.ok) return { ok: false, failure: toCliFailure(called.value.failure, 'write') };
  const { user } = called.value.value;
  return user ? succeed(user) : fail('UNEXPECTED', 'the server answered without a user');
}
