import type { Command } from 'commander';

import { quoteForShell } from '../../../core/shell-word.ts';
import { stripControls } from '../../../core/text.ts';
import { canonicalId, isUuid } from '../../../core/ids.ts';
import { operations } from '../../../core/operations.ts';
import { apiKeyScopes } from '../../../core/scopes.ts';
import {
  AuthServiceService,
  type ApiKey,
  type CreateApiKeyRequest,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../../context.ts';
import type { ExpiryOptions } from '../shared/lifetime.ts';
import { readKeyExpiry } from './expiry.ts';
import {
  done,
  fail,
  failUnknown,
  failUsage,
  succeed,
  type CommandOutcome,
  type Outcome,
} from '../../outcome.ts';
import { apiKeyColumns } from './columns.ts';
import { printObject } from '../../output/print.ts';
import { collect, zoneOption } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';
import { toApiKeyJson } from '../../../lib/json/accounts.ts';

type ApiKeysCreateOptions = ExpiryOptions & {
  readonly name?: string;
  readonly scope?: readonly string[];
  readonly wallet?: string;
  readonly operation?: readonly string[];
};

type Created = { readonly key: ApiKey; readonly secret: string };

/** Adds `wallet api-keys create`. */
export function addApiKeysCreate(apiKeys: Command, start: Start): void {
  apiKeys
    .command('create')
    .description('create an API key; its secret is shown once')
    .option('--name <NAME>', 'what the key is for')
    .option('--scope <SCOPE>', `${apiKeyScopes.join(', ')}; can be given more than once`, collect)
    .option('--wallet <WALLET_ID>', 'only this wallet (default: all wallets that you may use)')
    .option(
      '--operation <OPERATION>',
      `only this operation, of ${operations.join(', ')}; can be given more than once`,
      collect,
    )
    .option('--expires-in <TIME>', 'lifetime, like 12h, 90d or 4w (default 90d)')
    .option('--expires-at <TIME>', 'end of the lifetime instead: a date (included) or a time')
    .option(...zoneOption)
    .addHelpText(
      'after',
      `
Examples:
  wallet api-keys create --name shop --scope transactions:write --operation purchase > key
  wallet api-keys create --name report --scope wallets:read --scope statements:read --json
  WALLET_TOKEN=$(cat key) wallet whoami

In table format, stdout has only the secret; the rest goes to stderr. In json, ndjson and csv the
secret is a field. A key has its owner's permissions within its scopes, and cannot change
accounts.`,
    )
    .action(async (options: ApiKeysCreateOptions, command: Command) => {
      await start(command, (context) => runApiKeysCreate(context, options));
    });
}

/** `wallet api-keys create`: the secret is shown this once, alone on stdout in table mode. */
async function runApiKeysCreate(
  context: Context,
  options: ApiKeysCreateOptions,
): Promise<CommandOutcome> {
  const request = readRequest(context, options);
  if (!request.ok) return request;
  const method = AuthServiceService.createApiKey;
  const created = await context.caller.call(method, request.value, 'write');
  if (!created.ok) {
    if (created.failure.exitCode !== 9) return created;
    const hint = 'check whether it was created, and revoke it if so: wallet api-keys list';
    return { ok: false, failure: { ...created.failure, hint } };
  }
  const { apiKey, secret } = created.value;
  if (!apiKey || secret === '') {
    return fail('UNEXPECTED', 'the server answered without an API key');
  }
  await print(context, { key: apiKey, secret });
  if (!context.io.stdout.fault) return done;
  // The secret was not printed, for whatever reason.
  return fail('OUTPUT_FAILED', `the secret of the API key ${apiKey.id} could not be written`, {
    hint: `wallet api-keys revoke ${quoteForShell(apiKey.id)}, and create another`,
  });
}

async function print(context: Context, created: Created): Promise<void> {
  const { io, manner, settings, clock } = context;
  const columns = apiKeyColumns(settings.timezone, clock.now());
  if (manner.output === 'table') {
    if (!manner.isQuiet) {
      const writer = { io: { ...io, stdout: io.stderr }, manner };
      await printObject(writer, created.key, columns, toApiKeyJson);
      await context.reporter.note('the secret is shown only once; copy it now');
    }
    await io.stdout.write(`${stripControls(created.secret)}\n`);
    return;
  }
  const withSecret = [
    ...columns.map((column) => ({
      header: column.header,
      value: ({ key }: Created) => column.value(key),
      ...(column.isText ? { isText: column.isText } : {}),
    })),
    { header: 'secret', value: ({ secret }: Created) => secret },
  ];
  await printObject(context, created, withSecret, ({ key, secret }) => ({
    ...toApiKeyJson(key),
    secret,
  }));
}

function readRequest(
  context: Context,
  options: ApiKeysCreateOptions,
): Outcome<CreateApiKeyRequest> {
  const { name = '', scope = [], operation = [] } = options;
  if (name.trim() === '') return failUsage('name', 'is missing', 'add --name NAME');
  if (scope.length === 0) {
    return failUsage('scope', 'is missing', `add --scope, one of ${apiKeyScopes.join(', ')}`);
  }
  const unknownScope = scope.find((text) => !apiKeyScopes.some((known) => known === text));
  if (unknownScope !== undefined) {
    return failUnknown('scope', unknownScope, apiKeyScopes);
  }
  const unknownOperation = operation.find((text) => !operations.some((known) => known === text));
  if (unknownOperation !== undefined) {
    return failUnknown('operation', unknownOperation, operations);
  }
  const walletId = options.wallet === undefined ? undefined : canonicalId(options.wallet);
  if (walletId !== undefined && !isUuid(walletId)) {
    const what = JSON.stringify(options.wallet);
    return failUsage('wallet', `${what} is not a wallet's id`, 'find it with: wallet wallets list');
  }
  const expiresAt = readKeyExpiry(options, context);
  if (!expiresAt.ok) return expiresAt;
  return succeed({
    name,
    scopes: [...new Set(scope)],
    walletId,
    operations: [...new Set(operation)],
    expiresAt: expiresAt.value,
  });
}
