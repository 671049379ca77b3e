import { operationTable } from '../../core/operations.ts';
import type { StatementLine } from '../../protos/gen/digitalwallet/statement/v1/statement.ts';
import type { Line } from './domain.ts';

/** A line as watches and searches show it: debit and credit apart, neither below 0. */
export function toWireLine(line: Line): StatementLine {
  const { amountMinor } = line;
  const { heldMinor = 0n, heldAfterMinor = 0n } = line.more ?? {};
  return {
    seq: line.seq,
    occurredAt: new Date(line.occurredAtMs),
    transactionId: line.transactionId,
    operation: operationTable[line.operation].wireNumber,
    description: line.description,
    debitMinor: amountMinor < 0n ? -amountMinor : 0n,
    creditMinor: amountMinor > 0n ? amountMinor : 0n,
    balanceAfterMinor: line.balanceAfterMinor,
    contraAccount: line.contraAccount,
    parentId: line.parentId,
    hash: Buffer.from(line.hash, 'hex'),
    heldMinor: heldMinor || undefined,
    heldAfterMinor: heldMinor === 0n && heldAfterMinor === 0n ? undefined : heldAfterMinor,
  };
}

/** A line as a statement shows it: with what is reserved on each line, or on none. */
export const toStatementLine = (line: Line, hasHolds: boolean): StatementLine => ({
  ...toWireLine(line),
  ...(hasHolds
    ? { heldAfterMinor: line.more?.heldAfterMinor ?? 0n }
    : { heldMinor: undefined, heldAfterMinor: undefined }),
});
