import { refuse, succeed, type Result } from '../../core/reasons.ts';
import { readClock, type Db } from '../platform/db.ts';
import { decideBatch, type Command } from './domain.ts';
import { newOverlay, overlayStates, remember, type Overlay } from './overlay.ts';
import type { Posted } from './posting.ts';
import { readStates } from './states.ts';
import { toPosted } from './write-decisions.ts';

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
export function createDryRuns(limits = { maxRemembered, maxAtOnce }): DryRuns {
  let count = 0;
  return {
    begin: (db) => {
      if (count >= limits.maxAtOnce) {
        const limit = String(limits.maxAtOnce);
        return refuse(
          'OVERLOADED',
          `the server has ${limit} dry runs in hand, which is its limit: try again shortly`,
          { limit },
        );
      }
      count += 1;
      return succeed(createDryRun(db, limits.maxRemembered, () => (count -= 1)));
    },
  };
}

function createDryRun(db: Db, limit: number, release: () => void): DryRun {
  const overlay = newOverlay();
  let left = limit;
  return {
    decide: async (commands) => {
      const taken = commands.slice(0, left);
      // Past the limit nothing is decided any more: it would lack what was not remembered.
      left -= taken.length;
      const posted = taken.length > 0 ? await decideMany(db, taken, overlay) : [];
      return commands.map((_command, i) => posted[i] ?? tooLong(limit));
    },
    findCurrency: (id) => overlay.entries.get(id)?.[0]?.wallet.currency,
    release,
  };
}

const tooLong = (limit: number): Result<never> =>
  refuse(
    'INVALID_ARGUMENT',
    `a dry run remembers at most ${limit} items: check the others in a run of their own`,
    { field: 'items', limit: String(limit) },
  );

/** What would come of a command: decided on what is there now, without a lock and without a trace. */
export async function decideOnly(db: Db, command: Command): Promise<Result<Posted>> {
  const [posted] = await decideMany(db, [command], newOverlay());
  if (!posted) throw new Error('a command was not decided');
  return posted;
}

/** The same for many, one after the other, on top of what `overlay` remembers; adds to it. */
async function decideMany(
  db: Db,
  commands: readonly Command[],
  overlay: Overlay,
): Promise<readonly Result<Posted>[]> {
  const { states, nowMs } = await db.snapshot(async (tx) => ({
    states: await readStates(tx, commands, false),
    nowMs: await readClock(tx),
  }));
  const decided = decideBatch(overlayStates(overlay, states, commands), commands, nowMs);
  remember(overlay, decided);
  return decided.decisions.map((decision, i) => toPosted(decision, commands[i]));
}
