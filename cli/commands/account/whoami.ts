import type { Command } from 'commander';

import { AuthServiceService, type ApiKey } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../../context.ts';
import type { Credential } from '../../credentials/session.ts';
import { isApiKey } from '../../credentials/tokens.ts';
import { done, fail, type CommandOutcome } from '../../outcome.ts';
import { printObject, type Column } from '../../output/print.ts';
import { formatLocalTime } from '../../output/time.ts';
import type { Start } from '../shared/start.ts';
import { nameRole } from '../../../lib/json/names.ts';

export type WhoamiRow = {
  readonly user: {
    readonly id: string;
    readonly email: string | undefined;
    readonly role: string;
  };
  readonly source: Credential['source'];
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number | undefined;
  readonly sessionExpiresAtMs: number | undefined;
  /** Present where the credential is an API key. */
  readonly apiKey: ApiKey | undefined;
};

/** Said where somebody looks at how they are signed in, and not with every command. */
export const plainFileWarning =
  'the token is stored in a plain file, not in the keychain (--insecure-storage)';

/** Adds `wallet whoami`. */
export function addWhoami(program: Command, start: Start): void {
  program
    .command('whoami')
    .description('show the account, server, credential and expiry in use')
    .addHelpText('after', '\nExamples:\n  wallet whoami\n  wallet whoami --json')
    .action(async (_options: unknown, command: Command) => {
      await start(command, runWhoami);
    });
}

/** `wallet whoami`: as the server sees it, so that an ended session shows. */
async function runWhoami(context: Context): Promise<CommandOutcome> {
  const { caller, credentials } = context;
  const held = await credentials.get();
  if (!held.ok) return held;
  if (held.value.source === 'file') await context.reporter.warn(plainFileWarning);
  if (isApiKey(held.value.token)) return showKey(context, held.value);
  const got = await caller.call(AuthServiceService.getUser, { userId: '' }, 'read');
  if (!got.ok) return got;
  const { user } = got.value;
  if (!user) return fail('UNEXPECTED', 'the server answered without a user');
  const credential = await credentials.get();
  if (!credential.ok) return credential;
  const { source, token, expiresAtMs, sessionExpiresAtMs } = credential.value;
  let endsAtMs = expiresAtMs;
  if (endsAtMs === undefined) {
    const request = { accessToken: token };
    const validated = await caller.call(AuthServiceService.validateToken, request, 'read');
    if (validated.ok) endsAtMs = validated.value.expiresAt?.getTime();
  }
  return printWhoami(context, {
    user: { id: user.id, email: user.email, role: nameRole(user.role) },
    source,
    expiresAtMs: endsAtMs,
    sessionExpiresAtMs,
    apiKey: undefined,
  });
}

/** An API key may be kept from looking its owner up; what it is itself it always learns. */
async function showKey(context: Context, { token, source }: Credential): Promise<CommandOutcome> {
  const { caller } = context;
  const request = { accessToken: token };
  const validated = await caller.call(AuthServiceService.validateToken, request, 'read');
  if (!validated.ok) return validated;
  const got = await caller.call(AuthServiceService.getUser, { userId: '' }, 'read');
  if (!got.ok && got.failure.reason !== 'PERMISSION_DENIED') return got;
  const { userId, role, expiresAt, apiKey } = validated.value;
  return printWhoami(context, {
    user: { id: userId, email: got.ok ? got.value.user?.email : undefined, role: nameRole(role) },
    source,
    expiresAtMs: (expiresAt ?? apiKey?.expiresAt)?.getTime(),
    sessionExpiresAtMs: undefined,
    apiKey,
  });
}

/** Prints who is signed in where, by which credential, and until when. */
export async function printWhoami(context: Context, row: WhoamiRow): Promise<CommandOutcome> {
  const { profile, settings } = context;
  await printObject(context, row, whoamiColumns(context), ({ user, apiKey, ...credential }) => ({
    user,
    server: settings.server.text,
    profile,
    credential: {
      source: credential.source,
      expiresAt: toIso(credential.expiresAtMs),
      sessionExpiresAt: toIso(credential.sessionExpiresAtMs),
      apiKey: apiKey && toBoundsJson(apiKey),
    },
  }));
  return done;
}

function whoamiColumns({ profile, settings }: Context): readonly Column<WhoamiRow>[] {
  const local = (ms: number | undefined): string | undefined =>
    ms === undefined
      ? undefined
      : `${formatLocalTime(new Date(ms), settings.timezone)} (${settings.timezone})`;
  const plain = (
    title: string,
    cell: (row: WhoamiRow) => string | undefined,
  ): Column<WhoamiRow> => ({
    header: title,
    value: cell,
    table: { title, cell },
  });
  return [
    plain('email', ({ user }) => user.email),
    plain('id', ({ user }) => user.id),
    plain('role', ({ user }) => user.role),
    plain('server', () => settings.server.text),
    plain('profile', () => profile),
    {
      header: 'credential',
      value: ({ source }) => source,
      table: {
        title: 'credential',
        cell: ({ source, apiKey }) =>
          apiKey ? `API key ${apiKey.name} (${apiKey.prefix}…), ${source}` : source,
      },
    },
    { header: 'api_key', value: ({ apiKey }) => apiKey?.name, isText: true },
    plain('scopes', ({ apiKey }) => apiKey?.scopes.join(', ')),
    plain('wallet', ({ apiKey }) => apiKey?.walletId),
    plain('operations', ({ apiKey }) =>
      apiKey && apiKey.operations.length > 0 ? apiKey.operations.join(', ') : undefined,
    ),
    {
      header: 'expires_at',
      value: ({ expiresAtMs }) => toIso(expiresAtMs),
      table: {
        title: 'token until',
        cell: ({ expiresAtMs, sessionExpiresAtMs }) => {
          const until = local(expiresAtMs);
          const note = sessionExpiresAtMs === undefined ? '' : ', refreshed by itself';
          return until === undefined ? undefined : until + note;
        },
      },
    },
    {
      header: 'session_expires_at',
      value: ({ sessionExpiresAtMs }) => toIso(sessionExpiresAtMs),
      table: { title: 'session until', cell: (row) => local(row.sessionExpiresAtMs) },
    },
  ];
}

/** What an API key is, and what bounds it. */
function toBoundsJson({ id, name, prefix, scopes, walletId, operations }: ApiKey): object {
  return { id, name, prefix, scopes, walletId, ...(operations.length > 0 ? { operations } : {}) };
}

function toIso(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}
