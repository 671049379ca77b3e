import type { Operation } from '../operations.ts';

/** The kinds of file that a statement can be written to. */
export const exportFormats = ['csv', 'json', 'ndjson', 'hledger'] as const;
export type ExportFormat = (typeof exportFormats)[number];

/** The languages of a CSV file and of the mail that brings it. */
export const exportLocales = ['en', 'pt-BR'] as const;
export type ExportLocale = (typeof exportLocales)[number];

export const isExportLocale = (text: string): text is ExportLocale =>
  (exportLocales as readonly string[]).includes(text);

/** What a statement says besides its lines. Money is in minor units, the range is half-open. */
export type StatementHead = {
  readonly walletId: string;
  readonly currency: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** IANA name; every time in the file is of this zone. */
  readonly timezone: string;
  readonly openingMinor: bigint;
  readonly totalDebitMinor: bigint;
  readonly totalCreditMinor: bigint;
  readonly closingMinor: bigint;
  /**
   * What is reserved at the end. Undefined in a file that does not show the lines of holds and
   * releases, nor what is reserved.
   */
  readonly heldClosingMinor?: bigint | undefined;
};

export type StatementFileLine = {
  readonly seq: bigint;
  readonly occurredAtMs: number;
  readonly transactionId: string;
  readonly operation: Operation;
  readonly description: string | undefined;
  /** Above 0 credits the wallet, below 0 debits it. */
  readonly amountMinor: bigint;
  readonly balanceAfterMinor: bigint;
  readonly contraAccount: string;
  /** Money that it reserved, or released (below 0); absent: none. */
  readonly heldMinor?: bigint | undefined;
  /** What is reserved since; absent: nothing. */
  readonly heldAfterMinor?: bigint | undefined;
};

/**
 * A line as its hash covers it, with the places of what a file shows: what is written is what was
 * hashed. Texts are UTF-8, numbers have decimal digits.
 *
 * One such object is filled again and again: a million lines make no garbage.
 */
export type FileRow = {
  /** What is hashed; most places are offsets into it. */
  bytes: Buffer;
  /** 36 bytes. */
  idAt: number;
  operation: number;
  /** Like `amount` and `balance`, exact or NaN. */
  seq: number;
  amountAt: number;
  amountEnd: number;
  balanceAt: number;
  balanceEnd: number;
  /** Minor units, where they are exact in a number; otherwise NaN. */
  amount: number;
  balance: number;
  occurredAtMs: number;
  contraAt: number;
  contraEnd: number;
  /** `heldAt` and `heldAfterAt` are -1 where there is none. */
  heldAt: number;
  heldEnd: number;
  heldAfterAt: number;
  heldAfterEnd: number;
  /** Without a note it is empty. */
  hasNote: boolean;
  noteAt: number;
  noteEnd: number;
  /** The row as it came, with what is compared only. -1 for a hash that is not there. */
  source: Buffer;
  previousHashAt: number;
  hashAt: number;
  currencyAt: number;
  currencyEnd: number;
};

/** Writes a file part by part: `begin`, each line in order of seq, `end`. */
export type StatementWriter = {
  begin(): string;
  line(line: StatementFileLine): string;
  end(): string;
  /** A shorter way for most lines, where there is one, to the same bytes. */
  readonly rows?: RowWriter | undefined;
};

type RowWriter = {
  /** At most so many bytes the row needs. */
  roomOf(row: FileRow): number;
  /**
   * Writes into that much room at `at`, and answers where it ended; -1 if it takes `line` to do it.
   */
  write(row: FileRow, into: Buffer, at: number): number;
};
