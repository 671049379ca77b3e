import { z } from 'zod';

import type { OperationName } from '../../support/ledger/wallet-model.ts';
import type { HeardEntry } from './history.ts';

const operations = [
  ...(['deposit', 'withdraw', 'purchase', 'reversal', 'cancellation', 'transfer'] as const),
  ...(['hold', 'capture', 'release', 'fee'] as const),
];

/** An event of one entry: of money that moved, or that is reserved or released (docs/events.md). */
export const entryEvent = z.object({
  pattern: z.enum(['transaction_created', 'hold_changed']),
  data: z.object({
    walletId: z.string(),
    transaction: z.object({
      id: z.string(),
      seq: z.number(),
      operation: z.enum(operations satisfies readonly OperationName[]),
      amount: z.string(),
      direction: z.enum(['debit', 'credit', 'none']),
      balanceAfter: z.string(),
      held: z.string().optional(),
      occurredAt: z.string(),
      previousHash: z.string(),
      hash: z.string(),
    }),
  }),
});

/** The routing keys of these events. */
export const entryKeys = ['transaction.created', 'hold.placed', 'hold.released'];

const toMinor = (amount: string): bigint => BigInt(amount.replace('.', ''));

/** What the event says of its entry. */
export function toHeardEntry({
  walletId,
  transaction,
}: z.infer<typeof entryEvent>['data']): Omit<HeardEntry, 'atMs'> {
  const { id: transactionId, seq, operation, amount, direction, occurredAt } = transaction;
  const { balanceAfter, held = '0', previousHash, hash } = transaction;
  const sign = { debit: -1n, credit: 1n, none: 0n }[direction];
  return {
    ...{ walletId, transactionId, seq: BigInt(seq), operation, previousHash, hash },
    amountMinor: sign * toMinor(amount),
    heldMinor: toMinor(held),
    balanceAfterMinor: toMinor(balanceAfter),
    occurredAtMs: Date.parse(occurredAt),
  };
}
