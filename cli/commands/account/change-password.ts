import type { Command } from 'commander';

import {
  AuthServiceService,
  type ChangePasswordResponse,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../../context.ts';
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
import { askPasswordChange } from '../shared/password.ts';
import type { Start } from '../shared/start.ts';

type ChangePasswordOptions = {
  readonly passwordStdin?: boolean;
  readonly revokeOtherSessions?: boolean;
  readonly revokeApiKeys?: boolean;
};

/** Adds `wallet change-password`. */
export function addChangePassword(program: Command, start: Start): void {
  program
    .command('change-password')
    .description('change your password')
    .option('--password-stdin', 'read two lines from stdin: the old password, then the new one')
    .option('--revoke-other-sessions', 'end all sessions but the one in use')
    .option(
      '--revoke-api-keys',
      'revoke all API keys too (at a terminal: prompted for if there are any)',
    )
    .option('--no-revoke-api-keys', 'keep the API keys, without a prompt')
    .addHelpText(
      'after',
      `
Examples:
  wallet change-password
  wallet change-password --revoke-other-sessions --revoke-api-keys
  wallet change-password --password-stdin < old-and-new.txt`,
    )
    .action(async (options: ChangePasswordOptions, command: Command) => {
      await start(command, (context) => runChangePassword(context, options));
    });
}

/** `wallet change-password`: of the caller; the session in use goes on. */
async function runChangePassword(
  context: Context,
  options: ChangePasswordOptions,
): Promise<CommandOutcome> {
  // Checked before the prompts for passwords.
  const credential = await context.credentials.get();
  if (!credential.ok) return credential;
  const asked = await askPasswordChange(context, options.passwordStdin === true);
  if (!asked.ok) return asked;
  if (asked.value.old === asked.value.new) {
    return failUsage('new_password', 'the new password is the same as the old one');
  }
  const revokeApiKeys = await decideApiKeys(context, options);
  if (!revokeApiKeys.ok) return revokeApiKeys;
  const revokeOtherSessions = options.revokeOtherSessions === true;
  const changed = await context.caller.call(
    AuthServiceService.changePassword,
    {
      oldPassword: asked.value.old,
      newPassword: asked.value.new,
      revokeOtherSessions,
      revokeApiKeys: revokeApiKeys.value,
    },
    'write',
  );
  if (!changed.ok) return { ok: false, failure: explain(changed.failure) };
  const { record } = credential.value;
  if (record?.email !== undefined) {
    await keepDeviceToken(context, record.email, changed.value.deviceToken);
  }
  return print(context, changed.value, revokeOtherSessions);
}

/** Whether the API keys are to end: as the option says, or asked for where there are some. */
async function decideApiKeys(
  context: Context,
  { revokeApiKeys }: ChangePasswordOptions,
): Promise<Outcome<boolean>> {
  if (revokeApiKeys !== undefined || !context.canPrompt || context.isConfirmed) {
    return succeed(revokeApiKeys === true);
  }
  const count = await countApiKeys(context);
  if (count === 0) return succeed(false);
  const keys = count === 1 ? 'One API key works' : `${count} API keys work`;
  const answer = await context.prompter.confirm(`${keys} without the password. End them too?`);
  if (answer === undefined) return fail('INTERRUPTED', 'interrupted; nothing was sent');
  return succeed(answer);
}

/** More pages than the keys of a person fill, so that it ends in any case. */
const maxPages = 20;

/** The caller's API keys that work; 0 if the server does not say. */
async function countApiKeys(context: Context): Promise<number> {
  const nowMs = context.clock.now();
  let count = 0;
  let pageToken = '';
  for (let page = 0; page < maxPages; page += 1) {
    const request = { ownerId: '', pageSize: 100, pageToken };
    const listed = await context.caller.call(AuthServiceService.listApiKeys, request, 'read');
    if (!listed.ok) return count;
    const { apiKeys, nextPageToken } = listed.value;
    count += apiKeys.filter(
      ({ revoked, expiresAt }) => !revoked && (expiresAt?.getTime() ?? 0) > nowMs,
    ).length;
    if (nextPageToken === '') return count;
    pageToken = nextPageToken;
  }
  return count;
}

async function print(
  context: Context,
  changed: ChangePasswordResponse,
  otherSessionsRevoked: boolean,
): Promise<CommandOutcome> {
  const { revokedSessions, revokedApiKeys, keptSessions, keptApiKeys } = changed;
  if (context.manner.output === 'table') {
    await context.reporter.note(
      `the password was changed; other sessions ended: ${revokedSessions}, kept: ` +
        `${keptSessions}; API keys revoked: ${revokedApiKeys}, kept: ${keptApiKeys}`,
    );
    return done;
  }
  const counts = { revokedSessions, revokedApiKeys, keptSessions, keptApiKeys };
  const columns = [
    { header: 'changed', value: () => 'true' },
    { header: 'other_sessions_revoked', value: () => String(otherSessionsRevoked) },
    { header: 'revoked_sessions', value: () => String(revokedSessions) },
    { header: 'revoked_api_keys', value: () => String(revokedApiKeys) },
    { header: 'kept_sessions', value: () => String(keptSessions) },
    { header: 'kept_api_keys', value: () => String(keptApiKeys) },
  ];
  await printObject(
    context,
    { changed: true, otherSessionsRevoked, ...counts },
    columns,
    (row) => row,
  );
  return done;
}

function explain(failure: CliFailure): CliFailure {
  if (failure.reason === 'CREDENTIALS_INVALID') {
    return { ...failure, hint: 'check the old password; nothing was changed' };
  }
  // The same command again would show an old password that may be old by now.
  return failure.exitCode === 9
    ? { ...failure, hint: 'try the new password, then the old one: wallet sign-in' }
    : failure;
}
