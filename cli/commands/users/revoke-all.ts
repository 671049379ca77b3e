import type { Command } from 'commander';

import { describeAddress } from '../../../core/addresses.ts';
import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { findAccount } from './accounts.ts';
import { checkConfirmable, confirmChange } from '../shared/confirm.ts';
import type { Context } from '../../context.ts';
import { done, fail, type CommandOutcome, type Outcome } from '../../outcome.ts';
import { printObject } from '../../output/print.ts';
import { identifyActor, type KnownUser } from './actor.ts';
import type { Start } from '../shared/start.ts';

/** Adds `wallet users revoke-all`. */
export function addUsersRevokeAll(users: Command, start: Start): void {
  users
    .command('revoke-all')
    .description('end all sessions and API keys of an account (admins; default: your own)')
    .argument('[USER]', 'e-mail address or id')
    .addHelpText('after', '\nExamples:\n  wallet users revoke-all ana@example.com')
    .action(async (user: string | undefined, _options: unknown, command: Command) => {
      await start(command, (context) => runUsersRevokeAll(context, user));
    });
}

/** `wallet users revoke-all`: ends all sessions and API keys of a user, or of the caller. */
async function runUsersRevokeAll(
  context: Context,
  user: string | undefined,
): Promise<CommandOutcome> {
  const confirmable = checkConfirmable(context, 'ending all sessions and API keys', false);
  if (!confirmable.ok) return confirmable;
  const caller = await identifyActor(context);
  if (!caller.ok) return caller;
  const found = await findOwner(context, user, caller.value);
  if (!found.ok) return found;
  const { id, email } = found.value;
  const address = email === undefined ? undefined : describeAddress(email);
  const name = address ?? id;
  if (id === caller.value?.id) {
    await context.reporter.warn('the session in use is among them: sign in again afterwards');
  }
  const confirmed = await confirmChange(context, {
    details: [['account', address === undefined ? id : `${address} (${id})`]],
    question: `End all sessions and API keys of ${name}?`,
  });
  if (!confirmed.ok) return confirmed;
  const method = AuthServiceService.revokeAllCredentials;
  const revoked = await context.caller.call(method, { userId: id }, 'write');
  if (!revoked.ok) return revoked;
  const { revokedSessions, revokedApiKeys } = revoked.value;
  const row = { userId: id, revokedSessions, revokedApiKeys };
  await printObject(
    context,
    row,
    [
      { header: 'user_id', value: () => id },
      { header: 'revoked_sessions', value: () => String(revokedSessions) },
      { header: 'revoked_api_keys', value: () => String(revokedApiKeys) },
    ].map((column) => ({
      ...column,
      table: { title: column.header.replaceAll('_', ' '), cell: column.value },
    })),
    (data) => data,
  );
  return done;
}

async function findOwner(
  context: Context,
  user: string | undefined,
  caller: KnownUser | undefined,
): Promise<Outcome<KnownUser>> {
  if (user !== undefined) return findAccount(context, user);
  if (caller) return { ok: true, value: caller };
  return fail('UNEXPECTED', 'the server did not identify the caller');
}
