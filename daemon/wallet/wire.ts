import { merchantOf, userOfAccount } from '../../core/contra-account.ts';
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
  const { wallet, amountMinor, more } = entry;
  const heldMinor = more?.heldMinor ?? 0n;
  const heldAfterMinor = more?.heldAfterMinor ?? 0n;
  const isHeld = heldMinor !== 0n || heldAfterMinor !== 0n;
  return {
    id: entry.id,
    walletId: wallet.id,
    userId: wallet.userId,
    currency: wallet.currency,
    seq: entry.seq,
    operation: operationTable[entry.operation].wireNumber,
    // A hold or release moves nothing: it shows what it reserves or gives back.
    amountMinor: absoluteMinor(amountMinor === 0n ? heldMinor : amountMinor),
    direction: directionOf(amountMinor),
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
    heldMinor: heldMinor === 0n ? undefined : heldMinor,
    heldAfterMinor: isHeld ? heldAfterMinor : undefined,
    parentUsedMinor: undefined,
    groupId: more?.groupId,
    counterpartyUserId: userOfAccount(entry.contraAccount),
    undoneMinor: undefined,
  };
}

function directionOf(amountMinor: bigint): Direction {
  if (amountMinor === 0n) return Direction.NONE;
  return amountMinor < 0n ? Direction.DEBIT : Direction.CREDIT;
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

const wireStatuses: Readonly<Record<WalletState['terms']['status'], WalletStatus>> = {
  active: WalletStatus.ACTIVE,
  frozen: WalletStatus.FROZEN,
  debits_frozen: WalletStatus.DEBITS_FROZEN,
  closed: WalletStatus.CLOSED,
};

export function toWireWallet(wallet: WalletState): Wallet {
  return {
    id: wallet.id,
    userId: wallet.userId,
    currency: wallet.currency,
    exponent: wallet.exponent,
    status: wireStatuses[wallet.terms.status],
    balanceMinor: wallet.balanceMinor,
    seq: wallet.seq,
    lastAt: wallet.seq === 0n ? undefined : new Date(wallet.lastAtMs),
    lastHash: undefined,
  };
}

/**
 * A wallet with what can be spent now. `overMinor` is held by holds whose time is over: nothing keeps
 * it from being spent.
 */
export function toWireBalance(wallet: WalletState, overMinor = 0n): Wallet {
  const { balanceMinor, terms } = wallet;
  const heldMinor = (wallet.held?.heldMinor ?? 0n) - overMinor;
  return {
    ...toWireWallet(wallet),
    heldMinor: heldMinor === 0n ? undefined : heldMinor,
    availableMinor: balanceMinor + terms.overdraftMinor - heldMinor,
    overdraftLimitMinor: terms.overdraftMinor === 0n ? undefined : terms.overdraftMinor,
  };
}

/** A wallet of the past: what its terms were is not in the ledger, so what could be spent is not. */
export function toWirePast(wallet: WalletState, overMinor: bigint): Wallet {
  const heldMinor = (wallet.held?.heldMinor ?? 0n) - overMinor;
  return { ...toWireWallet(wallet), heldMinor: heldMinor === 0n ? undefined : heldMinor };
}
