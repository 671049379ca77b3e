import type { ItemRow } from '../rows/chunk.ts';

/**
 * The rows that wait of one user, or of users among whom a transfer waits: in order, and when they
 * are tried again.
 */
type Lane = {
  /** The user by whom the lane is named. */
  key: string;
  readonly users: Set<string>;
  rows: ItemRow[];
  /** How many rows of each user and currency are blocked, those that are not in `rows` yet too. */
  readonly blocked: Map<string, Map<string, number>>;
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
 * parent, so it may concern any wallet of its user. A transfer concerns two wallets: the rows of
 * its users share a lane while it waits. Rows are blocked from the moment at which it is clear that
 * they are not sent, and join the rows that are tried again in the order of the input.
 */
export function createDeferredRows() {
  const lanes = new Map<string, Lane>();
  let size = 0;
  const release = (row: ItemRow): void => {
    const lane = laneOf(lanes, usersOf(row));
    for (const userId of usersOf(row)) unblock(lane, userId, row.item.currency);
    if (lane.blocked.size === 0) for (const userId of lane.users) lanes.delete(userId);
  };
  const named = (): Lane[] =>
    [...lanes].flatMap(([userId, lane]) => (lane.key === userId ? [lane] : []));

  return {
    size: () => size,
    hasRoom: () => size < maxDeferred,
    wallets: () => named().length,
    first: (): ItemRow | undefined =>
      named()
        .flatMap(({ rows }) => rows.slice(0, 1))
        .reduce<ItemRow | undefined>((a, b) => (a && a.row < b.row ? a : b), undefined),
    isInDoubt: () => named().some(({ rows }) => rows.some((row) => row.wasSent)),
    /** True if an earlier row of one of its wallets waits, or may do so. */
    mustWait: (row: ItemRow): boolean =>
      lanes.size > 0 && usersOf(row).some((userId) => isBlocked(lanes, userId, row.item.currency)),
    /** From now on later rows of its wallets must wait. */
    block: (row: ItemRow): void => {
      const { blocked } = laneOf(lanes, usersOf(row));
      const { currency } = row.item;
      for (const userId of usersOf(row)) {
        const counts = blocked.get(userId) ?? new Map<string, number>();
        blocked.set(userId, counts.set(currency, (counts.get(currency) ?? 0) + 1));
      }
    },
    /** Undoes `block`. */
    release,
    /** A row that is blocked is tried again from now on, after those that came before. */
    enqueue: (row: ItemRow, nowMs: number): void => {
      const lane = laneOf(lanes, usersOf(row));
      if (lane.rows.length === 0) Object.assign(lane, { tries: 0, dueAtMs: nowMs + firstPauseMs });
      lane.rows.push(row);
      size += 1;
    },
    /** Users by whom lanes are named whose rows are due. */
    findDue: (nowMs: number): string[] =>
      named().flatMap(({ key, rows, dueAtMs }) =>
        rows.length > 0 && dueAtMs <= nowMs ? [key] : [],
      ),
    nextDueMs: (): number =>
      Math.min(...named().flatMap(({ rows, dueAtMs }) => (rows.length > 0 ? [dueAtMs] : []))),
    /** The rows of the lane that is named by a user; none for other users. */
    rowsOf: (userId: string): readonly ItemRow[] => {
      const lane = lanes.get(userId);
      return lane?.key === userId ? lane.rows : [];
    },
    /** These rows of a lane were tried; those in `busy` go on waiting. */
    finish: (userId: string, tried: readonly ItemRow[], busy: readonly ItemRow[]): void => {
      const lane = laneOf(lanes, [userId]);
      const waiting = new Set(busy);
      const finished = new Set(tried.filter((row) => !waiting.has(row)));
      lane.rows = lane.rows.filter((row) => !finished.has(row));
      size -= finished.size;
      for (const row of finished) release(row);
    },
    /** Later each time; a try that did something counts as the first. */
    postpone: (userId: string, nowMs: number, hasProgress: boolean): void => {
      const lane = laneOf(lanes, [userId]);
      lane.tries = hasProgress ? 0 : lane.tries + 1;
      const pauseMs = Math.min(maxPauseMs, firstPauseMs * 2 ** lane.tries);
      lane.dueAtMs = nowMs + pauseMs * (0.75 + Math.random() * 0.25);
    },
  };
}

/** The lane of these users, made one if they had several. */
function laneOf(lanes: Map<string, Lane>, users: readonly string[]): Lane {
  const [first = '', ...others] = users;
  const lane = lanes.get(first) ?? createLane(first);
  lanes.set(first, lane);
  for (const user of others) {
    const other = lanes.get(user);
    if (other && other !== lane) moveInto(lane, other);
    lane.users.add(user);
    for (const one of other?.users ?? [user]) lanes.set(one, lane);
  }
  return lane;
}

/** Whose wallets a row concerns, as far as the row says it. */
const usersOf = ({ userId, item: { toUserId } }: ItemRow): readonly string[] =>
  toUserId === undefined ? [userId] : [userId, toUserId];

const createLane = (key: string): Lane => ({
  ...{ key, users: new Set([key]), rows: [], blocked: new Map() },
  ...{ tries: 0, dueAtMs: 0 },
});

function moveInto(lane: Lane, other: Lane): void {
  if (lane.rows.length === 0) lane.dueAtMs = other.dueAtMs;
  lane.rows = [...lane.rows, ...other.rows].sort((a, b) => a.row - b.row);
  for (const [userId, counts] of other.blocked) lane.blocked.set(userId, counts);
  for (const userId of other.users) lane.users.add(userId);
}

function isBlocked(lanes: ReadonlyMap<string, Lane>, userId: string, currency: string): boolean {
  const counts = lanes.get(userId)?.blocked.get(userId);
  if (!counts) return false;
  return currency === '' || counts.has('') || counts.has(currency);
}

function unblock({ blocked }: Lane, userId: string, currency: string): void {
  const counts = blocked.get(userId);
  const left = (counts?.get(currency) ?? 0) - 1;
  if (left > 0) counts?.set(currency, left);
  else counts?.delete(currency);
  if (counts?.size === 0) blocked.delete(userId);
}
