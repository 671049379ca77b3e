import type { ConnectionFault } from './connection-fault.ts';

const migrateHint = 'run `walletd migrate` with the owner role, or start with WALLETD_MIGRATE=on';

/**
 * What the server's answer means for who runs the daemon, by SQLSTATE. It quotes nothing of theirs.
 */
const faults: Readonly<Record<string, ConnectionFault>> = {
  '28P01': {
    fault: 'the server refuses the password of this role',
    hint: 'correct the password in the URL (characters with a meaning in URLs are escaped: %40 for @)',
  },
  '28000': {
    fault: 'the server does not let this role in',
    hint: 'see that the role exists and may log in, and that pg_hba.conf lets it in from this host',
  },
  '3D000': {
    fault: 'there is no such database on the server',
    hint: 'create it, or correct the name at the end of the URL',
  },
  '42P01': {
    fault: 'a table is missing',
    hint: migrateHint,
  },
  '42703': {
    fault: 'a column is missing: the schema is of another release',
    hint: 'run `walletd migrate` of this release with the owner role, or start the release that it is of',
  },
  '42704': { fault: 'a type or another object is missing', hint: migrateHint },
  '42883': {
    fault: 'a function is missing: the server is of an old release',
    hint: 'use Postgres 18',
  },
  '3F000': {
    fault: 'the schema public is missing, or this role may not use it',
    hint: 'create it, and run `walletd migrate` with the owner role, which gives the rights',
  },
  '42501': {
    fault: 'this role lacks a right',
    hint: 'run `walletd migrate` with the owner role, which gives the runtime role its rights',
  },
  '25006': {
    fault: 'the server takes no writes',
    hint: 'name the primary, or all servers of the cluster: postgres://…@host1,host2/database',
  },
  '53300': {
    fault: 'the server has no connection left for this role',
    hint: 'raise max_connections, or end what else holds connections',
  },
  '53100': { fault: 'the disk of the server is full', hint: 'free some space on it' },
  '57P03': { fault: 'the server is starting up or shutting down', hint: 'try again in a moment' },
  '57014': {
    fault: 'the server does not finish a statement in time',
    hint: 'see in pg_stat_activity what it waits for',
  },
  '55P03': {
    fault: 'a lock is held by another session',
    hint: 'see in pg_locks who holds it',
  },
};

/** What is wrong, and what to do, where the server answered with a state that is known. */
export function findStateFault(err: unknown): ConnectionFault | undefined {
  if (!(err instanceof Error)) return undefined;
  const isAnswer = 'severity' in err && 'code' in err;
  const own = isAnswer ? faults[String(err.code)] : undefined;
  return own ?? (err.cause === undefined ? undefined : findStateFault(err.cause));
}
