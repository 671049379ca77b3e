const ownWords = new WeakSet<Error>();

/** An error whose message quotes no data, so that it may be shown to an operator. */
export function createPublicError(message: string): Error {
  const err = new Error(message);
  ownWords.add(err);
  return err;
}

export const hasPublicMessage = (err: unknown): err is Error =>
  err instanceof Error && ownWords.has(err);
