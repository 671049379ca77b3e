import { formatMinor } from '../../core/money.ts';
import { refuse, succeed, type Result } from '../../core/reasons.ts';
import type { WalletState, WalletStatus } from './domain-types.ts';

/** What staff do to a wallet's status. */
export type StatusChange = 'freeze' | 'freeze_debits' | 'unfreeze' | 'close' | 'reopen';

/**
 * The status of a wallet after a change; the same as before where there is nothing to do.
 * WALLET_CLOSED for a freeze or an unfreeze of a closed wallet, WALLET_NOT_EMPTY.
 */
export function decideStatus(wallet: WalletState, change: StatusChange): Result<WalletStatus> {
  const { id, currency, exponent, balanceMinor, terms } = wallet;
  const isClosed = terms.status === 'closed';
  if (change === 'reopen') return succeed(isClosed ? 'active' : terms.status);
  if (change === 'close') {
    if (wallet.held) return refuseHeld(wallet);
    if (balanceMinor === 0n) return succeed('closed');
    const balance = formatMinor(balanceMinor, exponent);
    return refuse(
      'WALLET_NOT_EMPTY',
      `the balance is ${balance} ${currency}, and only an empty wallet can be closed: name the ` +
        'user who gets the balance, or move it first',
      { walletId: id, balance, currency },
    );
  }
  if (isClosed) {
    const message = 'the wallet is closed: reopen it first';
    return refuse('WALLET_CLOSED', message, { walletId: id });
  }
  return succeed(targets[change]);
}

/** The refusal to close a wallet that has money reserved. */
export function refuseHeld({ id, currency, exponent, held }: WalletState) {
  const amount = formatMinor(held?.heldMinor ?? 0n, exponent);
  const message =
    `${amount} ${currency} are reserved by holds, and only an empty wallet can be closed: ` +
    'capture or release them first';
  return refuse('WALLET_NOT_EMPTY', message, { walletId: id, held: amount, currency });
}

const targets = { freeze: 'frozen', freeze_debits: 'debits_frozen', unfreeze: 'active' } as const;

/** Whether a change lets a wallet do more than before: staff may not do that to their own. */
export const isLoosening = (from: WalletStatus, change: StatusChange): boolean =>
  change === 'freeze' ? false : change !== 'freeze_debits' || from === 'frozen';
