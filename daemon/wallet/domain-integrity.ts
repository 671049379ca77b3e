import { refuse } from '../../core/reasons.ts';
import { corruptText, newWallet, type Entry, type WalletRef, type WalletState } from './domain.ts';

/** What the ledger has last of a wallet, as far as it must agree with the wallet's row. */
export type LastEntry = Pick<Entry, 'seq' | 'balanceAfterMinor' | 'hash'>;

/** Whether a wallet's row says what its last entry says: an edit of either shows. */
export function agreesWith(wallet: WalletState, last: LastEntry | undefined): boolean {
  const start = { seq: 0n, balanceAfterMinor: 0n, hash: newWallet(wallet).lastHash };
  const { seq, balanceAfterMinor, hash } = last ?? start;
  return (
    wallet.seq === seq && wallet.balanceMinor === balanceAfterMinor && wallet.lastHash === hash
  );
}

/** The refusal where another transaction kept a wallet locked for too long. */
export const walletBusy = refuse(
  'WALLET_BUSY',
  'another transaction has the wallet locked: nothing was done, try again',
);

/** The refusal for a wallet that does not agree with its last entry. */
export const corruptWallet = ({ id }: WalletRef) =>
  refuse('WALLET_CORRUPT', corruptText, { walletId: id });
