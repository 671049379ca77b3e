import { refuse, succeed, type Rejection, type Result } from '../../../core/reasons.ts';
import { readClock, type Db } from '../../platform/db/db.ts';
import { createFairPool } from '../../platform/concurrency/fair-pool.ts';
import type { Command } from '../domain.ts';
import { decideBatch } from '../domain-batch.ts';
import { takeWholeGroups } from '../domain-groups.ts';
import {
  addToOverlay,
  afterRun,
  newOverlay,
  overlayStates,
  type Overlay,
} from '../domain-overlay.ts';
import type { AuditedDecision } from '../requests/audited-command.ts';
import type { Parent } from '../requests/items.ts';
import { noDefaultLimits, type DefaultLimits } from '../store/rare-states.ts';
import { distinctWallets, readStates } from '../store/states.ts';
import { readWallets } from '../store/store.ts';
import { toAnswer } from '../commit/persist-decisions.ts';

/** A stream's dry run: each item sees what the earlier ones would have done. */
export type DryRun = {
  decide(commands: readonly Command[]): Promise<readonly Result<AuditedDecision>[]>;
  /** A transaction that this run would have made, by its id. */
  findParent(userId: string, transactionId: string): Parent | undefined;
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
  begin(db: Db, owner: DryRunOwner, defaultLimits?: DefaultLimits): Result<DryRun>;
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
    begin: (db, owner, spendingLimits = noDefaultLimits) => {
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
      const decide = (commands: readonly Command[], overlay: Overlay) =>
        decideMany(db, commands, overlay, spendingLimits);
      return succeed(createDryRun(decide, limits.maxRemembered, slot.release));
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

type Decide = (
  commands: readonly Command[],
  overlay: Overlay,
) => Promise<readonly Result<AuditedDecision>[]>;

function createDryRun(decide: Decide, limit: number, release: () => void): DryRun {
  const overlay = newOverlay();
  let left = limit;
  return {
    decide: async (commands) => {
      const taken = takeWholeGroups(commands, left);
      // Past the limit nothing is decided any more: it would lack what was not remembered.
      left -= taken.length;
      const posted = taken.length > 0 ? await decide(taken, overlay) : [];
      return commands.map((_command, i) => posted[i] ?? tooLong(limit));
    },
    findParent: (userId, id) => {
      const entry = overlay.entries.get(id)?.find(({ wallet }) => wallet.userId === userId);
      if (!entry) return undefined;
      const { wallet, contraAccount, amountMinor } = entry;
      return { currency: wallet.currency, contraAccount, isDebit: amountMinor < 0n };
    },
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
export async function decideOnly(
  db: Db,
  command: Command,
  defaultLimits?: DefaultLimits,
): Promise<Result<AuditedDecision>> {
  const [posted] = await decideMany(db, [command], newOverlay(), defaultLimits);
  if (!posted) throw new Error('a command was not decided');
  return posted;
}

/** The same for many, one after the other, on top of what `overlay` remembers; adds to it. */
export async function decideMany(
  db: Db,
  commands: readonly Command[],
  overlay: Overlay = newOverlay(),
  defaultLimits: DefaultLimits = noDefaultLimits,
): Promise<readonly Result<AuditedDecision>[]> {
  const { states, nowMs } = await db.snapshot(async (tx) => {
    const clockMs = await readClock(tx);
    const stored = await readWallets(tx, distinctWallets(commands), 'none');
    const wallets = stored.map((wallet) => afterRun(overlay, wallet));
    return {
      states: await readStates(tx, commands, wallets, clockMs, defaultLimits),
      nowMs: clockMs,
    };
  });
  const decided = decideBatch(overlayStates(overlay, states, commands, nowMs), commands, nowMs);
  addToOverlay(overlay, decided);
  return decided.decisions.map((decision) => toAnswer(decision));
}
