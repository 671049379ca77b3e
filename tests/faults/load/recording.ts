import type { Transaction } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { Operation } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { walletIdOf } from '../../../core/ids.ts';
import { currency, nameOf, type Op } from '../book.ts';
import type { Command, Outcome, Pair } from '../record/history.ts';
import { outcomeOfReason } from '../record/outcomes.ts';
import type { End, RunRecord } from '../record/record.ts';
import { merchantOf } from './load.ts';

const commandOf = (op: Op): Command => ({
  ...{ walletId: op.walletId, transactionId: op.id, key: op.key, callerClass: op.callerClass },
  ...{ operation: nameOf(op.operation), amountMinor: op.amountMinor, parentId: op.parentId },
  ...{ merchant: merchantOf(op), pair: pairOf(op), via: op.account },
  ...{ keepsRest: op.keepsRest, groupId: op.groupId },
  payeeId: op.operation === Operation.HOLD ? op.otherUserId : undefined,
});

/** A hold concerns the wallet of who is paid once it is captured. */
const pairOf = ({ userId, otherUserId, operation }: Op): Pair | undefined =>
  otherUserId === undefined || operation === Operation.HOLD
    ? undefined
    : { userId, otherUserId, otherWalletId: walletIdOf(otherUserId, currency) };

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
  const { balance, walletId } = metadata;
  const outcome = outcomeOfReason(reason, balance === undefined ? undefined : toMinor(balance));
  return outcome.kind === 'refused' ? { ...outcome, walletId } : outcome;
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
