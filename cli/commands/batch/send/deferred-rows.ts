import type { ItemRow } from '../rows/chunk.ts';

/** The rows of one user that wait, in order, and when they are tried again. */
type Lane = {
  rows: ItemRow[];
  /** How many rows of each currency are blocked, those that are not in `rows` yet among them. */
  readonly blocked: Map<string, number>;
  tries: number;
  dueAtMs: number;
};

/** Rows that are deferred while their wallets are locked by others. */
export type DeferredRows = ReturnType<typeof createDeferredRows>;

/** The most rows that are deferred; past that no more input is read. */
export const maxDeferred = 20_000;
const firstPauseMs = 250;
const maxPauseMs = 5_000;

/**
 * Keeps the order of each wallet while some of its rows wait: a later row of the same wallet is
 * blocked too. A wallet is a user's, of one currency; a row without a currency takes that of its
 * parent, so it may concern any wallet of its user. Rows are blocked from the moment at which it is
 * clear that they are not sent, and join the rows that are tried again in the order of the input.
 */
export function createDeferredRows() {
  const lanes = new Map<string, Lane>();
  let size = 0;

  const laneOf = (userId: string): Lane => {
    const found = lanes.get(userId);
    if (found) return found;
    const lane = { rows: [], blocked: new Map<string, number>(), tries: 0, dueAtMs: 0 };
    lanes.set(userId, lane);
    return lane;
  };
  const release = ({ userId, item }: ItemRow): void => {
    const lane = laneOf(userId);
    const left = (lane.blocked.get(item.currency) ?? 0) - 1;
    if (left > 0) lane.blocked.set(item.currency, left);
    else lane.blocked.delete(item.currency);
    if (lane.blocked.size === 0) lanes.delete(userId);
  };

  return {
    size: () => size,
    hasRoom: () => size < maxDeferred,
    wallets: () => lanes.size,
    first: (): ItemRow | undefined =>
      [...lanes.values()]
        .flatMap(({ rows }) => rows.slice(0, 1))
        .reduce<ItemRow | undefined>((a, b) => (a && a.row < b.row ? a : b), undefined),
    isInDoubt: () => [...lanes.values()].some(({ rows }) => rows.some((row) => row.wasSent)),
    /** True if an earlier row of its wallet waits, or may do so. */
    mustWait: ({ userId, item }: ItemRow): boolean => {
      const blocked = lanes.get(userId)?.blocked;
      if (!blocked) return false;
      return item.currency === '' || blocked.has('') || blocked.has(item.currency);
    },
    /** From now on later rows of its wallet must wait. */
    block: ({ userId, item }: ItemRow): void => {
      const { blocked } = laneOf(userId);
      blocked.set(item.currency, (blocked.get(item.currency) ?? 0) + 1);
    },
    /** Undoes `block`. */
    release,
    /** A row that is blocked is tried again from now on, after those that came before. */
    enqueue: (row: ItemRow, nowMs: number): void => {
      const lane = laneOf(row.userId);
      if (lane.rows.length === 0) Object.assign(lane, { tries: 0, dueAtMs: nowMs + firstPauseMs });
      lane.rows.push(row);
      size += 1;
    },
    /** Users whose rows are due. */
    findDue: (nowMs: number): string[] =>
      [...lanes].flatMap(([userId, { rows, dueAtMs }]) =>
        rows.length > 0 && dueAtMs <= nowMs ? [userId] : [],
      ),
    nextDueMs: (): number =>
      Math.min(
        ...[...lanes.values()].flatMap(({ rows, dueAtMs }) => (rows.length > 0 ? [dueAtMs] : [])),
      ),
    rowsOf: (userId: string): readonly ItemRow[] => lanes.get(userId)?.rows ?? [],
    /** The first `count` rows of a user were tried; those in `busy` go on waiting. */
    finish: (userId: string, count: number, busy: readonly ItemRow[]): void => {
      const lane = laneOf(userId);
      const tried = lane.rows.slice(0, count);
      lane.rows = [...busy, ...lane.rows.slice(count)];
      size -= count - busy.length;
      const waiting = new Set(busy);
      for (const row of tried) if (!waiting.has(row)) release(row);
    },
    /** Later each time; a try that did something counts as the first. */
    postpone: (userId: string, nowMs: number, hasProgress: boolean): void => {
      const lane = laneOf(userId);
      lane.tries = hasProgress ? 0 : lane.tries + 1;
      const pauseMs = Math.min(maxPauseMs, firstPauseMs * 2 ** lane.tries);
      lane.dueAtMs = nowMs + pauseMs * (0.75 + Math.random() * 0.25);
    },
  };
}
