import { operationTable } from '../../core/operations.ts';
import type { StatementLine } from '../../protos/gen/digitalwallet/statement/v1/statement.ts';
import type { Line } from './domain.ts';

/** A line as statements and watches show it: debit and credit apart, neither below 0. */
export function toWireLine(line: Line): StatementLine {
  const { amountMinor } = line;
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
  };
}
