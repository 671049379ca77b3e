import type { Command } from 'commander';

import { AuthServiceService, type User } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../../context.ts';
import type { AccountLock } from '../../credentials/accounts.ts';
import {
  done,
  fail,
  failUsage,
  succeed,
  type CliFailure,
  type CommandOutcome,
  type Outcome,
} from '../../outcome.ts';
import { keepDeviceToken } from './keep-device-token.ts';
import { printObject } from '../../output/print.ts';
import { userColumns } from '../users/columns.ts';
import { askCode, askEmail, askPassword } from '../shared/password.ts';
import type { Start } from '../shared/start.ts';
import { toUserJson } from '../../../lib/json/accounts.ts';

type ChangeEmailOptions = {
  readonly email?: string;
  readonly code?: string;
  readonly passwordStdin?: boolean;
};

/** Adds `wallet change-email`. */
export function addChangeEmail(program: Command, start: Start): void {
  program
    .command('change-email')
    .description('change the e-mail address of your account')
    .option('--email <EMAIL>', 'the new address (prompted for if missing)')
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
      await start(command, (context) => runChangeEmail(context, options));
    });
}

/**
 * `wallet change-email`: has a code mailed to the new address, and asks for it where a person can
 * be asked; with a code gives the account that address.
 */
async function runChangeEmail(
  context: Context,
  options: ChangeEmailOptions,
): Promise<CommandOutcome> {
  if (options.code !== undefined && (options.email !== undefined || options.passwordStdin)) {
    return failUsage('code', '--code excludes --email and --password-stdin');
  }
  const credential = await context.credentials.get();
  if (!credential.ok) return credential;
  if (options.code !== undefined) return confirm(context, options.code);
  const email = await askEmail(context, options.email);
  if (!email.ok) return email;
  const fromStdin = options.passwordStdin === true;
  const password = await askPassword(context, { fromStdin, isNew: false });
  if (!password.ok) return password;
  const method = AuthServiceService.requestEmailChange;
  const request = { newEmail: email.value, password: password.value };
  const called = await context.caller.call(method, request, 'write');
  if (!called.ok) return { ok: false, failure: explain(called.failure) };
  await context.reporter.note(
    `a code was mailed to ${email.value}; the address changes once you confirm with it`,
  );
  if (context.canPrompt) {
    const code = await askCode(context);
    return code.ok ? confirm(context, code.value) : code;
  }
  await context.reporter.hint('next: wallet change-email --code CODE');
  if (context.manner.output === 'table') return done;
  const row = { requested: true, newEmail: email.value };
  const columns = [
    { header: 'requested', value: () => 'true' },
    { header: 'new_email', value: () => email.value },
  ];
  await printObject(context, row, columns, (data) => data);
  return done;
}

async function confirm(context: Context, code: string): Promise<CommandOutcome> {
  const method = AuthServiceService.confirmEmailChange;
  const called = await context.caller.call(method, { code: code.trim() }, 'write');
  if (!called.ok) return { ok: false, failure: explain(called.failure) };
  const { user, deviceToken } = called.value;
  if (!user) return fail('UNEXPECTED', 'the server answered without a user');
  await keepDeviceToken(context, user.email, deviceToken);
  await storeEmail(context, user);
  await printObject(context, user, userColumns(context.settings.timezone), toUserJson);
  return done;
}

/** What is stored of the sign-in names the new address; a command goes on without that. */
async function storeEmail({ account, accounts, reporter }: Context, user: User): Promise<void> {
  if ((await accounts.find(account))?.userId !== user.id) return;
  const consequence = 'the address was changed all the same';
  const store = async (lock: AccountLock): Promise<Outcome<boolean>> => {
    const stored = await accounts.load(account);
    if (!stored.ok) return stored;
    if (stored.value?.record.userId !== user.id) return succeed(false);
    const { record, secret } = stored.value;
    return accounts.writeAccount(lock, { record: { ...record, email: user.email }, secret });
  };
  const stored = await accounts.withAccountLock(account, store, consequence);
  if (!stored.ok) await reporter.warn(`the new address is not stored: ${stored.failure.message}`);
}

function explain(failure: CliFailure): CliFailure {
  if (failure.reason === 'CREDENTIALS_INVALID') {
    return { ...failure, hint: 'check the password; nothing was changed' };
  }
  if (failure.reason === 'VERIFICATION_CODE_INVALID') {
    return {
      ...failure,
      hint: 'check the code; to have a new one mailed: wallet change-email --email EMAIL',
    };
  }
  return failure;
}
