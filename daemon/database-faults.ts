import type { Fault, Outcome } from './fault.ts';
import { findConnectionFault } from './platform/db-connection/connection-fault.ts';
import { findStateFault } from './platform/db-connection/state-faults.ts';
import { classifyDbError, isCommitInDoubt, sqlStateOf } from './platform/db.ts';
import { findHeld } from './platform/hold.ts';
import type { Log } from './platform/log.ts';
import type { ServiceName } from './settings.ts';

/** What to do about a refusal of the server's, by SQLSTATE; the longest match counts. */
const hints: Readonly<Record<string, (url: string) => string>> = {
  '28': (url) => `correct the user and the password in ${url}; see pg_hba.conf of the server`,
  '3D000': (url) => `create the database, or correct ${url}`,
  '42501': (url) =>
    `give the role of ${url} what docs/operations.md ("A Postgres of your own") lists, and run \`walletd migrate\` as the owner`,
  '42P01': () => 'run `walletd migrate` as the owner of the database',
  '42P07': (url) =>
    `something of the same name is there already: ${url} must name a database that is the service's own`,
  '42704': (url) => `create the role, or correct ${url}`,
  '53100': () => 'free some space on the disk of the database server, and try again',
  '53200': () => 'give the database server more memory, and try again',
  '53300': () =>
    'raise max_connections of the server (and the limit of the role), or lower DATABASE_CONNECTIONS',
  '55P03': () =>
    'another session holds a lock for a long time (another `walletd migrate`?): find it in pg_stat_activity, and try again',
  '57P03': () => 'the server is starting or stopping: wait until it is ready, and try again',
  '25006': (url) => `the server takes no writes: name the primary in ${url}`,
};

/** The setting that names a service's database, to work with it or as its owner. */
export const urlSetting = (name: ServiceName, isOwner = false): string =>
  `${name.toUpperCase()}_${isOwner ? 'MIGRATION_' : ''}DATABASE_URL`;

/** Why a database cannot be used. `url`: the setting that names it. */
export function explainDbError(name: ServiceName, err: unknown, url = urlSetting(name)): Fault {
  const known = findConnectionFault(err);
  const state = findState(err);
  const matches = Object.keys(hints).filter((start) => state.startsWith(start));
  const hint = hints[matches.sort((a, b) => b.length - a.length)[0] ?? ''];
  const doubt = isCommitInDoubt(err) ? ' (whether the change was made is not known: look)' : '';
  return {
    fault: `the ${name} database cannot be used: ${known?.fault ?? explain(err)}${doubt}`,
    hint:
      known?.hint ??
      hint?.(url) ??
      findStateFault(err)?.hint ??
      `see that the server runs and that ${url} is right`,
  };
}

/** What work on a service's database comes to; a fault where the database fails meanwhile. */
export async function explainLoss<T>(
  name: ServiceName,
  { log, signal }: { readonly log: Log; readonly signal: AbortSignal },
  work: () => Promise<T>,
): Promise<Outcome<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (err) {
    const isOfDatabase = classifyDbError(err) === 'transient' || sqlStateOf(err) !== undefined;
    if (signal.aborted || findHeld(err) || !isOfDatabase) throw err;
    log.debug({ err }, 'the database failed');
    return { ok: false, fault: explainDbError(name, err) };
  }
}

/** The server's own code, of the error or of what it came from. */
function findState(err: unknown): string {
  for (let at = err; at instanceof Error; at = at.cause) {
    const state = sqlStateOf(at);
    if (state !== undefined) return state;
  }
  return '';
}

function explain(err: unknown): string {
  if (!(err instanceof Error)) return String(err);
  const message = err.message || ('code' in err ? String(err.code) : err.name);
  const cause = err.cause instanceof Error ? err.cause.message : '';
  return message.includes(cause) ? message : `${message}: ${cause}`;
}
