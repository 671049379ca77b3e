import { AuthServiceService } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../context.ts';
import type { Credential } from '../credentials/session.ts';
import { done, fail, type CommandOutcome } from '../failures.ts';
import { printObject, type Column } from '../output/print.ts';
import { nameRole } from '../names.ts';
import { formatLocalTime } from '../output/time.ts';

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
};

/** `wallet whoami`: as the server sees it, so that an ended session shows. */
export async function runWhoami(context: Context): Promise<CommandOutcome> {
  const { caller, credentials } = context;
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
  });
}

/** Prints who is signed in where, by which credential, and until when. */
export async function printWhoami(context: Context, row: WhoamiRow): Promise<CommandOutcome> {
  const { profile, settings } = context;
  await printObject(context, row, whoamiColumns(context), ({ user, ...credential }) => ({
    user,
    server: settings.server.text,
    profile,
    credential: {
      source: credential.source,
      expiresAt: toIso(credential.expiresAtMs),
      sessionExpiresAt: toIso(credential.sessionExpiresAtMs),
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
    plain('credential', ({ source }) => source),
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

function toIso(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}
