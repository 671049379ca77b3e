import { readMinor, type FileRow } from '../../../core/statement-format/index.ts';
import type { Extent } from '../domain.ts';

/**
 * Counts lines, and sees that each one's balance follows from the one before, up to the closing
 * balance: a line that is missing or was changed shows. Throws where it does not add up.
 */
export function startBalanceCheck(walletId: string, extent: Extent) {
  const { openingSeq, openingMinor } = extent;
  let count = 0;
  // A number as long as it is exact, which is faster by far.
  let balance: number | bigint = shorten(openingMinor);
  const seq = (): bigint => openingSeq + BigInt(count);
  const fail = (where: string): never => {
    throw new Error(`the lines of wallet ${walletId} do not add up ${where}`);
  };
  const addLong = (row: FileRow): void => {
    const expected = BigInt(balance) + readMinor(row, row.amountAt, row.amountEnd);
    if (readMinor(row, row.balanceAt, row.balanceEnd) !== expected) fail(`at seq ${seq()}`);
    balance = shorten(expected);
  };
  return {
    add: (row: FileRow): void => {
      count += 1;
      if (typeof balance === 'bigint' || Number.isNaN(row.amount) || Number.isNaN(row.balance)) {
        addLong(row);
        return;
      }
      balance += row.amount;
      if (row.balance !== balance) fail(`at seq ${seq()}`);
    },
    /** The last line's, if none is missing. */
    seq,
    /** That no line is missing up to here. */
    checkSeq: (expected: bigint): void => {
      if (seq() !== expected) fail(`up to seq ${expected}`);
    },
    end: (): void => {
      const isWhole = seq() === extent.closingSeq && BigInt(balance) === extent.closingMinor;
      if (!isWhole) fail('at the end');
    },
  };
}

/** What is below this, and a sum with one more, is exact in a number. */
const exactBelow = 10n ** 15n;

function shorten(minor: bigint): number | bigint {
  return -exactBelow < minor && minor < exactBelow ? Number(minor) : minor;
}
