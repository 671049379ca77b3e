import { randomUUID } from 'node:crypto';

import { transactionIdOf, walletIdOf } from '../../../core/ids.ts';
import { walletsOf, type Command, type WalletRef } from '../../../daemon/wallet/domain.ts';

/** A user's wallet in a currency. */
export const walletRefOf = (userId: string, currency = 'BRL', exponent = 2): WalletRef => ({
  id: walletIdOf(userId, currency),
  userId,
  currency,
  exponent,
});

/** A user's wallet in BRL. */
export const brlWalletOf = (userId: string): WalletRef => walletRefOf(userId);

/**
 * A deposit of 1.00 BRL by the user under a new key, with the given fields in place of its own. The
 * transaction's id follows from wallet, caller class and key.
 */
export function buildCommand(userId: string, fields: Partial<Command> = {}): Command {
  const { wallet = brlWalletOf(userId), callerClass = 'customer', key = randomUUID() } = fields;
  return {
    transactionId: transactionIdOf(wallet.id, callerClass, key),
    key,
    wallet,
    operation: 'deposit',
    amountMinor: 100n,
    parentId: undefined,
    merchant: undefined,
    description: undefined,
    metadata: {},
    callerClass,
    actor: userId,
    more: undefined,
    ...fields,
  };
}

/** The same commands as an atomic group. */
export function buildGroup(
  commands: readonly Command[],
  groupId: string = randomUUID(),
): Command[] {
  const wallets = new Map(commands.flatMap(walletsOf).map((ref) => [ref.id, ref]));
  const group = { size: commands.length, wallets: [...wallets.values()] };
  return commands.map((command) => ({ ...command, more: { ...command.more, groupId, group } }));
}
