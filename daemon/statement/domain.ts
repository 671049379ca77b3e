import { addDays, isStorableTime, isTimezone, isWithinDays } from '../../core/time/calendar.ts';
import type { ChainedFields } from '../../core/chain.ts';
import { refuse, succeed, type Result } from '../../core/reasons.ts';

/** One transaction as a statement shows it; every value comes from the ledger's event. */
export type Line = Omit<ChainedFields, 'id'> & {
  readonly walletId: string;
  readonly transactionId: string;
  readonly userId: string;
  readonly currency: string;
  /** The hash of the transaction before, or the wallet's genesis hash; 64 hex digits. */
  readonly previousHash: string;
  /** 64 hex digits. */
  readonly hash: string;
};

/** Half-open: [fromMs, toMs). */
export type Range = { readonly fromMs: number; readonly toMs: number; readonly timezone: string };

/** What the projection holds of a range, read on one snapshot. */
export type Extent = {
  /** The last line before the range; 0 if there is none. */
  readonly openingSeq: bigint;
  readonly openingMinor: bigint;
  /** The last line before the range's end; equal to openingSeq if the range has none. */
  readonly closingSeq: bigint;
  readonly closingMinor: bigint;
  /** What is reserved after the closing line. */
  readonly heldClosingMinor: bigint;
  /** Lines from the opening line to the closing one, both counted where they exist. */
  readonly lineCount: bigint;
  readonly totalDebitMinor: bigint;
  readonly totalCreditMinor: bigint;
  /** Lines after the opening one that move no money: of holds and releases. */
  readonly holdCount: bigint;
  /** The first line after the closing one, if there is any. */
  readonly nextSeq: bigint | undefined;
  /** The first line added up that does not follow the line before it by its hash. */
  readonly brokenSeq: bigint | undefined;
};

export type Completeness =
  | { readonly isComplete: true }
  /** `behindBy` is unknown where the ledger could not be asked. */
  | {
      readonly isComplete: false;
      readonly behindBy: bigint | undefined;
      /** Lines and ledger contradict each other: what was found, and what repairs it. */
      readonly inconsistency?: string;
    };

/**
 * A wallet's last transaction as the ledger has it (seq 0, no hash: none). Before `asOfMs` the
 * ledger takes on nothing more for it.
 */
export type Head = {
  readonly seq: bigint;
  readonly hash: string | undefined;
  readonly asOfMs: number;
  /** Another transaction whose hash was asked for with it. */
  readonly also?: { readonly seq: bigint; readonly hash: string } | undefined;
};

/** Where the range is open, it ends now and begins so many calendar days before its end. */
const defaultRangeDays = 15;

/** No statement covers more calendar days than these: ten years. */
const maxRangeDays = 3_660;

/** Checks a range, and fills in what was left out. INVALID_ARGUMENT, RANGE_TOO_LONG. */
export function resolveRange(
  asked: {
    readonly fromMs: number | undefined;
    readonly toMs: number | undefined;
    readonly timezone: string;
  },
  nowMs: number,
  inlineDays: number,
): Result<Range> {
  const timezone = asked.timezone === '' ? 'UTC' : asked.timezone;
  if (!isTimezone(timezone)) {
    return refuse('INVALID_ARGUMENT', 'timezone must be an IANA name, like America/Sao_Paulo', {
      field: 'timezone',
    });
  }
  const toMs = asked.toMs ?? nowMs;
  if (!isStorableTime(toMs) || !isStorableTime(asked.fromMs ?? toMs)) {
    return refuse('INVALID_ARGUMENT', 'from and to must be times in the years 1 to 9999', {
      field: isStorableTime(toMs) ? 'from' : 'to',
    });
  }
  const days = Math.min(defaultRangeDays, inlineDays);
  const fromMs = asked.fromMs ?? addDays(toMs, -days, timezone);
  if (fromMs > toMs) {
    return refuse('INVALID_ARGUMENT', 'from must not be after to', { field: 'from' });
  }
  if (!isWithinDays(fromMs, toMs, maxRangeDays, timezone)) {
    return refuse(
      'RANGE_TOO_LONG',
      `a statement covers at most ${maxRangeDays} days: ask for a shorter range`,
      { field: 'to', days: String(maxRangeDays) },
    );
  }
  return succeed({ fromMs, toMs, timezone });
}

/**
 * False for a range whose end the ledger's clock has not reached: what is there may still change.
 * Without the ledger only lines after the end make a statement complete, and they prove that it is
 * over.
 */
export const isOver = ({ toMs }: Range, head: Head | undefined): boolean =>
  head === undefined || toMs <= head.asOfMs;

/** The range as far as it is over. INVALID_ARGUMENT where none of it is. */
export function cutToPast(range: Range, head: Head | undefined): Result<Range> {
  if (isOver(range, head) || !head) return succeed(range);
  const toMs = head.asOfMs;
  if (range.fromMs <= toMs) return succeed({ ...range, toMs });
  const message = 'from lies in the future: ask for a period that has begun';
  return refuse('INVALID_ARGUMENT', message, { field: 'from' });
}

/** True for a range that is answered at once: at most so many calendar days in its own zone. */
export function isInline({ fromMs, toMs, timezone }: Range, inlineDays: number): boolean {
  return isWithinDays(fromMs, toMs, inlineDays, timezone);
}

/**
 * A statement is complete if its lines run without a gap from the opening to the closing one, and
 * the closing one is the wallet's last (`headSeq`) or later, or is followed by the line after it.
 * `headSeq` is undefined where the ledger could not be asked.
 */
export function checkCompleteness(extent: Extent, headSeq: bigint | undefined): Completeness {
  const opening = extent.openingSeq > 0n ? 1n : 0n;
  const expected = extent.closingSeq - extent.openingSeq + opening;
  const missingWithin = expected - extent.lineCount;
  const isEndProven =
    extent.nextSeq === extent.closingSeq + 1n ||
    (headSeq !== undefined && headSeq <= extent.closingSeq);
  if (missingWithin === 0n && isEndProven) return { isComplete: true };
  if (headSeq === undefined) return { isComplete: false, behindBy: undefined };
  const lastKnown = extent.nextSeq ?? headSeq + 1n;
  const missingAfter = isEndProven ? 0n : lastKnown - extent.closingSeq - 1n;
  return { isComplete: false, behindBy: missingWithin + missingAfter };
}

/**
 * Whether a line shows a hold or a release, which statements show only if they are asked for. No
 * money moves by it, so that the other lines are the same without it.
 */
export const isHoldLine = ({ amountMinor }: Pick<Line, 'amountMinor'>): boolean =>
  amountMinor === 0n;

const int64Limit = 2n ** 63n;

/** False where so much was moved to and fro that the totals pass an int64. */
export function hasCarriableTotals({ totalDebitMinor, totalCreditMinor }: Extent): boolean {
  return totalDebitMinor < int64Limit && totalCreditMinor < int64Limit;
}

/** Opening plus credits less debits is the closing balance, or the projection is damaged. */
export function isBalanced(extent: Extent): boolean {
  const { openingMinor, totalCreditMinor, totalDebitMinor, closingMinor } = extent;
  return openingMinor + totalCreditMinor - totalDebitMinor === closingMinor;
}
