import type { History } from '../record/history.ts';
import type { FinalRows } from '../../support/ledger/final-rows.ts';

/** Something that must not be: which checker found it, where, and what in words. */
export type Violation = {
  readonly checker: string;
  readonly walletId?: string | undefined;
  readonly seq?: bigint | undefined;
  readonly what: string;
};

/** Compares what was recorded with what is there in the end. It changes nothing. */
export type Checker = (history: History, rows: FinalRows) => readonly Violation[];

/** `checker: wallet seq 7: what`, on one line. */
export function formatViolation({ checker, walletId, seq, what }: Violation): string {
  const place = [walletId, seq === undefined ? undefined : `seq ${seq}`];
  const where = place.filter((part) => part !== undefined).join(' ');
  return [checker, where, what].filter((part) => part !== '').join(': ');
}
