import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { createGroup } from '../commit-groups.ts';
import { createItem, type Item } from '../commit-item.ts';
import type { LockedWallets } from '../locked-wallets.ts';
import { createCommitQueue, maxBatch, type CommitQueue } from './commit-queue.ts';
import type { Batch } from './wallet-owners.ts';

type OneItem = Item<number, number>;
type OneBatch = Batch<number, number>;

const group = createGroup<number, number>(
  { deadlineMs: Infinity, isCancelled: () => false },
  () => undefined,
);
const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l'];

/** A queue, and what it has moved to the locked wallets. */
function create(locked: ReadonlySet<string> = new Set()) {
  const moved: OneItem[] = [];
  const lockedWallets: LockedWallets<number, number> = {
    has: (key) => locked.has(key),
    add: (items) => void moved.push(...items),
    isEmpty: () => true,
  };
  const queue = createCommitQueue(lockedWallets);
  let no = 0;
  const push = (keys: readonly string[], others: readonly number[] = []): OneItem => {
    const item = createItem<number, number>(no, group, 0, keys, others);
    item.no = no;
    no += 1;
    queue.push(item);
    return item;
  };
  const take = (atLeast = 1): OneBatch | undefined => queue.take(atLeast);
  return { queue, moved, push, take };
}

const nosOf = (batch: OneBatch | undefined): number[] => batch?.items.map(({ no }) => no) ?? [];

describe('the queue of a group commit', () => {
  it('what has no wallet in common with a batch under way does not wait for it', () => {
    const { push, take } = create();
    push(['a', 'b']);
    const first = take();
    push(['b', 'c']);
    push(['d', 'e']);
    expect([nosOf(first), nosOf(take())]).toEqual([[0], [2]]);
  });

  it('nothing passes an earlier item that waits, on its other wallet too', () => {
    const { queue, push, take } = create();
    push(['a']);
    const first = take();
    push(['a', 'b']);
    push(['b', 'c']);
    push(['c']);
    push(['d']);
    expect(nosOf(take())).toEqual([4]);
    if (first) queue.release(first);
    expect(nosOf(take())).toEqual([1, 2, 3]);
  });

  it('a wallet of a batch is closed once an item waits that has it', () => {
    const { queue, push, take } = create();
    push(['a']);
    const first = take();
    push(['b']);
    push(['a', 'b', 'c']);
    push(['b']);
    push(['c']);
    const second = take();
    expect(nosOf(second)).toEqual([1]);
    if (second) queue.release(second);
    expect(nosOf(take())).toEqual([]);
    if (first) queue.release(first);
    expect(nosOf(take())).toEqual([2, 3, 4]);
  });

  it('what waits for two batches keeps its place when the first of them ends', () => {
    const { queue, push, take } = create();
    push(['a']);
    const first = take();
    push(['b']);
    const second = take();
    push(['a', 'b']);
    push(['b']);
    push(['a']);
    if (second) queue.release(second);
    expect(nosOf(take())).toEqual([]);
    if (first) queue.release(first);
    expect(nosOf(take())).toEqual([2, 3, 4]);
    expect(queue.size()).toBe(0);
  });

  it('fewer than asked for are left where they are', () => {
    const { queue, push, take } = create();
    push(['a']);
    push(['a', 'b']);
    expect(take(3)).toBeUndefined();
    expect([queue.size(), queue.countReady()]).toEqual([2, 2]);
    expect(nosOf(take(2))).toEqual([0, 1]);
  });

  it('a batch ends before the item with which it would have more than 1,024 commands', () => {
    const { push, take } = create();
    for (let i = 0; i < maxBatch - 2; i += 1) push(['a']);
    push(['a'], [1, 2]);
    push(['b']);
    expect(nosOf(take())).toHaveLength(maxBatch - 2);
    expect(nosOf(take())).toEqual([maxBatch - 1]);
  });

  it('what waits behind a dropped item goes on', () => {
    const { queue, push, take } = create();
    push(['a']);
    take();
    const dropped = push(['a', 'b']);
    push(['b']);
    expect(nosOf(take())).toEqual([]);
    queue.drop((item) => item === dropped);
    expect([queue.size(), nosOf(take())]).toEqual([1, [2]]);
  });

  it('an item on a locked wallet is moved, once its other wallet is in no batch', () => {
    const { queue, moved, push, take } = create(new Set(['l']));
    push(['l']);
    push(['a']);
    push(['l', 'a']);
    push(['a']);
    const first = take();
    expect([nosOf(first), moved.map(({ no }) => no)]).toEqual([[1], [0]]);
    if (first) queue.release(first);
    expect(nosOf(take())).toEqual([3]);
    expect(moved.map(({ no }) => no)).toEqual([0, 2]);
  });
});

const anyStep = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('push' as const), seed: fc.nat(13_823) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('take' as const), seed: fc.nat(4) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('release' as const), seed: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('drop' as const), seed: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('answer' as const), seed: fc.nat(9) }) },
);
const anyProgram = fc.array(anyStep, { maxLength: 120, size: 'max' });

/** One wallet, two or three of them. */
const keysOf = (seed: number): string[] => {
  const picks = [seed % 12, Math.floor(seed / 12) % 24, Math.floor(seed / 288) % 48];
  return [...new Set(picks.flatMap((pick) => names[pick] ?? []))];
};

/** All that waits, in order, as the test knows it, and what has become of the rest. */
function createObserver() {
  const waiting = new Set<OneItem>();
  const underWay: OneBatch[] = [];
  const faults: string[] = [];
  const counts = { takenBesides: 0 };
  const noteTaken = (batch: OneBatch): void => {
    if (underWay.length > 0) counts.takenBesides += batch.items.length;
    const keys = new Set(batch.items.flatMap((item) => item.keys));
    for (const other of underWay) {
      const isShared = other.items.some((item) => item.keys.some((key) => keys.has(key)));
      if (isShared) faults.push('two batches have a wallet in common');
    }
    for (const item of batch.items) {
      const passed = [...waiting].find(
        (one) => one.no < item.no && !one.isAnswered && one.keys.some((k) => item.keys.includes(k)),
      );
      if (passed) faults.push(`${item.no} has passed ${passed.no}`);
      if (item.isAnswered || !waiting.delete(item)) faults.push(`${item.no} was not to be taken`);
    }
    underWay.push(batch);
  };
  /** The first that waits could be taken if no batch under way has its wallets. */
  const noteEmpty = (): void => {
    const busy = new Set(underWay.flatMap(({ items }) => items.flatMap(({ keys }) => keys)));
    const [first] = waiting;
    if (first?.isAnswered === false && !first.keys.some((key) => busy.has(key)))
      faults.push(`${first.no} is left`);
  };
  return { waiting, underWay, faults, counts, noteTaken, noteEmpty };
}

type Program = typeof anyProgram extends fc.Arbitrary<infer One> ? One : never;
type Observer = ReturnType<typeof createObserver>;

function play(program: Program, seen: Observer, queue: CommitQueue<number, number>, push: Push) {
  const { waiting, underWay } = seen;
  for (const { kind, seed } of program) {
    if (kind === 'push') waiting.add(push(keysOf(seed)));
    const chosen = [...waiting][seed];
    if (kind === 'take') {
      const batch = queue.take(seed);
      if (batch) seen.noteTaken(batch);
      else if (seed <= 1) seen.noteEmpty();
    } else if (kind === 'release' && underWay.length > 0) {
      const [batch] = underWay.splice(seed % underWay.length, 1);
      if (batch) queue.release(batch);
    } else if (kind === 'answer' && chosen) {
      chosen.isAnswered = true;
    } else if (kind === 'drop') {
      const isOver = (item: OneItem) => item.isAnswered || item === chosen;
      queue.drop(isOver);
      for (const item of waiting) if (isOver(item)) waiting.delete(item);
    }
  }
}
type Push = (keys: readonly string[]) => OneItem;

describe('random programs', () => {
  it('batches share no wallet, each wallet keeps its order, and nothing is lost or stuck', () => {
    let takenBesides = 0;
    fc.assert(
      fc.property(anyProgram, (program) => {
        const { queue, push } = create();
        const seen = createObserver();
        play(program, seen, queue, push);
        seen.underWay.splice(0).forEach(queue.release);
        for (let batch = queue.take(1); batch; batch = queue.take(1)) {
          seen.noteTaken(batch);
          seen.underWay.length = 0;
          queue.release(batch);
        }
        expect(seen.faults).toEqual([]);
        takenBesides += seen.counts.takenBesides;
        expect([...seen.waiting].filter((item) => !item.isAnswered)).toEqual([]);
        expect(queue.size()).toBe(0);
      }),
      { numRuns: 4_000 },
    );
    expect(takenBesides).toBeGreaterThan(2_000);
  });
});
