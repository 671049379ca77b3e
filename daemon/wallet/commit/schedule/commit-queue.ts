import { countCommands, type Item } from '../commit-item.ts';
import type { LockedWallets } from '../locked-wallets.ts';
import { createBatch, createWalletOwners, type Batch } from './wallet-owners.ts';

/** 1,024: past it, the arrays of one statement cost more than a further commit saves. */
export const maxBatch = 1_024;

export type CommitQueue<Command, Answer> = {
  /** Items that no commit has. */
  size(): number;
  /** At least so many items are not known to wait for a batch. */
  countReady(): number;
  push(item: Item<Command, Answer>): void;
  /**
   * The next items, in the order of submission, whose wallets no other batch has; 1,024 commands at
   * most. Undefined, and nothing taken, if they are fewer than `atLeast`.
   */
  take(atLeast: number): Batch<Command, Answer> | undefined;
  /** A batch has ended: its wallets are free. */
  release(batch: Batch<Command, Answer>): void;
  /** Leaves out, of what waits, that for which this is true. */
  drop(isOver: (item: Item<Command, Answer>) => boolean): void;
};

/**
 * The queue of a group commit. An item waits while another batch has one of its wallets, or while
 * an earlier item with one of them waits; all others pass it. So each wallet keeps the order of
 * submission, and batches under way have no wallet in common. An item whose wallet is locked by
 * another transaction goes over to `lockedWallets`.
 */
export function createCommitQueue<Command, Answer>(
  lockedWallets: LockedWallets<Command, Answer>,
): CommitQueue<Command, Answer> {
  type OneItem = Item<Command, Answer>;
  type OneBatch = Batch<Command, Answer>;
  const underWay = new Set<OneBatch>();
  const owners = createWalletOwners<Command, Answer>();
  let ready: OneItem[] = [];
  let size = 0;

  const putBack = (items: readonly OneItem[]): void => {
    ready = mergeInOrder(items, ready);
  };
  const release = (batch: OneBatch): void => {
    underWay.delete(batch);
    owners.release(batch);
    if (batch.behind.size > 0) putBack([...batch.behind]);
  };
  const forget = (item: OneItem): void => {
    size -= 1;
    for (const { behind } of underWay) behind.delete(item);
  };
  /** Takes what can be committed now, and says how many commands it has. */
  const fill = (batch: OneBatch): number => {
    const placeOf = createPlaces(owners, lockedWallets, batch);
    let [count, looked] = [0, 0];
    for (const item of ready) {
      if (count + countCommands(item) > maxBatch) break;
      looked += 1;
      const place = item.isAnswered ? 'nowhere' : placeOf(item);
      if (place === 'batch') count += countCommands(item);
      else if (place !== 'behind') forget(item);
      if (place === 'locked') lockedWallets.add([item]);
    }
    ready = ready.slice(looked);
    return count;
  };

  return {
    size: () => size,
    countReady: () => ready.length,
    push: (item) => {
      ready.push(item);
      size += 1;
    },
    take: (atLeast) => {
      const batch = createBatch<Command, Answer>();
      if (fill(batch) >= Math.max(1, atLeast)) {
        size -= batch.items.length;
        underWay.add(batch);
        return batch;
      }
      putBack(batch.items);
      release(batch);
      return undefined;
    },
    release,
    drop: (isOver) => {
      const parked = [...underWay].flatMap(({ behind }) => [...behind]);
      const waiting = mergeInOrder(parked, ready);
      const left = waiting.filter((item) => !isOver(item));
      if (left.length === waiting.length) return;
      ready = left;
      size = left.length;
      // What waited behind an item that is dropped may go on.
      owners.reset(underWay);
    },
  };
}

/** Puts items, in order, into a batch or behind one; or says that a wallet is locked. */
function createPlaces<Command, Answer>(
  owners: ReturnType<typeof createWalletOwners<Command, Answer>>,
  lockedWallets: LockedWallets<Command, Answer>,
  batch: Batch<Command, Answer>,
): (item: Item<Command, Answer>) => 'batch' | 'behind' | 'locked' {
  // Wallets of the batch for which an item waits: later ones must not pass that.
  const closed = new Set<string>();
  const isClosed = (key: string): boolean => closed.has(key);
  const isOfBatch = (key: string): boolean => owners.has(batch, key);
  return (item) => {
    const { keys } = item;
    const isLocked = keys.some(lockedWallets.has);
    const other = owners.findOther(keys, batch);
    // Nothing overtakes what this batch does on the other wallet of a command with two.
    const isBehindBatch = keys.some(isClosed) || (isLocked && keys.some(isOfBatch));
    if (other !== undefined || isBehindBatch) {
      owners.wait(item, other ?? batch);
      for (const key of keys) if (isOfBatch(key)) closed.add(key);
      return 'behind';
    }
    if (isLocked) return 'locked';
    owners.take(item, batch);
    return 'batch';
  };
}

/** Both in the order of submission, each item once. */
function mergeInOrder<Command, Answer>(
  some: readonly Item<Command, Answer>[],
  ordered: readonly Item<Command, Answer>[],
): Item<Command, Answer>[] {
  const all = some.concat(ordered);
  // Mostly they are: sorting thousands for each commit would cost more than the rest.
  if (all.every((item, i) => i === 0 || (all[i - 1]?.no ?? 0) < item.no)) return all;
  all.sort((a, b) => a.no - b.no);
  return all.filter((item, i) => item !== all[i - 1]);
}
