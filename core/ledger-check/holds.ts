import { transactionIdOf } from '../ids.ts';
import type { ChildEntry, HoldEntry, LedgerFinding, OpenHolds, ParentFacts } from './types.ts';

/** Under which the metadata of a hold's entry say when it expires. */
const expiryName = 'dw.expiresAt';

/** When a hold expires, in milliseconds since 1970; undefined if its metadata do not say. */
export function readExpiry(metadata: Readonly<Record<string, unknown>>): number | undefined {
  const text = metadata[expiryName];
  return typeof text === 'string' ? parseExpiry(text) : undefined;
}

/** RFC 3339 with milliseconds, in UTC, and written in no other way. */
function parseExpiry(text: string): number | undefined {
  const timeMs = Date.parse(text);
  return !Number.isNaN(timeMs) && textOf(timeMs) === text ? timeMs : undefined;
}

const maxTimeMs = 8.64e15;

/** What is stored may be no time that a text can have. */
const textOf = (timeMs: number): string =>
  Math.abs(timeMs) <= maxTimeMs ? new Date(timeMs).toISOString() : String(timeMs);

/** The id of the release of an expired hold: it is there once, whichever daemon enters it. */
const expiryIdOf = (walletId: string, holdId: string): string =>
  transactionIdOf(walletId, 'system', `expire:${holdId}`);

/**
 * What is wrong with the time of a capture or release; undefined if nothing is. From its expiry on
 * a hold has one use left: the release of the rest by `walletd` itself, which comes before any
 * other entry of that time.
 */
export function findExpiryProblem(use: ChildEntry, hold: ParentFacts): string | undefined {
  const expiresAtMs = hold.expiresAt === undefined ? undefined : parseExpiry(hold.expiresAt);
  if (expiresAtMs === undefined) return undefined;
  const { occurredAtMs, isOfSystem, lastOtherMs } = use;
  const isOver = occurredAtMs >= expiresAtMs;
  const expiresAt = textOf(expiresAtMs);
  if (!isOfSystem) return isOver ? `it uses a hold that expired at ${expiresAt}` : undefined;
  if (!isOver) return `walletd released it before it expires at ${expiresAt}`;
  if (lastOtherMs >= expiresAtMs) {
    return `the hold expired at ${expiresAt}, and another entry since then comes before it`;
  }
  const leftMinor = use.parentAmountMinor - use.parentUsedMinor + use.heldMinor;
  if (leftMinor !== 0n) return `the hold expired, and ${leftMinor} of it are still reserved`;
  return use.id === expiryIdOf(use.walletId, use.parentId)
    ? undefined
    : 'its id is not that of the release of this hold when it expires';
}

/** What the uses of a hold come to, by the entries. */
export type HoldUses = {
  /** What the last one says was used before it, with what it uses; 0 without any. */
  readonly usedMinor: bigint;
  readonly capturedMinor: bigint;
  /** Of the last one; undefined without any. */
  readonly last: { readonly occurredAtMs: number; readonly isOfSystem: boolean } | undefined;
};

/** A row of the table of holds. */
export type HoldRow = {
  readonly seq: bigint;
  readonly amountMinor: bigint;
  readonly usedMinor: bigint;
  readonly capturedMinor: bigint;
  readonly state: string;
  readonly contraAccount: string;
  readonly placedAtMs: number;
  readonly expiresAtMs: number;
  readonly closedAtMs: number | undefined;
};

/** What is wrong with the row of a hold, which the entries make; undefined if nothing is. */
export function findHoldProblem(
  hold: HoldEntry,
  uses: HoldUses,
  row: HoldRow | undefined,
): string | undefined {
  if (!row) return 'the table of holds does not have it';
  const { seq, amountMinor, contraAccount, placedAtMs } = hold;
  const { usedMinor, capturedMinor, last } = uses;
  const isOpen = usedMinor < amountMinor;
  const expected: HoldRow = {
    ...{ seq, amountMinor, usedMinor, capturedMinor, contraAccount, placedAtMs },
    state: isOpen ? 'open' : closedState(uses),
    // Without an expiry the entry is reported.
    expiresAtMs: hold.expiresAtMs ?? row.expiresAtMs,
    closedAtMs: isOpen ? undefined : last?.occurredAtMs,
  };
  const names = (Object.keys(columnNames) as (keyof HoldRow)[])
    .filter((name) => row[name] !== expected[name])
    .map((name) => `${columnNames[name]} ${String(row[name])}, not ${String(expected[name])}`);
  return names.length === 0 ? undefined : `the table of holds has ${names.join(', ')}`;
}

function closedState({ capturedMinor, last }: HoldUses): string {
  if (last?.isOfSystem === true) return 'expired';
  return capturedMinor > 0n ? 'captured' : 'released';
}

const columnNames: Readonly<Record<keyof HoldRow, string>> = {
  ...{ seq: 'seq', amountMinor: 'amount', usedMinor: 'used', capturedMinor: 'captured' },
  ...{ state: 'state', contraAccount: 'contra_account', placedAtMs: 'placed_at' },
  ...{ expiresAtMs: 'expires_at', closedAtMs: 'closed_at' },
};

/**
 * What is wrong between a wallet and its open hold that expires first; undefined if nothing is.
 * `next_expiry` may be too early, and is never too late.
 */
export function findOpenProblem(
  { nextExpiryMs, lastOtherMs }: OpenHolds,
  first: { readonly id: string; readonly expiresAtMs: number } | undefined,
): Pick<LedgerFinding, 'kind' | 'detail'> | undefined {
  if (!first) return undefined;
  const what = `hold ${first.id} expires at ${textOf(first.expiresAtMs)}`;
  if (nextExpiryMs === undefined || nextExpiryMs > first.expiresAtMs) {
    const next = nextExpiryMs === undefined ? 'none' : textOf(nextExpiryMs);
    return { kind: 'wallet', detail: `its next expiry is ${next}, and ${what}` };
  }
  return lastOtherMs >= first.expiresAtMs
    ? { kind: 'hold', detail: `${what}, and was not released before a later entry` }
    : undefined;
}
