import { findViaProblem } from '../../../../core/contra-account.ts';
import { findExponent } from '../../../../core/currencies.ts';
import { canonicalUuid } from '../../../../core/ids.ts';
import { formatMinor, parseAmount } from '../../../../core/money.ts';
import {
  hasParent,
  isOperation,
  ofHold,
  operations,
  type Operation,
} from '../../../../core/operations.ts';
import type { Reason } from '../../../../core/reasons.ts';
import { canonicalText, findTextProblem, textLimits } from '../../../../core/text.ts';
import { addSubject } from '../../../terminal/subject.ts';
import type { Expiry } from '../../shared/lifetime.ts';
import { readUserName } from '../../users/actor.ts';
import { checkHoldCells } from './hold-cells.ts';
import { readPairs, type Metadata } from './pairs.ts';
import type { BatchColumn, Cells, RawRow } from './raw-row.ts';

/** What a row says, as far as it can be read, for the results. */
export type RowText = {
  readonly operation: string;
  readonly amount: string;
  readonly currency: string;
  readonly user: string;
  /** Who is paid, as the row names them. */
  readonly to?: string;
};

/** A row that can be sent once its user is known. All texts are in their canonical form. */
export type CheckedRow = {
  readonly row: number;
  readonly operation: Operation;
  readonly amountMinor: bigint | undefined;
  /** Empty: the parent's. */
  readonly currency: string;
  /** An id or an e-mail address; undefined: the caller. */
  readonly user: string | undefined;
  readonly parentId: string | undefined;
  readonly description: string | undefined;
  readonly merchant: string | undefined;
  readonly key: string | undefined;
  /** Who is paid by a transfer, or by a hold's captures: an id or an e-mail address. */
  readonly to: string | undefined;
  readonly via: string | undefined;
  readonly reference: string | undefined;
  /** Without the reference. */
  readonly metadata: Metadata;
  /** Of a capture: what is left of the hold stays reserved. */
  readonly keepsRest: boolean;
  readonly text: RowText;
} & Expiry;

/** A row that is refused before anything is sent. */
export type InvalidRow = {
  readonly row: number;
  readonly reason: Reason;
  /** The column that is wrong; empty for the row as a whole. */
  readonly field: BatchColumn | '';
  readonly message: string;
  readonly key: string | undefined;
  readonly text: RowText;
};

export type RowDefaults = {
  readonly currency: string;
  /** For rows without a user of their own. */
  readonly user: string | undefined;
  readonly isStaff: boolean;
  /** Without a batch id each row must bring its key. */
  readonly isKeyNeeded: boolean;
  /** Of an atomic group, which may have fees. */
  readonly isGroup: boolean;
};

const textColumns = [
  ['description', textLimits.description],
  ['merchant', textLimits.merchant],
  ['key', textLimits.idempotencyKey],
] as const;

/** The cells of a row in their canonical form, without those that are blank. */
function toCanonical({ cells }: RawRow): Cells {
  const canonical: Partial<Record<BatchColumn, string>> = {};
  for (const column of Object.keys(cells) as BatchColumn[]) {
    const cell = cells[column];
    const text = cell === undefined ? '' : canonicalText(cell);
    if (text !== '') canonical[column] = text;
  }
  if (canonical.operation !== undefined) canonical.operation = canonical.operation.toLowerCase();
  if (canonical.currency !== undefined) canonical.currency = canonical.currency.toUpperCase();
  return canonical;
}

function findOperationProblem(operation: string, isGroup: boolean): string | undefined {
  const possible = isGroup ? operations : operations.filter((one) => one !== 'fee');
  if (possible.some((one) => one === operation)) return undefined;
  if (operation !== 'fee') return `must be one of ${possible.join(', ')}`;
  return 'fee is possible in an atomic group only: `wallet group run FILE`';
}

/** Checks a row as far as it can be without the server. */
export function checkRow(raw: RawRow, defaults: RowDefaults): CheckedRow | InvalidRow {
  const { row } = raw;
  const cells = toCanonical(raw);
  const { operation = '', amount = '', parent_id: parent, description, merchant, key } = cells;
  const text = { operation, amount, currency: cells.currency ?? '', user: cells.user ?? '' };
  const invalid = (
    field: InvalidRow['field'],
    message: string,
    reason: Reason = 'INVALID_ARGUMENT',
  ): InvalidRow => toInvalid({ row, key, text }, field, message, reason);
  if (raw.problem !== undefined) return invalid('', `the row ${raw.problem}`);
  const garbled = findGarbled(cells);
  if (garbled) return invalid(garbled, 'is not valid UTF-8: save the file as UTF-8');
  const unknown = findOperationProblem(operation, defaults.isGroup);
  if (!isOperation(operation) || unknown !== undefined) return invalid('operation', unknown ?? '');
  for (const [column, maxLength] of textColumns) {
    const cell = cells[column];
    const problem = cell === undefined ? undefined : findTextProblem(cell, maxLength);
    if (problem !== undefined) return invalid(column, problem);
  }
  if (merchant !== undefined && operation !== 'purchase' && operation !== 'hold') {
    return invalid('merchant', 'must be empty: only a purchase and a hold have a merchant');
  }
  if (key === undefined && defaults.isKeyNeeded) {
    return invalid('key', 'is missing, and there is no --batch-id to make one from');
  }
  const more = checkMore(operation, cells);
  if (!more.ok) return invalid(more.field, more.message);
  const ofHolds = checkHoldCells(operation, cells);
  if (!ofHolds.ok) return invalid(ofHolds.field, ofHolds.message);
  const user = checkUser(cells.user, defaults);
  if (!user.ok) return invalid('user', user.message, user.reason);
  if (raw.amountProblem !== undefined) {
    return invalid('amount', `is not a valid amount: ${raw.amountProblem}`, 'AMOUNT_INVALID');
  }
  const sum = checkSum(operation, cells, defaults);
  if (!sum.ok) return invalid(sum.field, sum.message, sum.reason);
  const { amountMinor, currency } = sum;
  return {
    ...{ row, operation, amountMinor, currency, description, merchant, key },
    ...{ to: more.to, via: cells.via, reference: cells.reference, metadata: more.metadata },
    ...ofHolds.value,
    user: user.name,
    parentId: parent === undefined ? undefined : canonicalUuid(parent),
    text: {
      ...{ operation, currency, user: user.name ?? '' },
      ...(more.to === undefined ? {} : { to: more.to }),
      amount: amountMinor === undefined ? '' : formatMinor(amountMinor, sum.exponent),
    },
  };
}

/** A row that is not sent, with the column that is wrong in the message too. */
export const toInvalid = (
  { row, key, text }: Pick<InvalidRow, 'row' | 'key' | 'text'>,
  field: InvalidRow['field'],
  message: string,
  reason: Reason = 'INVALID_ARGUMENT',
): InvalidRow => ({ row, reason, field, message: addSubject(field, message), key, text });

/** A column that has bytes which are no UTF-8. */
function findGarbled(cells: Cells): BatchColumn | undefined {
  for (const column in cells) {
    if (cells[column as BatchColumn]?.includes('\uFFFD') || column.includes('\uFFFD')) {
      return column as BatchColumn;
    }
  }
  return undefined;
}

type More =
  | { readonly ok: true; readonly to: string | undefined; readonly metadata: Metadata }
  | { readonly ok: false; readonly field: BatchColumn; readonly message: string };

/** Who is paid, through which account, and what else there is to say. */
function checkMore(operation: Operation, cells: Cells): More {
  const { to, via } = cells;
  const bad = (field: BatchColumn, message: string): More => ({ ok: false, field, message });
  if (operation === 'transfer' && to === undefined) {
    return bad('to', 'must name who is paid, by e-mail address or id');
  }
  if (operation !== 'transfer' && operation !== 'hold' && to !== undefined) {
    return bad('to', `must be empty: a ${operation} pays no other user`);
  }
  const payee = to === undefined ? undefined : readUserName(to);
  if (payee?.ok === false) return bad('to', payee.failure.message);
  if (via !== undefined && !goThroughAccounts.includes(operation)) {
    const message = 'only a deposit, withdraw or hold goes through an account outside';
    return bad('via', `must be empty: ${message}`);
  }
  const problem = via === undefined ? undefined : findViaProblem(via);
  if (problem !== undefined) return bad('via', problem);
  const pairs = readPairs(cells);
  if (!pairs.ok) return pairs;
  return { ok: true, to: payee?.value.id ?? payee?.value.email, metadata: pairs.metadata };
}

const goThroughAccounts: readonly Operation[] = ['deposit', 'withdraw', 'hold'];

type User =
  | { readonly ok: true; readonly name: string | undefined }
  | { readonly ok: false; readonly message: string; readonly reason: Reason };

function checkUser(cell: string | undefined, defaults: RowDefaults): User {
  if (cell === undefined) {
    if (defaults.user !== undefined || !defaults.isStaff) return { ok: true, name: defaults.user };
    const message = 'staff name the user of each row, or --user for all';
    return { ok: false, message, reason: 'USER_REQUIRED' };
  }
  const named = readUserName(cell);
  if (named.ok) return { ok: true, name: named.value.id ?? named.value.email };
  return { ok: false, message: named.failure.message, reason: 'INVALID_ARGUMENT' };
}

type Sum =
  | {
      readonly ok: true;
      readonly amountMinor: bigint | undefined;
      readonly currency: string;
      readonly exponent: number;
    }
  | {
      readonly ok: false;
      readonly field: BatchColumn;
      readonly message: string;
      readonly reason: Reason;
    };

function checkSum(operation: Operation, cells: Cells, defaults: RowDefaults): Sum {
  const bad = (field: BatchColumn, message: string, reason: Reason = 'INVALID_ARGUMENT'): Sum => ({
    ...{ ok: false, field, message, reason },
  });
  const { amount, parent_id: parentId } = cells;
  if (hasParent(operation)) {
    const isOfHold = ofHold(operation);
    if (parentId === undefined) {
      const what = isOfHold ? `the hold of the ${operation}` : `what the ${operation} undoes`;
      return bad('parent_id', `must name ${what}`);
    }
    if (canonicalUuid(parentId) === undefined) {
      return bad('parent_id', `is not a ${isOfHold ? 'hold' : 'transaction'}’s id`);
    }
  } else if (parentId !== undefined) {
    return bad('parent_id', `must be empty: a ${operation} has no parent`);
  }
  const hasParents = hasParent(operation) && amount === undefined;
  const currency = cells.currency ?? (hasParents ? '' : defaults.currency);
  if (currency === '') return { ok: true, amountMinor: undefined, currency, exponent: 0 };
  const exponent = findExponent(currency);
  if (exponent === undefined) {
    return bad('currency', 'is not a code of ISO 4217, like BRL', 'CURRENCY_UNKNOWN');
  }
  if (amount === undefined) {
    if (hasParent(operation)) return { ok: true, amountMinor: undefined, currency, exponent };
    return bad('amount', 'is missing', 'AMOUNT_INVALID');
  }
  const parsed = parseAmount(amount, exponent);
  return parsed.ok
    ? { ok: true, amountMinor: parsed.minor, currency, exponent }
    : bad('amount', `is not a valid amount of ${currency}: ${parsed.problem}`, 'AMOUNT_INVALID');
}

export const isValid = (row: CheckedRow | InvalidRow): row is CheckedRow => !('reason' in row);
