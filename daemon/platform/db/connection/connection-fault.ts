/** Why no connection is made, and what to do, where more is known than what the system says. */
export type ConnectionFault = { readonly fault: string; readonly hint: string };

const faults = new WeakMap<Error, ConnectionFault>();
const unconnected = new WeakSet<Error>();
const lost = new WeakSet<Error>();

/** An error that carries what to do about it. */
export function toFaultError(fault: ConnectionFault, cause?: unknown): Error {
  const err = new Error(`${fault.fault}; ${fault.hint}`, { cause });
  faults.set(err, fault);
  return err;
}

export function findConnectionFault(err: unknown): ConnectionFault | undefined {
  return err instanceof Error ? faults.get(err) : undefined;
}

/** Marks an error: no connection was made, so nothing was done. */
export function markUnconnected(err: Error): Error {
  unconnected.add(err);
  return err;
}

export const isUnconnected = (err: unknown): boolean =>
  err instanceof Error && unconnected.has(err);

/**
 * Marks what the driver failed with where the server did not answer: a connection that was lost, a
 * time-out. The driver gives no code for these, so they are known by where they come from; misuse
 * of it is a TypeError or the like, and an answer of the server has an SQLSTATE.
 */
export function markLost<E>(err: E): E {
  const isAnswer = err instanceof Error && 'severity' in err;
  if (err instanceof Error && err.constructor === Error && !isAnswer) lost.add(err);
  return err;
}

/** The same work; what the driver fails with is marked. */
export const driven = <T>(work: Promise<T>): Promise<T> =>
  work.catch((err: unknown) => {
    throw markLost(err);
  });

/** True where the server did not answer, by the mark or by the system's code. */
export const isLost = (err: unknown): boolean =>
  err instanceof Error && (lost.has(err) || ('code' in err && socketCodes.has(err.code)));

/** Of errors that need not come by way of the driver. */
const socketCodes: ReadonlySet<unknown> = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'ENOTCONN'],
  ...['EHOSTUNREACH', 'EHOSTDOWN', 'ENETUNREACH', 'ENETDOWN', 'EADDRNOTAVAIL'],
  ...['ENOTFOUND', 'EAI_AGAIN', 'EMFILE', 'ENFILE', 'ENOBUFS'],
]);
