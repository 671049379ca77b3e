import {
  type Transaction,
  type Wallet,
  WalletStatus,
} from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { formatMoney } from './money.ts';
import { nameOperation } from './names.ts';

/** A transaction as printed; `replayed` and `isDryRun` say how it was come by. */
export type TransactionRow = {
  readonly transaction: Transaction;
  readonly replayed: boolean;
  readonly isDryRun: boolean;
};

/**
 * docs/cli.md, "JSON": the shape of a transaction. What is undefined is absent in the text. One
 * literal: an object made by spread costs several times as much to make and to write.
 */
export function toTransactionJson({ transaction, replayed, isDryRun }: TransactionRow): object {
  const { currency } = transaction;
  const isImagined = isDryRun && !replayed;
  return {
    id: isImagined ? undefined : transaction.id,
    walletId: transaction.walletId,
    seq: isImagined ? undefined : Number(transaction.seq),
    operation: nameOperation(transaction.operation),
    amount: formatMoney(transaction.amountMinor, currency),
    currency,
    balanceAfter: formatMoney(transaction.balanceAfterMinor, currency),
    parentId: transaction.parentId,
    description: transaction.description,
    merchant: transaction.merchant,
    occurredAt: transaction.occurredAt?.toISOString(),
    replayed,
    dryRun: isDryRun ? true : undefined,
  };
}

export type BalanceRow = { readonly wallet: Wallet; readonly asOf: Date | undefined };

export const isCorrupt = ({ status }: Wallet): boolean => status === WalletStatus.CORRUPT;

/** Undefined where the server sends none: the wallet contradicts its last transaction. */
export const formatBalance = (wallet: Wallet): string | undefined =>
  isCorrupt(wallet)
    ? undefined
    : formatMoney(wallet.balanceMinor, wallet.currency, wallet.exponent);

/** docs/cli.md, "JSON": the shape of a balance. */
export function toBalanceJson({ wallet, asOf }: BalanceRow): object {
  return {
    walletId: wallet.id,
    userId: wallet.userId,
    currency: wallet.currency,
    balance: formatBalance(wallet),
    seq: Number(wallet.seq),
    asOf: asOf?.toISOString(),
  };
}

/** A wallet as printed; `isDryRun` says that what was asked for was not done. */
export type WalletRow = { readonly wallet: Wallet; readonly isDryRun: boolean };

/** docs/cli.md, "JSON": the shape of a wallet. */
export function toWalletJson({ wallet, isDryRun }: WalletRow): object {
  return {
    id: wallet.id,
    userId: wallet.userId,
    currency: wallet.currency,
    balance: formatBalance(wallet),
    seq: Number(wallet.seq),
    status: nameWalletStatus(wallet.status),
    lastAt: wallet.lastAt?.toISOString(),
    ...(isDryRun ? { dryRun: true } : {}),
  };
}

/** `unknown` for a number from a newer server. */
export function nameWalletStatus(
  status: WalletStatus,
): 'active' | 'frozen' | 'corrupt' | 'unknown' {
  if (status === WalletStatus.CORRUPT) return 'corrupt';
  if (status === WalletStatus.ACTIVE) return 'active';
  return status === WalletStatus.FROZEN ? 'frozen' : 'unknown';
}
