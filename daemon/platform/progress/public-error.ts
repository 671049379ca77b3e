const ownWords = new WeakSet<Error>();

/** An error whose words are ours: they may be shown to an operator, since they quote nobody. */
export function createPublicError(message: string): Error {
  const err = new Error(message);
  ownWords.add(err);
  return err;
}

export const hasPublicMessage = (err: unknown): err is Error =>
  err instanceof Error && ownWords.has(err);
