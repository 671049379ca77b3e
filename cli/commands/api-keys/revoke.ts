import type { Command } from 'commander';

import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { findOwnKey, resolveApiKeyId } from './shared.ts';
import { checkConfirmable, confirmChange } from '../shared/confirm.ts';
import type { Context } from '../../context.ts';
import { done, fail, succeed, type CommandOutcome, type Outcome } from '../../outcome.ts';
import { apiKeyColumns } from './columns.ts';
import { resolveUser } from '../users/actor.ts';
import { printObject } from '../../output/print.ts';
import type { Start } from '../shared/start.ts';
import { toApiKeyJson } from '../../../lib/json/accounts.ts';

type RevokeOptions = { readonly user?: string };

/** Adds `wallet api-keys revoke`. */
export function addApiKeysRevoke(apiKeys: Command, start: Start): void {
  apiKeys
    .command('revoke')
    .description('revoke an API key permanently')
    .argument('<API_KEY_ID>', 'id of the API key, or 8 or more characters of its beginning')
    .option('--user <USER>', 'with a part of an id: of this user, by e-mail address or id (admins)')
    .addHelpText(
      'after',
      '\nExamples:\n  wallet api-keys revoke 2f9f5b0e-6c1d-4e0a-9a38-7b1f5d0c4e21',
    )
    .action(async (id: string, options: RevokeOptions, command: Command) => {
      await start(command, (context) => runApiKeysRevoke(context, id, options));
    });
}

/** `wallet api-keys revoke`: permanently. */
async function runApiKeysRevoke(
  context: Context,
  id: string,
  options: RevokeOptions,
): Promise<CommandOutcome> {
  const confirmable = checkConfirmable(context, 'revoking an API key', false);
  if (!confirmable.ok) return confirmable;
  const user = await resolveUser(context, options.user, false);
  if (!user.ok) return user;
  const resolved = await resolveApiKeyId(context, id, user.value?.id ?? '');
  if (!resolved.ok) return resolved;
  const apiKeyId = resolved.value;
  const confirmed = await confirm(context, apiKeyId);
  if (!confirmed.ok) return confirmed;
  const method = AuthServiceService.revokeApiKey;
  const revoked = await context.caller.call(method, { apiKeyId }, 'write');
  if (!revoked.ok) return revoked;
  if (!revoked.value.apiKey) return fail('UNEXPECTED', 'the server answered without an API key');
  const columns = apiKeyColumns(context.settings.timezone, context.clock.now());
  await printObject(context, revoked.value.apiKey, columns, toApiKeyJson);
  return done;
}

/** An admin may revoke the key of another user; only its id can be shown then. */
async function confirm(context: Context, apiKeyId: string): Promise<Outcome<undefined>> {
  if (context.isConfirmed) return succeed(undefined);
  const found = await findOwnKey(context, apiKeyId);
  if (!found.ok) return found;
  const key = found.value;
  return confirmChange(context, {
    details: [
      ['API key', key ? `${key.name} (${key.prefix}…)` : 'not one of your own'],
      ['id', apiKeyId],
      ['scopes', key?.scopes.join(' ')],
    ],
    question: 'Revoke this API key permanently?',
  });
}
