import type { EntryRow } from '../../support/ledger/final-rows.ts';
import {
  accountOf,
  contraAccountOf,
  hasParent,
  isUndo,
  operationCodes,
  sizeOf,
} from '../../support/ledger/wallet-model.ts';
import type { Accepted, Command } from '../record/history.ts';

type Named = readonly (readonly [name: string, found: unknown, expected: unknown])[];

/** `name is found, not expected` for each value that differs; undefined if none does. */
function differenceBetween(values: Named): string | undefined {
  const texts = values
    .filter(([, found, expected]) => found !== expected)
    .map(([name, found, expected]) => `${name} is ${String(found)}, not ${String(expected)}`);
  return texts.length === 0 ? undefined : texts.join(', ');
}

/**
 * How an entry differs from what was asked for; undefined if it does not. An undo has the opposite
 * sign of its parent, its contra account, and a part of its amount; a use of a hold its account.
 */
export function differenceFromCommand(
  command: Command,
  entry: EntryRow,
  parent: EntryRow | undefined,
): string | undefined {
  const { walletId, operation, amountMinor, pair, payeeId } = command;
  const whole = parent ? amountOfRow(parent) : 0n;
  const size = amountMinor ?? whole - BigInt(entry.parent_used ?? 0);
  const isCredit = isUndo(operation) ? BigInt(parent?.amount ?? 0) < 0n : operation === 'deposit';
  const contra = hasParent(operation)
    ? parent?.contra_account
    : contraAccountOf({ ...command, payeeId: payeeId ?? pair?.otherUserId });
  const isReserved = operation === 'hold' || operation === 'release';
  return differenceBetween([
    ['wallet', entry.wallet_id, walletId],
    ['amount', entry.amount, isReserved ? '0' : String(isCredit ? size : -size)],
    ...(isReserved
      ? [['held', entry.held, String(operation === 'hold' ? size : -size)] as const]
      : []),
    ['contra account', entry.contra_account, contra],
    ['parent', entry.parent_id, command.parentId ?? null],
    ...namedBySide(command, entry),
  ]);
}

/** What an entry is of: what it moves, or else what it reserves or releases. */
const amountOfRow = ({ amount, held }: EntryRow): bigint =>
  sizeOf(BigInt(amount === '0' ? (held ?? 0) : amount));

const namedBySide = ({ operation, callerClass, groupId }: Command, entry: EntryRow): Named => [
  ['operation', entry.operation, operationCodes[operation]],
  ['source', entry.source, callerClass === 'message' ? 2 : 1],
  ['group', entry.group_id ?? null, groupId ?? null],
];

/** How the entry at the other side differs from what follows from the command's own one. */
export function differenceOfOther(
  command: Command,
  own: EntryRow,
  other: EntryRow,
): string | undefined {
  const { otherWalletId, userId } = command.pair ?? {};
  // Only the payer's wallet has the hold of a capture.
  const isCapture = command.operation === 'capture';
  const difference = differenceBetween([
    ['wallet', other.wallet_id, otherWalletId],
    ['amount', other.amount, String(-BigInt(own.amount))],
    ['contra account', other.contra_account, accountOf(userId ?? '')],
    ['parent', other.parent_id, isCapture ? null : own.parent_id],
    ['what was used of the parent', other.parent_used, isCapture ? null : own.parent_used],
    ...namedBySide(command, other),
  ]);
  return difference === undefined ? undefined : `the other side: ${difference}`;
}

/** How an entry differs from an answer about it; values that the answer leaves out do not count. */
export function differenceFromAnswer(answer: Accepted, entry: EntryRow): string | undefined {
  const size = String(amountOfRow(entry));
  const values: Named = [
    ['id', entry.id, answer.transactionId],
    ['seq', entry.seq, answer.seq?.toString()],
    ['amount', size, answer.amountMinor?.toString()],
    ['balance after', entry.balance_after, answer.balanceAfterMinor?.toString()],
    ['time', entry.at_ms, answer.occurredAtMs?.toString()],
    ['hash', entry.hash, answer.hash],
  ];
  return differenceBetween(values.filter(([, , expected]) => expected !== undefined));
}

/** A command and when it was asked for, for a report. */
export const describeCommand = ({ operation, amountMinor, key, transactionId }: Command): string =>
  `${operation}${amountMinor === undefined ? '' : ` of ${amountMinor}`}, key ${key}, id ${transactionId}`;
