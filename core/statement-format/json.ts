import { merchantOf } from '../contra-account.ts';
import { exponentOf } from '../currencies.ts';
import { absoluteMinor, formatMinor } from '../money.ts';
import { createZonedFormatter } from '../time/zone-clock.ts';
import { type StatementFileLine, type StatementHead, type StatementWriter } from './types.ts';

/**
 * One document: `{ "status": "complete", "statement": { …, "lines": [ … ] } }`, the shape that
 * `wallet statement show --json` prints (docs/cli.md), with one line of the file per line.
 */
export function createJsonWriter(head: StatementHead): StatementWriter {
  const { shapeOf, money, time } = createShaper(head);
  let isFirst = true;
  return {
    begin: () => {
      const statement = {
        walletId: head.walletId,
        currency: head.currency,
        from: time(head.fromMs),
        to: time(head.toMs),
        timezone: head.timezone,
        opening: money(head.openingMinor),
        totalDebit: money(head.totalDebitMinor),
        totalCredit: money(head.totalCreditMinor),
        closing: money(head.closingMinor),
        ...heldBalancesOf(head, money),
      };
      return `{"status":"complete","statement":${JSON.stringify(statement).slice(0, -1)},"lines":[`;
    },
    line: (line) => {
      const separator = isFirst ? '\n' : ',\n';
      isFirst = false;
      return separator + JSON.stringify(shapeOf(line));
    },
    end: () => '\n]}}\n',
  };
}

/** One object a line, all of the same shape: no header; each has its currency. */
export function createNdjsonWriter(head: StatementHead): StatementWriter {
  const { shapeOf } = createShaper(head);
  const { currency } = head;
  return {
    begin: () => '',
    line: (line) => `${JSON.stringify({ ...shapeOf(line), currency })}\n`,
    end: () => '',
  };
}

function heldBalancesOf(
  { closingMinor, heldClosingMinor }: StatementHead,
  money: (minor: bigint) => string,
): object {
  if (heldClosingMinor === undefined) return {};
  return {
    heldClosing: money(heldClosingMinor),
    availableClosing: money(closingMinor - heldClosingMinor),
  };
}

function createShaper({ currency, timezone, heldClosingMinor }: StatementHead) {
  const hasHolds = heldClosingMinor !== undefined;
  const exponent = exponentOf(currency);
  const money = (minor: bigint): string => formatMinor(minor, exponent);
  const time = createZonedFormatter(timezone);
  const shapeOf = (line: StatementFileLine): object => {
    const amount = money(absoluteMinor(line.amountMinor));
    return {
      seq: Number(line.seq),
      date: time(line.occurredAtMs),
      transactionId: line.transactionId,
      operation: line.operation,
      description: line.description,
      merchant: merchantOf(line.contraAccount),
      debit: line.amountMinor < 0n ? amount : undefined,
      credit: line.amountMinor > 0n ? amount : undefined,
      balance: money(line.balanceAfterMinor),
      held: hasHolds && line.heldMinor ? money(line.heldMinor) : undefined,
      heldBalance: hasHolds ? money(line.heldAfterMinor ?? 0n) : undefined,
    };
  };
  return { money, time, shapeOf };
}
