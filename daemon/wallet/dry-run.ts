import { refuse, succeed, type Result } from '../../core/reasons.ts';
import type { Db } from '../platform/db.ts';
import { decideMany, type Posted } from './commit.ts';
import type { Command } from './domain.ts';
import { newOverlay } from './overlay.ts';

/** A stream's dry run: each item sees what the earlier ones would have done. */
export type DryRun = {
  decide(commands: readonly Command[]): Promise<readonly Result<Posted>[]>;
  /** The currency of a transaction that this run would have made, by its id. */
  findCurrency(transactionId: string): string | undefined;
  release(): void;
};

export type DryRuns = {
  /** OVERLOADED while as many dry runs as there is memory for are on. */
  begin(db: Db): Result<DryRun>;
};

/** Some 600 bytes each, and their texts. */
const maxRemembered = 100_000;
const maxAtOnce = 4;

/** Dry runs keep everything that they have decided in memory: bounded here, in length and number. */
export function createDryRuns(): DryRuns {
  let count = 0;
  return {
    begin: (db) => {
      if (count >= maxAtOnce) {
        const limit = String(maxAtOnce);
        return refuse(
          'OVERLOADED',
          `the server has ${limit} dry runs in hand, which is its limit: try again shortly`,
          { limit },
        );
      }
      count += 1;
      return succeed(createDryRun(db, () => (count -= 1)));
    },
  };
}

function createDryRun(db: Db, release: () => void): DryRun {
  const overlay = newOverlay();
  let left = maxRemembered;
  return {
    decide: async (commands) => {
      const taken = commands.slice(0, left);
      // Past the limit nothing is decided any more: it would lack what was not remembered.
      left -= taken.length;
      const posted = taken.length > 0 ? await decideMany(db, taken, overlay) : [];
      return commands.map((_command, i) => posted[i] ?? tooLong);
    },
    findCurrency: (id) => overlay.entries.get(id)?.[0]?.wallet.currency,
    release,
  };
}

const tooLong = refuse(
  'INVALID_ARGUMENT',
  `a dry run remembers at most ${maxRemembered} items: check the others in a run of their own`,
  { field: 'items', limit: String(maxRemembered) },
);
