import { isLost, isUnconnected } from './connection/connection-fault.ts';

const inDoubt = new WeakSet<Error>();

/** An error that says that a transaction may or may not have been committed. */
export function toInDoubt(message: string, cause: unknown): Error {
  const err = new Error(message, { cause });
  inDoubt.add(err);
  return err;
}

/** True if the transaction may or may not have been committed. */
export function isCommitInDoubt(err: unknown): boolean {
  return err instanceof Error && inDoubt.has(err);
}

/**
 * For a transaction whose outcome does not matter (a mark that a read leaves): without a doubt.
 */
export function withoutDoubt<T>(work: Promise<T>): Promise<T> {
  return work.catch((err: unknown) => {
    throw isCommitInDoubt(err) ? (err as Error).cause : err;
  });
}

/**
 * What a failed transaction means for who sent it: `data`: this content can never be stored;
 * `transient`: the same again may succeed; `unexpected`: a defect. Classes of SQLSTATE:
 * https://www.postgresql.org/docs/18/errcodes-appendix.html
 */
export function classifyDbError(err: unknown): 'data' | 'transient' | 'unexpected' {
  if (isCommitInDoubt(err) || isUnconnected(err) || isLost(err)) return 'transient';
  const state = sqlStateOf(err);
  if (state === undefined) return 'unexpected';
  if (/^(22|23)/.test(state)) return 'data';
  return /^(40|53|55P03|57|58|08|25P03|25006)/.test(state) ? 'transient' : 'unexpected';
}

/** True where a lock was not had in time: another transaction has it. */
export const isLockTimeout = (err: unknown): boolean => sqlStateOf(err) === '55P03';

/** The five characters of SQLSTATE, where the server gave one. */
export function sqlStateOf(err: unknown): string | undefined {
  const code = err instanceof Error && 'code' in err ? err.code : undefined;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && 'severity' in (err as object)
    ? code
    : undefined;
}

/** The constraint that a statement ran into, by name. */
export function constraintOf(err: unknown): string | undefined {
  const constraint = err instanceof Error && 'constraint' in err ? err.constraint : undefined;
  return typeof constraint === 'string' ? constraint : undefined;
}

/**
 * 25006: the connection leads to a standby; the next one may lead to the primary. A statement that
 * was cancelled (57014) leaves its connection as good as it was.
 */
export function isConnectionState(state: string | undefined): boolean {
  return state !== undefined && state !== '57014' && /^(08|57|58|25006)/.test(state);
}
