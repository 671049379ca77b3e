import { createFairSemaphore } from '../../platform/concurrency/fair-semaphore.ts';
import { createLoop } from '../../platform/concurrency/loop.ts';
import type { Db, Tx } from '../../platform/db/db.ts';
import type { Log } from '../../platform/log.ts';
import { createTransientRejection } from '../../platform/transient-rejection.ts';
import type { Line } from '../domain.ts';
import { findMoved, type AskedPlace } from './store.ts';

/** One stream that watches wallets. */
type Watcher = {
  readonly userIds: readonly string[];
  /** The lines that it waits for. */
  listPlaces(): readonly AskedPlace[];
  /** There may be new lines of a wallet, which it may not know yet. */
  wake(walletId: string): void;
  /** The service stops. */
  end(): void;
};

/** What all watches of a process share. */
export type WatchHub = {
  /** Wakes the watcher from now on; gives what ends that. */
  join(watcher: Watcher): () => void;
  /** These lines are stored. */
  note(lines: readonly Pick<Line, 'walletId' | 'userId'>[]): void;
  /** Reads for one watcher, in turn with others. Rejects with OVERLOADED, CANCELLED. */
  read<T>(userId: string, isCancelled: () => boolean, work: (tx: Tx) => Promise<T>): Promise<T>;
  start(): void;
  stop(): Promise<void>;
};

/** Lines that other processes store are found within this. */
const lookEveryMs = 1_000;

/** Readers of statements share the connections: only so many are for watches. */
const maxReadsAtOnce = 4;
const maxWaiting = 1_000;

/**
 * Wakes watchers: at once for lines that this process stores, and by one look a second, of all
 * watchers together, for those of others.
 */
export function createWatchHub(db: Db, log: Log): WatchHub {
  const byUser = new Map<string, Set<Watcher>>();
  const watchers = new Set<Watcher>();
  const reads = createFairSemaphore({
    ...{ maxAtOnce: maxReadsAtOnce, maxWaiting, maxWaitingOf: [maxWaiting] },
  });
  const wake = ({ walletId, userId }: Pick<Line, 'walletId' | 'userId'>): void =>
    byUser.get(userId)?.forEach((watcher) => watcher.wake(walletId));
  const look = async (): Promise<boolean> => {
    if (watchers.size === 0) return false;
    const places = new Map<string, AskedPlace>();
    for (const watcher of watchers) {
      for (const place of watcher.listPlaces()) {
        places.set(`${place.walletId} ${place.firstSeq}`, place);
      }
    }
    const moved = await db.read((tx) => findMoved(tx, [...places.values()], [...byUser.keys()]));
    moved.forEach(wake);
    return false;
  };
  const loop = createLoop({ name: 'watches', work: look, pollMs: lookEveryMs, log });
  return {
    join: (watcher) => {
      watchers.add(watcher);
      for (const userId of watcher.userIds) {
        byUser.set(userId, (byUser.get(userId) ?? new Set()).add(watcher));
      }
      return () => {
        watchers.delete(watcher);
        for (const userId of watcher.userIds) {
          const ofUser = byUser.get(userId);
          ofUser?.delete(watcher);
          if (ofUser?.size === 0) byUser.delete(userId);
        }
      };
    },
    note: (lines) => {
      if (watchers.size === 0) return;
      new Map(lines.map((line) => [line.walletId, line])).forEach(wake);
    },
    read: async (userId, isCancelled, work) => {
      const turn = { path: [userId], deadlineMs: Infinity, isCancelled };
      const done = await reads.run(turn, () => db.read(work));
      if (!done.ok) throw createTransientRejection(done.rejection);
      return done.value;
    },
    start: loop.start,
    stop: async () => {
      for (const watcher of watchers) watcher.end();
      await loop.stop();
    },
  };
}
