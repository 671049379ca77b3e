import {
  accountOfUser,
  defaultVia,
  externalPrefix,
  feesVia,
  merchantPrefix,
  userOfAccount,
} from '../../core/contra-account.ts';
import { absoluteMinor, formatMinor } from '../../core/money.ts';
import { canUndo, isUndo } from '../../core/operations.ts';
import { reject } from './domain-refusals.ts';
import type { Command, Decision, Entry, States, WalletRef, WalletState } from './domain-types.ts';

/** What a command moves on its own wallet; the other one gets the opposite, if there is one. */
export type Movement = {
  readonly amountMinor: bigint;
  /** Above 0 reserves money on the own wallet, below 0 releases it. */
  readonly heldMinor: bigint;
  readonly contraAccount: string;
  readonly other: WalletRef | undefined;
  /** What of the command's parent was used before, and the parent's whole amount. */
  readonly parent: { readonly usedMinor: bigint; readonly amountMinor: bigint } | undefined;
  /** In place of the command's own. */
  readonly metadata: Command['metadata'] | undefined;
};

/** Where the money of a command without a parent comes from or goes to. */
export function contraAccountOf({ operation, merchant, more }: Command): string {
  if (operation === 'fee') return feesAccount;
  if (operation === 'hold' && more?.payeeUserId !== undefined) {
    return accountOfUser(more.payeeUserId);
  }
  if (operation === 'purchase' || (operation === 'hold' && more?.via === undefined)) {
    return merchant === undefined ? anyMerchant : merchantPrefix + merchant;
  }
  const other = more?.other;
  return other ? accountOfUser(other.userId) : externalPrefix + (more?.via ?? defaultVia);
}

const feesAccount = `${externalPrefix}${feesVia}`;
/** A merchant without a name. */
const anyMerchant = 'merchant';

const isMerchant = (contraAccount: string): boolean =>
  contraAccount === anyMerchant || contraAccount.startsWith(merchantPrefix);

/** What a command that concerns no hold moves, or why it moves nothing. */
export function findMovement(
  states: States,
  command: Command,
  wallet: WalletState,
): Movement | Decision {
  if (isUndo(command.operation)) return findUndo(states, command, wallet);
  const sign = command.operation === 'deposit' ? 1n : -1n;
  return {
    amountMinor: sign * (command.amountMinor ?? 0n),
    heldMinor: 0n,
    contraAccount: contraAccountOf(command),
    other: command.more?.other,
    parent: undefined,
    metadata: undefined,
  };
}

/** What a customer could not have asked for, and does not take back. */
const takenByStaff: ReadonlySet<string> = new Set(['capture', 'fee']);

function findUndo(states: States, command: Command, wallet: WalletState): Movement | Decision {
  const parentId = command.parentId ?? '';
  const parent = states.entries.get(parentId)?.find((entry) => entry.wallet.id === wallet.id);
  const of = { field: 'parent_id', parentId };
  const other = command.more?.other;
  // Its other side was looked up before the locks: a parent that appeared since is not there yet.
  if (!parent || userOfAccount(parent.contraAccount) !== other?.userId) {
    return reject('PARENT_NOT_FOUND', `this wallet has no transaction ${parentId}`, of);
  }
  if (!canUndo(command.operation, parent.operation)) {
    return reject(
      'PARENT_NOT_UNDOABLE',
      `a ${command.operation} cannot undo a ${parent.operation}` +
        (canUndo('reversal', parent.operation) ? ': use a reversal' : ''),
      { ...of, operation: command.operation, parent: parent.operation },
    );
  }
  if (command.operation === 'cancellation' && !isMerchant(parent.contraAccount)) {
    const message = 'a cancellation undoes what was paid to a merchant: use a reversal';
    return reject('PARENT_NOT_UNDOABLE', message, { ...of, parent: parent.operation });
  }
  if (command.callerClass === 'customer' && (other || takenByStaff.has(parent.operation))) {
    const why = other ? ': the payee has the money' : '';
    const message = `only staff can undo a ${parent.operation}${why}`;
    return reject('PARENT_NOT_UNDOABLE', message, { ...of, parent: parent.operation });
  }
  const usedMinor = states.used.get(usedKey(wallet.id, parentId)) ?? 0n;
  return takeOfParent(command, parent, usedMinor, other);
}

/** A part of what is left of a parent, or all of it. */
function takeOfParent(
  command: Command,
  parent: Entry,
  usedMinor: bigint,
  other: WalletRef | undefined,
): Movement | Decision {
  const { currency, exponent } = parent.wallet;
  const of = { field: 'parent_id', parentId: parent.id };
  const wholeMinor = absoluteMinor(parent.amountMinor);
  const leftMinor = wholeMinor - usedMinor;
  if (leftMinor <= 0n) {
    return reject('PARENT_ALREADY_UNDONE', `transaction ${parent.id} has been undone already`, of);
  }
  const amountMinor = command.amountMinor ?? leftMinor;
  if (amountMinor > leftMinor) {
    const left = formatMinor(leftMinor, exponent);
    const whole = formatMinor(wholeMinor, exponent);
    return reject(
      'UNDO_EXCEEDS_PARENT',
      `${left} of ${whole} ${currency} are left to undo: give that amount at most, or none for all of it`,
      { field: 'amount', parentId: parent.id, left, amount: whole, currency },
    );
  }
  return {
    amountMinor: parent.amountMinor > 0n ? -amountMinor : amountMinor,
    heldMinor: 0n,
    contraAccount: parent.contraAccount,
    other,
    parent: { usedMinor, amountMinor: wholeMinor },
    metadata: undefined,
  };
}

/** The key of `States.used`. */
export const usedKey = (walletId: string, parentId: string): string => `${walletId} ${parentId}`;

/** How much of its parent an entry uses up, with what was used before. */
export function usedAfter({ amountMinor, more }: Entry): bigint {
  const movedMinor = absoluteMinor(amountMinor);
  if (!more) return movedMinor;
  const heldMinor = absoluteMinor(more.heldMinor);
  return more.parentUsedMinor + (heldMinor > movedMinor ? heldMinor : movedMinor);
}
