import { readFile } from 'node:fs/promises';

import { fail, succeed, type Outcome } from '../fault.ts';
import { ownDatabaseHint } from './explain.ts';
import { runToEnd, type RunAs } from './run.ts';

/** A user of this host, with its main group. */
export type SystemUser = RunAs;

export const systemUserName = 'digital-wallet';

const timeoutMs = 15_000;

/**
 * The unprivileged system user that Postgres runs as where walletd is root, created if absent:
 * by shadow's useradd, or by busybox' adduser. Fails if the host has neither.
 */
export async function ensureSystemUser(): Promise<Outcome<RunAs>> {
  const present = await findUser(systemUserName);
  if (present !== null) return vet(present);
  const tried: string[] = [];
  for (const [program, ...args] of creationCommands) {
    const { code, output, startError } = await runToEnd(program, args, { timeoutMs });
    if (code !== 0) {
      const firstLine = output.trim().split('\n')[0] ?? '';
      tried.push(`${program}: ${(startError?.code ?? firstLine) || `exit code ${code ?? '?'}`}`);
    }
    const created = await findUser(systemUserName);
    if (created !== null) return vet(created);
  }
  return fail(
    `Postgres refuses to run as root, and the system user ${systemUserName} could not be ` +
      `created (${tried.join('; ')}).`,
    `Create a system user named ${systemUserName}, or run walletd as an ordinary user. ` +
      ownDatabaseHint,
  );
}

const creationCommands: readonly (readonly [string, ...string[]])[] = [
  [
    'useradd',
    '--system',
    '--user-group',
    '--no-create-home',
    '--home-dir=/nonexistent',
    '--shell=/usr/sbin/nologin',
    systemUserName,
  ],
  ['addgroup', '-S', systemUserName],
  [
    'adduser',
    '-S',
    '-D',
    '-H',
    '-h',
    '/nonexistent',
    '-s',
    '/sbin/nologin',
    '-G',
    systemUserName,
    systemUserName,
  ],
];

function vet(user: RunAs): Outcome<RunAs> {
  if (user.uid !== 0 && user.gid !== 0) return succeed(user);
  return fail(
    `The system user ${user.name} has root's user or group id, and Postgres refuses those.`,
    `Give ${user.name} ids of its own, or run walletd as an ordinary user. ${ownDatabaseHint}`,
  );
}

/** A user of this host by name; null if there is none. */
export async function findUser(name: string): Promise<RunAs | null> {
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '');
  for (const line of passwd.split('\n')) {
    const [user, , uid, gid] = line.split(':');
    if (user === name) return toRunAs(name, uid, gid);
  }
  if (!/^[A-Za-z_][\w.-]*\$?$/.test(name)) return null;
  // Not every host keeps its users in that file.
  const uid = await runToEnd('id', ['-u', name], { timeoutMs });
  const gid = await runToEnd('id', ['-g', name], { timeoutMs });
  if (uid.code !== 0 || gid.code !== 0) return null;
  return toRunAs(name, uid.output.trim(), gid.output.trim());
}

/** The ids of all groups that a user is in. */
export async function findGroups(name: string): Promise<number[]> {
  const { code, output } = await runToEnd('id', ['-G', name], { timeoutMs });
  return code === 0 ? output.trim().split(/\s+/).map(Number) : [];
}

function toRunAs(name: string, uid = '', gid = ''): RunAs | null {
  if (!/^\d+$/.test(uid) || !/^\d+$/.test(gid)) return null;
  return { name, uid: Number(uid), gid: Number(gid) };
}
