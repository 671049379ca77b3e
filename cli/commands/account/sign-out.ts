import type { Command } from 'commander';

import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../../context.ts';
import type { AccountLock } from '../../credentials/accounts.ts';
import { toCliFailure } from '../../rpc/errors.ts';
import {
  done,
  succeed,
  type CliFailure,
  type CommandOutcome,
  type Outcome,
} from '../../outcome.ts';
import { printObject } from '../../output/print.ts';
import type { Start } from '../shared/start.ts';

/** Adds `wallet sign-out`. */
export function addSignOut(program: Command, start: Start): void {
  program
    .command('sign-out')
    .description('end the session at the server and remove it from this machine')
    .addHelpText('after', '\nExamples:\n  wallet sign-out\n  wallet sign-out --profile prod')
    .action(async (_options: unknown, command: Command) => {
      await start(command, runSignOut);
    });
}

/** `wallet sign-out`: ends the session at the server and removes what is stored here. */
async function runSignOut(context: Context): Promise<CommandOutcome> {
  const { account, accounts, reporter } = context;
  if (!(await accounts.find(account))) {
    await reporter.hint(`not signed in as ${account}`);
    return print(context, false);
  }
  const ended = await endStoredSession(context);
  if (!ended.ok) return ended;
  if (context.environment.token !== undefined) {
    await reporter.warn('WALLET_TOKEN is set and remains in use; unset it too');
  }
  return print(context, ended.value);
}

/** Ends the session at the server and removes it here. True if one was ended at the server. */
export function endStoredSession(context: Context): Promise<Outcome<boolean>> {
  const { account, accounts } = context;
  // Under the lock: a refresh at the same time would store the session again.
  return accounts.withAccountLock(account, (lock) => endAndRemove(context, lock));
}

async function endAndRemove(context: Context, lock: AccountLock): Promise<Outcome<boolean>> {
  const ended = await endSession(context);
  if (!ended.ok) {
    if (isAboutKeychain(ended.failure)) return failStillOpen(ended.failure);
    await context.reporter.warn(
      `the session was not ended at the server: ${ended.failure.message}. ` +
        'It is removed here, and ends there by itself',
    );
  }
  const removed = await context.accounts.removeAccount(lock);
  return removed.ok ? succeed(ended.ok && ended.value) : removed;
}

function isAboutKeychain({ reason }: CliFailure): boolean {
  return reason === 'KEYCHAIN_LOCKED' || reason === 'KEYCHAIN_UNAVAILABLE';
}

/**
 * The token that would end the session cannot be read: nothing is removed, so that it can be ended
 * later.
 */
function failStillOpen(failure: CliFailure): Outcome<never> {
  return {
    ok: false,
    failure: {
      ...failure,
      message: `the session was not ended and remains valid at the server: ${failure.message}`,
      hint:
        'unlock the keychain and run it again; if the token is gone: wallet sign-in, then ' +
        'wallet sessions list, and wallet sessions revoke ID',
    },
  };
}

/** True if a session was ended, false if there was none to end (an API key, or it had ended). */
async function endSession(context: Context): Promise<Outcome<boolean>> {
  const stored = await context.accounts.load(context.account);
  if (!stored.ok) return stored;
  if (!stored.value) return succeed(false);
  if (stored.value.secret.refreshToken === undefined) return succeed(false);
  let { accessToken } = stored.value.secret;
  const { caller } = context;
  const endsAtMs = stored.value.secret.accessTokenExpiresAtMs ?? 0;
  if (endsAtMs <= context.clock.now()) {
    const { refreshToken } = stored.value.secret;
    const method = AuthServiceService.refreshSession;
    const refreshed = await caller.callAs(undefined, method, { refreshToken }, 'read');
    if (!refreshed.ok) return refreshed;
    if (!refreshed.value.ok) return tolerateEnded(refreshed.value.failure);
    accessToken = refreshed.value.value.tokens?.accessToken ?? accessToken;
  }
  const called = await caller.callAs(accessToken, AuthServiceService.signOut, {}, 'read');
  if (!called.ok) return called;
  return called.value.ok ? succeed(true) : tolerateEnded(called.value.failure);
}

function tolerateEnded(callFailure: Parameters<typeof toCliFailure>[0]): Outcome<boolean> {
  const failure = toCliFailure(callFailure, 'read');
  return failure.exitCode === 4 ? succeed(false) : { ok: false, failure };
}

async function print(context: Context, isRevoked: boolean): Promise<CommandOutcome> {
  const { profile, settings } = context;
  const columns = [
    { header: 'profile', value: () => profile },
    { header: 'server', value: () => settings.server.text },
    { header: 'revoked', value: () => String(isRevoked) },
  ];
  if (context.manner.output === 'table') {
    await context.reporter.hint(`signed out of ${settings.server.text} (profile ${profile})`);
    return done;
  }
  await printObject(context, undefined, columns, () => ({
    profile,
    server: settings.server.text,
    revoked: isRevoked,
  }));
  return done;
}
