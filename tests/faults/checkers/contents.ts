import type { EntryRow } from '../../support/ledger/final-rows.ts';
import { contraAccountOf, isUndo, operationCodes } from '../../support/ledger/wallet-model.ts';
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
 * How an entry differs from what was asked for; undefined if it does not. An undo has minus the
 * amount of its parent, and the parent's contra account.
 */
export function differenceFromCommand(
  command: Command,
  entry: EntryRow,
  parent: EntryRow | undefined,
): string | undefined {
  const { walletId, operation, callerClass, amountMinor, parentId } = command;
  const size = amountMinor ?? 0n;
  const undone = { amount: -BigInt(parent?.amount ?? 0), contra: parent?.contra_account };
  const direct = {
    amount: operation === 'deposit' ? size : -size,
    contra: contraAccountOf(command),
  };
  const { amount, contra } = isUndo(operation) ? undone : direct;
  return differenceBetween([
    ['wallet', entry.wallet_id, walletId],
    ['operation', entry.operation, operationCodes[operation]],
    ['amount', entry.amount, String(amount)],
    ['contra account', entry.contra_account, contra],
    ['parent', entry.parent_id, parentId ?? null],
    ['source', entry.source, callerClass === 'message' ? 2 : 1],
  ]);
}

/** How an entry differs from an answer about it; values that the answer leaves out do not count. */
export function differenceFromAnswer(answer: Accepted, entry: EntryRow): string | undefined {
  const size = entry.amount.replace('-', '');
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
