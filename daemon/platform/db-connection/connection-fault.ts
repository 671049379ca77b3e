/** Why no connection is made, and what to do, where more is known than what the system says. */
export type ConnectionFault = { readonly fault: string; readonly hint: string };

const faults = new WeakMap<Error, ConnectionFault>();
const unconnected = new WeakSet<Error>();

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
