import { z } from 'zod';

import { holdStateNames, toHoldJson } from '../../../../lib/json/holds.ts';
import { toTransactionJson } from '../../../../lib/json/transactions.ts';
import {
  Operation,
  type CreateTransactionResponse,
} from '../../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { currency, money, time, uuid } from '../../http/fields.ts';

/** docs/cli.md, "JSON": a hold. */
export const holdShape = z
  .object({
    id: uuid.optional().meta({ description: 'Of the transaction; absent in a dry run' }),
    walletId: uuid,
    userId: uuid,
    amount: money,
    captured: money,
    left: money.meta({ description: 'What can still be captured' }),
    currency,
    state: z.enum([...holdStateNames, 'unknown']),
    for: z.string().meta({
      description: 'The account that a capture pays: `merchant…`, `user:…` or `external:…`',
    }),
    placedAt: time,
    expiresAt: time.meta({ description: 'From then on it cannot be captured' }),
    closedAt: time.optional(),
  })
  .meta({ id: 'Hold' });

export const holdExample = {
  id: '2f8a3c11-5d0e-5b7c-9f0a-6f1e7f0b4c21',
  walletId: '5b0f7a3d-56d0-5e35-9c2f-a3a2f7c1d9a4',
  userId: '0b7c1f52-6a0e-4a59-9d5c-2f6f1f0c9a11',
  ...{ amount: '50.00', captured: '0.00', left: '50.00', currency: 'BRL', state: 'open' },
  for: 'merchant:Hotel Sol',
  placedAt: '2026-11-22T21:42:10.123Z',
  expiresAt: '2026-11-29T21:42:10.123Z',
};

/** A transaction, with the hold that it placed or used. */
export function toMadeJson(
  { transaction, replayed, hold }: CreateTransactionResponse,
  isDryRun: boolean,
): object {
  if (!transaction) throw new Error('the answer has no transaction');
  const made = toTransactionJson({ transaction, replayed, isDryRun });
  if (!hold) return made;
  const isImagined = isDryRun && !replayed && transaction.operation === Operation.HOLD;
  return { ...made, hold: toHoldJson({ hold, isImagined }) };
}
