import type { Transaction } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { Operation } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { nameOf, type Op } from '../book.ts';
import type { Command, Outcome } from '../record/history.ts';
import { outcomeOfReason } from '../record/outcomes.ts';
import type { End, RunRecord } from '../record/record.ts';

const commandOf = (op: Op): Command => ({
  ...{ walletId: op.walletId, transactionId: op.id, key: op.key, callerClass: op.callerClass },
  ...{ operation: nameOf(op.operation), amountMinor: op.amountMinor, parentId: op.parentId },
  merchant: merchantOf(op),
});

/** Where the purchase is made; a message does not say it. */
export const merchantOf = ({ operation, via }: Op): string | undefined =>
  operation === Operation.PURCHASE && via !== 'message' ? 'Bakery' : undefined;

/** Before a request is sent; the function given takes its answer. */
export const beginAttempt = (
  record: RunRecord,
  op: Op,
  client: string,
  daemon: string | undefined,
): End<Outcome> => record.beginAttempt({ command: commandOf(op), client, over: op.via, daemon });

/** What a call or an item was refused with; the ledger names the balance where it is too low. */
export function toRefusal({
  reason = '',
  metadata = {},
}: {
  readonly reason?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}): Outcome {
  const { balance } = metadata;
  return outcomeOfReason(reason, balance === undefined ? undefined : toMinor(balance));
}

const toMinor = (amount: string): bigint => BigInt(amount.replace('.', ''));

export function toOutcome(transaction: Transaction | undefined, isReplayed: boolean): Outcome {
  if (!transaction) return { kind: 'unknown', reason: 'no transaction' };
  const { id: transactionId, seq, amountMinor, balanceAfterMinor, occurredAt, hash } = transaction;
  return {
    ...{ kind: 'accepted', transactionId, seq, amountMinor, balanceAfterMinor, isReplayed },
    ...{ occurredAtMs: occurredAt?.getTime(), hash: Buffer.from(hash).toString('hex') },
  };
}
