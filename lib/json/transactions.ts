import { defaultVia, viaOf } from '../../core/contra-account.ts';
import { referenceKey } from '../../core/json/metadata.ts';
import {
  type Transaction,
  type Wallet,
  WalletStatus,
} from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { formatMoney } from './money.ts';
import { nameDirection, nameOperation } from './names.ts';

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
    direction: nameDirection(transaction.direction),
    currency,
    balanceAfter: formatMoney(transaction.balanceAfterMinor, currency),
    parentId: transaction.parentId,
    undone: formatUndone(transaction),
    counterparty: transaction.counterpartyUserId,
    via: namedViaOf(transaction.contraAccount),
    description: transaction.description,
    merchant: transaction.merchant,
    reference: transaction.metadata[referenceKey],
    metadata: hasPairs(transaction.metadata) ? transaction.metadata : undefined,
    held: formatIfAny(transaction.heldMinor, currency),
    heldAfter: formatIfAny(transaction.heldAfterMinor, currency),
    availableAfter: formatAvailableAfter(transaction),
    groupId: transaction.groupId,
    occurredAt: transaction.occurredAt?.toISOString(),
    replayed,
    dryRun: isDryRun ? true : undefined,
  };
}

const formatIfAny = (minor: bigint | undefined, currency: string): string | undefined =>
  minor === undefined ? undefined : formatMoney(minor, currency);

/** How much of it was undone, as a decimal string; undefined if nothing was. */
export const formatUndone = ({ undoneMinor, currency }: Transaction): string | undefined =>
  formatIfAny(undoneMinor, currency);

/** The balance without what was reserved then; undefined where nothing was. No overdraft counts. */
export const formatAvailableAfter = (transaction: Transaction): string | undefined => {
  const { balanceAfterMinor, heldAfterMinor, currency } = transaction;
  if (heldAfterMinor === undefined) return undefined;
  return formatMoney(balanceAfterMinor - heldAfterMinor, currency);
};

/** The account outside, where it is not the one that every server has. */
export function namedViaOf(contraAccount: string): string | undefined {
  const via = viaOf(contraAccount);
  return via === defaultVia ? undefined : via;
}

function hasPairs(metadata: Transaction['metadata']): boolean {
  for (const _key in metadata) return true;
  return false;
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
    ...toAvailableJson(wallet),
    seq: Number(wallet.seq),
    status: nameWalletStatus(wallet.status),
    asOf: asOf?.toISOString(),
  };
}

/** What can be spent now, and why it is not the balance. Of the past only what was held. */
function toAvailableJson(wallet: Wallet): object {
  const { availableMinor, heldMinor, overdraftLimitMinor } = wallet;
  if (isCorrupt(wallet)) return {};
  const money = (minor: bigint): string => formatMoney(minor, wallet.currency, wallet.exponent);
  if (availableMinor === undefined) {
    return heldMinor === undefined ? {} : { held: money(heldMinor) };
  }
  return {
    available: money(availableMinor),
    held: money(heldMinor ?? 0n),
    overdraftLimit: overdraftLimitMinor === undefined ? undefined : money(overdraftLimitMinor),
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
    ...toAvailableJson(wallet),
    seq: Number(wallet.seq),
    status: nameWalletStatus(wallet.status),
    lastAt: wallet.lastAt?.toISOString(),
    ...(isDryRun ? { dryRun: true } : {}),
  };
}

const statusNames = {
  [WalletStatus.ACTIVE]: 'active',
  [WalletStatus.FROZEN]: 'frozen',
  [WalletStatus.DEBITS_FROZEN]: 'debits_frozen',
  [WalletStatus.CLOSED]: 'closed',
  [WalletStatus.CORRUPT]: 'corrupt',
} as const;

/** All names of a wallet's status. */
export const walletStatusNames = [...Object.values(statusNames), 'unknown'] as const;

/** `unknown` for a number from a newer server. */
export const nameWalletStatus = (status: WalletStatus): (typeof walletStatusNames)[number] =>
  (statusNames as Readonly<Record<number, (typeof walletStatusNames)[number]>>)[status] ??
  'unknown';
