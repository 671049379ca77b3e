import { refuse, succeed, type Rejection, type Result } from '../../../core/reasons.ts';
import { readClock, type Db } from '../../platform/db/db.ts';
import { createFairPool } from '../../platform/concurrency/fair-pool.ts';
import type { Command } from '../domain.ts';
import { decideBatch } from '../domain-batch.ts';
import { newOverlay, overlayStates, addToOverlay, type Overlay } from './overlay.ts';
import type { AuditedDecision } from '../requests/audited-command.ts';
import { distinctWallets, readStates } from '../store/states.ts';
import { readWallets } from '../store/store.ts';
import { toAnswer } from '../commit/persist-decisions.ts';

/** A stream's dry run: each item sees what the earlier ones would have done. */
export type DryRun = {
  decide(commands: readonly Command[]): Promise<readonly Result<AuditedDecision>[]>;
  /** The currency of a transaction that this run would have made, by its id. */
  findCurrency(transactionId: string): string | undefined;
  release(): void;
};

/** Whose dry run it is, and how it is ended while it is idle, to make room for another user's. */
export type DryRunOwner = {
  readonly userId: string;
  /** Undefined while something is in flight. */
  findIdleSinceMs(): number | undefined;
  end(rejection: Rejection): void;
};

export type DryRuns = {
  /**
   * OVERLOADED while this user has one, and while as many as there is memory for are busy. An idle
   * one of another user is ended for a user who has none.
   */
  begin(db: Db, owner: DryRunOwner): Result<DryRun>;
};

/** Some 600 bytes each, and their texts. */
const maxRemembered = 100_000;
const maxAtOnce = 4;
const maxOfOne = 1;
/** A dry run that waits for input for less is not ended. */
const minIdleMs = 1_000;

const defaultLimits = { maxRemembered, maxAtOnce, maxOfOne, minIdleMs };

/**
 * Dry runs keep everything that they have decided in memory: bounded here, in length and number.
 */
export function createDryRuns(
  limits = defaultLimits,
  nowMs: () => number = () => performance.now(),
): DryRuns {
  const { maxAtOnce, maxOfOne } = limits;
  const pool = createFairPool({ all: maxAtOnce, ofOne: () => maxOfOne, replacesOwn: false }, nowMs);
  return {
    begin: (db, owner) => {
      const slot = pool.acquire(owner.userId, {
        findIdleSinceMs: () => {
          const sinceMs = owner.findIdleSinceMs();
          const isIdle = sinceMs !== undefined && nowMs() - sinceMs >= limits.minIdleMs;
          return isIdle ? sinceMs : undefined;
        },
        end: () => owner.end(displaced),
      });
      if (slot === 'own') return tooManyDryRuns(maxOfOne, 'you have a dry run open already');
      if (slot === 'full')
        return tooManyDryRuns(maxAtOnce, 'the server has no room for more dry runs');
      return succeed(createDryRun(db, limits.maxRemembered, slot.release));
    },
  };
}

const tooManyDryRuns = (limit: number, why: string) =>
  refuse('OVERLOADED', `${why}: the limit is ${limit}; end one, or try again shortly`, {
    limit: String(limit),
  });

const { rejection: displaced } = refuse(
  'OVERLOADED',
  'this dry run was idle, and another user needed its place: run it again',
);

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

/**
 * What would come of a command: decided on what is there now, without a lock and without a trace.
 */
export async function decideOnly(db: Db, command: Command): Promise<Result<AuditedDecision>> {
  const [posted] = await decideMany(db, [command]);
  if (!posted) throw new Error('a command was not decided');
  return posted;
}

/** The same for many, one after the other, on top of what `overlay` remembers; adds to it. */
export async function decideMany(
  db: Db,
  commands: readonly Command[],
  overlay: Overlay = newOverlay(),
): Promise<readonly Result<AuditedDecision>[]> {
  const { states, nowMs } = await db.snapshot(async (tx) => ({
    states: await readStates(
      tx,
      commands,
      await readWallets(tx, distinctWallets(commands), 'none'),
    ),
    nowMs: await readClock(tx),
  }));
  const decided = decideBatch(overlayStates(overlay, states, commands), commands, nowMs);
  addToOverlay(overlay, decided);
  return decided.decisions.map((decision) => toAnswer(decision));
}
