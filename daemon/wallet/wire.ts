import { merchantOf } from '../../core/contra-account.ts';
import { absoluteMinor } from '../../core/money.ts';
import { operationTable } from '../../core/operations.ts';
import {
  Direction,
  WalletStatus,
  type Transaction,
  type Wallet,
} from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Entry, WalletState } from './domain.ts';

export function toWireTransaction(entry: Entry): Transaction {
  const { wallet, amountMinor } = entry;
  return {
    id: entry.id,
    walletId: wallet.id,
    userId: wallet.userId,
    currency: wallet.currency,
    seq: entry.seq,
    operation: operationTable[entry.operation].wireNumber,
    amountMinor: absoluteMinor(amountMinor),
    direction: amountMinor < 0n ? Direction.DEBIT : Direction.CREDIT,
    balanceAfterMinor: entry.balanceAfterMinor,
    contraAccount: entry.contraAccount,
    parentId: entry.parentId,
    description: entry.description,
    merchant: merchantOf(entry.contraAccount),
    metadata: copyMetadata(entry.metadata),
    actor: entry.actor,
    occurredAt: toDate(entry.occurredAtMs),
    hash: Buffer.from(entry.hash, 'hex'),
    source: undefined,
  };
}

let lastDate = new Date(0);

/** Entries of one commit share their time. */
function toDate(ms: number): Date {
  if (lastDate.getTime() !== ms) lastDate = new Date(ms);
  return lastDate;
}

/** Rarely there is any, and copying nothing costs as much as the rest of a transaction. */
function copyMetadata(metadata: Entry['metadata']): Transaction['metadata'] {
  for (const _key in metadata) return { ...metadata };
  return {};
}

export function toWireWallet(wallet: WalletState): Wallet {
  return {
    id: wallet.id,
    userId: wallet.userId,
    currency: wallet.currency,
    exponent: wallet.exponent,
    status: wallet.status === 'frozen' ? WalletStatus.FROZEN : WalletStatus.ACTIVE,
    balanceMinor: wallet.balanceMinor,
    seq: wallet.seq,
    lastAt: wallet.seq === 0n ? undefined : new Date(wallet.lastAtMs),
    lastHash: undefined,
  };
}
