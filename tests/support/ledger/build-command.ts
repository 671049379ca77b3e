import { randomUUID } from 'node:crypto';

import { transactionIdOf, walletIdOf } from '../../../core/ids.ts';
import type { Command, WalletRef } from '../../../daemon/wallet/domain.ts';

/** A user's wallet in BRL. */
export const brlWalletOf = (userId: string): WalletRef => ({
  id: walletIdOf(userId, 'BRL'),
  userId,
  currency: 'BRL',
  exponent: 2,
});

/** A deposit of 1.00 BRL by the user under a new key, unless `fields` say otherwise. */
export function buildCommand(userId: string, fields: Partial<Command> = {}): Command {
  const wallet = brlWalletOf(userId);
  const key = fields.key ?? randomUUID();
  return {
    transactionId: transactionIdOf(wallet.id, 'customer', key),
    key,
    wallet,
    operation: 'deposit',
    amountMinor: 100n,
    parentId: undefined,
    merchant: undefined,
    description: undefined,
    metadata: {},
    callerClass: 'customer',
    actor: userId,
    ...fields,
  };
}
