import type { SentRow } from './rows.ts';

export type Acking = ReturnType<typeof createAcking>;

/** The deletion under way: which rows it concerns, and how it ended. */
export function createAcking() {
  let inHand: readonly bigint[] = [];
  let outcome: Promise<{ readonly err?: unknown }> = Promise.resolve({});
  return {
    ids: () => inHand,
    begin: (sent: readonly SentRow[], work: Promise<void>): void => {
      inHand = sent.map(({ row }) => row.id);
      outcome = work.then(
        () => ({}),
        (err: unknown) => ({ err }),
      );
    },
    /** Waits for it; rejects once if it failed. */
    end: async (): Promise<void> => {
      const ended = await outcome;
      inHand = [];
      outcome = Promise.resolve({});
      if ('err' in ended) throw ended.err;
    },
  };
}
