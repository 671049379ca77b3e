import { Direction, type Transaction } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';

/**
 * What a transaction moved, in minor units: below 0 from the wallet, 0 where money was only
 * reserved or released.
 */
export function movedMinorOf({
  amountMinor,
  direction,
}: Pick<Transaction, 'amountMinor' | 'direction'>): bigint {
  if (direction === Direction.NONE) return 0n;
  return direction === Direction.DEBIT ? -amountMinor : amountMinor;
}
