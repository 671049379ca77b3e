/** The results of a run until it ends. */
export const partialOf = (path: string): string => `${path}.partial`;

/** The results in the order of their rows, at the end of a run that had late ones. */
export const sortedOf = (path: string): string => `${path}.sorted`;

/** What a run that is cut off needs to go on, beside its results. */
export const journalOf = (path: string): string => `${path}.journal`;

/** The results or their journal cannot be written. */
export class ResultsError extends Error {}

/** Another process has the lock of the run: this one was stopped for too long. */
export class LockLostError extends Error {}
