import type { Command } from 'commander';

import { quoteForShell } from '../../../core/shell-word.ts';
import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../../context.ts';
import { toCliFailure } from '../../rpc/errors.ts';
import {
  done,
  succeed,
  type CliFailure,
  type CommandOutcome,
  type Outcome,
} from '../../outcome.ts';
import { keepDeviceToken } from './keep-device-token.ts';
import { printObject } from '../../output/print.ts';
import { askCode, askEmail, askPassword } from '../shared/password.ts';
import type { Start } from '../shared/start.ts';

type ResetPasswordOptions = {
  readonly email?: string;
  readonly code?: string;
  readonly passwordStdin?: boolean;
  readonly keepApiKeys?: boolean;
};

/** Adds `wallet reset-password`. */
export function addResetPassword(program: Command, start: Start): void {
  program
    .command('reset-password')
    .description('set a new password with a code that is mailed to you')
    .option('--email <EMAIL>', 'e-mail address (prompted for if missing)')
    .option('--code <CODE>', 'the code that was mailed; without it, a code is mailed')
    .option('--password-stdin', 'read the new password from the first line of stdin')
    .option('--keep-api-keys', 'keep your API keys')
    .addHelpText(
      'after',
      `
Examples:
  wallet reset-password --email ana@example.com
  wallet reset-password --email ana@example.com --code CODE --password-stdin < password.txt

All sessions end, and all API keys too unless --keep-api-keys is given.`,
    )
    .action(async (options: ResetPasswordOptions, command: Command) => {
      await start(command, (context) => runResetPassword(context, options), {
        canBeNewProfile: true,
      });
    });
}

/**
 * `wallet reset-password`: without a code has one mailed, and asks for it where a person can be
 * asked; with a code sets the new password.
 */
async function runResetPassword(
  context: Context,
  options: ResetPasswordOptions,
): Promise<CommandOutcome> {
  const email = await askEmail(context, options.email);
  if (!email.ok) return email;
  if (options.code !== undefined) return reset(context, email.value, options.code, options);
  const requested = await request(context, email.value);
  if (!requested.ok) return requested;
  const next = `wallet reset-password --email ${quoteForShell(email.value)} --code CODE`;
  await context.reporter.note(`if ${email.value} has an account, a code was mailed to it`);
  if (context.canPrompt && options.passwordStdin !== true) {
    const code = await askCode(context);
    if (!code.ok) return code;
    return reset(context, email.value, code.value, options);
  }
  await context.reporter.hint(`next: ${next}`);
  if (context.manner.output === 'table') return done;
  const row = { requested: true, email: email.value };
  const columns = [
    { header: 'requested', value: () => 'true' },
    { header: 'email', value: () => email.value },
  ];
  await printObject(context, row, columns, (data) => data);
  return done;
}

async function request(context: Context, email: string): Promise<Outcome<undefined>> {
  const method = AuthServiceService.requestPasswordReset;
  const called = await context.caller.callAs(undefined, method, { email }, 'write');
  if (!called.ok) return called;
  if (called.value.ok) return succeed(undefined);
  return { ok: false, failure: explain(toCliFailure(called.value.failure, 'write'), email) };
}

async function reset(
  context: Context,
  email: string,
  code: string,
  options: ResetPasswordOptions,
): Promise<CommandOutcome> {
  const fromStdin = options.passwordStdin === true;
  const password = await askPassword(context, { fromStdin, isNew: true });
  if (!password.ok) return password;
  const keepApiKeys = options.keepApiKeys === true;
  const sent = { email, code: code.trim(), newPassword: password.value, keepApiKeys };
  const method = AuthServiceService.resetPassword;
  const called = await context.caller.callAs(undefined, method, sent, 'write');
  if (!called.ok) return called;
  if (!called.value.ok) {
    return { ok: false, failure: explain(toCliFailure(called.value.failure, 'write'), email) };
  }
  const { revokedSessions, revokedApiKeys, keptApiKeys, deviceToken } = called.value.value;
  await keepDeviceToken(context, email, deviceToken);
  const row = { email, revokedSessions, revokedApiKeys, keptApiKeys };
  await printObject(
    context,
    row,
    [
      { header: 'email', value: () => email },
      { header: 'revoked_sessions', value: () => String(revokedSessions) },
      { header: 'revoked_api_keys', value: () => String(revokedApiKeys) },
      { header: 'kept_api_keys', value: () => String(keptApiKeys) },
    ].map((column) => ({
      ...column,
      table: { title: column.header.replaceAll('_', ' '), cell: column.value },
    })),
    (data) => data,
  );
  await context.reporter.hint(`next: wallet sign-in --email ${quoteForShell(email)}`);
  return done;
}

function explain(failure: CliFailure, email: string): CliFailure {
  if (failure.reason === 'VERIFICATION_CODE_INVALID') {
    const hint = `check the code; to have a new one mailed: wallet reset-password --email ${quoteForShell(email)}`;
    return { ...failure, hint };
  }
  return failure.exitCode === 9
    ? { ...failure, hint: 'try the new password: wallet sign-in; otherwise run the command again' }
    : failure;
}
