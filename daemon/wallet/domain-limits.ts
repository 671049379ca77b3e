import { formatMinor } from '../../core/money.ts';
import type { Operation } from '../../core/operations.ts';
import { instantOfWallClock, isTimezone, wallClockMs } from '../../core/time/calendar.ts';
import { isForced } from './domain-checks.ts';
import { reject } from './domain-refusals.ts';
import type {
  Command,
  Decision,
  RareStates,
  SpendingLimits,
  States,
  WalletState,
} from './domain-types.ts';

/** A span of time in which a limit applies, from `startMs` on. */
export type LimitWindow = {
  /** `day`, `week`, `month`, or `rolling-24h`. */
  readonly name: string;
  readonly limitMinor: bigint;
  readonly startMs: number;
  /** When the next one begins; a rolling one has no end. */
  readonly resetsAtMs?: number;
};

/** What counts against spending limits. A capture does not: its hold did. */
const spending: ReadonlySet<Operation> = new Set([
  'withdraw',
  'purchase',
  'transfer',
  'hold',
  'fee',
]);

export const isSpending = (operation: Operation): boolean => spending.has(operation);

/** The limits that apply to a wallet: its own, or those of its currency. */
export const limitsOf = (
  { terms, currency }: Pick<WalletState, 'terms' | 'currency'>,
  defaultLimits: RareStates['defaultLimits'],
): SpendingLimits | undefined =>
  terms.limits ?? (defaultLimits.size === 0 ? undefined : defaultLimits.get(currency));

/** The key of `RareStates.anchors`. */
export const anchorKey = (walletId: string, startMs: number): string => `${walletId} ${startMs}`;

/** The windows at `atMs` of all limits but that of a single transaction. */
export function windowsOf(limits: SpendingLimits, atMs: number): readonly LimitWindow[] {
  const windows: LimitWindow[] = [];
  const calendar = (name: Unit, limitMinor: bigint | undefined): void => {
    if (limitMinor === undefined) return;
    const { startMs, endMs } = spanOf(name, limits.timezone, atMs);
    windows.push({ name, limitMinor, startMs, resetsAtMs: endMs });
  };
  calendar('day', limits.dayMinor);
  calendar('week', limits.weekMinor);
  calendar('month', limits.monthMinor);
  for (const { hours, amountMinor } of limits.rolling ?? []) {
    const startMs = atMs - hours * hourMs;
    windows.push({ name: `rolling-${hours}h`, limitMinor: amountMinor, startMs });
  }
  return windows;
}

/** Why a debit or hold of `amountMinor` (above 0) would pass a limit at its time. LIMIT_EXCEEDED. */
export function checkLimits(
  states: States,
  command: Command,
  wallet: WalletState,
  amountMinor: bigint,
  atMs: number,
): Decision | undefined {
  const limits = limitsOf(wallet, states.defaultLimits);
  if (!limits || !isSpending(command.operation) || isForced(command)) {
    return undefined;
  }
  const { perTransactionMinor } = limits;
  if (perTransactionMinor !== undefined && amountMinor > perTransactionMinor) {
    const single = { name: 'perTransaction', limitMinor: perTransactionMinor };
    return exceeded(wallet, single, 0n, amountMinor);
  }
  for (const window of windowsOf(limits, atMs)) {
    const usedMinor = usedIn(window, wallet, states.anchors);
    if (usedMinor + amountMinor > window.limitMinor) {
      return exceeded(wallet, window, usedMinor, amountMinor);
    }
  }
  return undefined;
}

/** What was debited since a window began, and what is reserved. */
const usedIn = (
  { startMs }: Pick<LimitWindow, 'startMs'>,
  { id, debitedMinor, held }: WalletState,
  anchors: RareStates['anchors'],
): bigint => debitedMinor - (anchors.get(anchorKey(id, startMs)) ?? 0n) + (held?.heldMinor ?? 0n);

function exceeded(
  { currency, exponent }: WalletState,
  { name, limitMinor, resetsAtMs }: Omit<LimitWindow, 'startMs'>,
  usedMinor: bigint,
  amountMinor: bigint,
): Decision {
  const show = (minor: bigint): string => formatMinor(minor, exponent);
  const [max, amount, used] = [show(limitMinor), show(amountMinor), show(usedMinor)];
  const left = show(usedMinor < limitMinor ? limitMinor - usedMinor : 0n);
  const resetsAt = resetsAtMs === undefined ? undefined : new Date(resetsAtMs).toISOString();
  return reject(
    'LIMIT_EXCEEDED',
    `${amount} ${currency} would pass the limit of ${max} ${currency} (${name}): ${used} are used ` +
      `and ${left} left${resetsAt === undefined ? '' : ` until ${resetsAt}`}`,
    {
      ...{ field: 'amount', limit: name, max, amount, used, left, currency },
      ...(resetsAt === undefined ? {} : { resetsAt }),
    },
  );
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

type Unit = 'day' | 'week' | 'month';
type Span = { readonly startMs: number; readonly endMs: number };

/** The last span of each unit and zone: to work one out takes some 50 µs. */
const lastSpans = new Map<string, Span>();
const maxSpans = 3_000;

function spanOf(unit: Unit, timezone: string, atMs: number): Span {
  const key = `${unit} ${timezone}`;
  const last = lastSpans.get(key);
  if (last && last.startMs <= atMs && atMs < last.endMs) return last;
  const span = findSpan(unit, timezone, atMs);
  if (last || lastSpans.size < maxSpans) lastSpans.set(key, span);
  return span;
}

/** The day, week from Monday, or month of a zone's calendar that has `atMs`. */
function findSpan(unit: Unit, timezone: string, atMs: number): Span {
  // Zones are checked when limits are set; a runtime with older zones must not stop the wallet.
  const zone = isTimezone(timezone) ? timezone : 'UTC';
  const wall = new Date(wallClockMs(atMs, zone));
  wall.setUTCHours(0, 0, 0, 0);
  if (unit === 'week') wall.setUTCDate(wall.getUTCDate() - ((wall.getUTCDay() + 6) % 7));
  if (unit === 'month') wall.setUTCDate(1);
  const end = new Date(wall);
  if (unit === 'month') end.setUTCMonth(end.getUTCMonth() + 1);
  else end.setTime(end.getTime() + (unit === 'week' ? 7 : 1) * dayMs);
  return {
    startMs: instantOfWallClock(wall.getTime(), zone),
    endMs: instantOfWallClock(end.getTime(), zone),
  };
}
