import { findExponent } from '../../../../core/currencies.ts';
import { canonicalUuid } from '../../../../core/ids.ts';
import { formatMinor, parseAmount } from '../../../../core/money.ts';
import { isOperation, isUndo, type Operation } from '../../../../core/operations.ts';
import type { Reason } from '../../../../core/reasons.ts';
import { canonicalText, findTextProblem, textLimits } from '../../../../core/text.ts';
import { readUserName } from '../../users/actor.ts';
import { batchColumns, type BatchColumn, type RawRow } from './raw-row.ts';

/** What a row says, as far as it can be read, for the results. */
export type RowText = {
  readonly operation: string;
  readonly amount: string;
  readonly currency: string;
  readonly user: string;
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
  readonly text: RowText;
};

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
};

const textColumns = [
  ['description', textLimits.description],
  ['merchant', textLimits.merchant],
  ['key', textLimits.idempotencyKey],
] as const;

/** The cells of a row in their canonical form, without those that are blank. */
function toCanonical({ cells }: RawRow): RawRow['cells'] {
  const canonical: Partial<Record<BatchColumn, string>> = {};
  for (const column of batchColumns) {
    const cell = cells[column];
    const text = cell === undefined ? '' : canonicalText(cell);
    if (text !== '') canonical[column] = text;
  }
  if (canonical.operation !== undefined) canonical.operation = canonical.operation.toLowerCase();
  if (canonical.currency !== undefined) canonical.currency = canonical.currency.toUpperCase();
  return canonical;
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
  ): InvalidRow => ({ row, reason, field, message, key, text });
  if (raw.problem !== undefined) return invalid('', `the row ${raw.problem}`);
  const garbled = batchColumns.find((column) => cells[column]?.includes('\uFFFD'));
  if (garbled) return invalid(garbled, 'is not valid UTF-8: save the file as UTF-8');
  if (!isOperation(operation)) {
    return invalid('operation', 'must be deposit, withdraw, purchase, reversal or cancellation');
  }
  for (const [column, maxLength] of textColumns) {
    const cell = cells[column];
    const problem = cell === undefined ? undefined : findTextProblem(cell, maxLength);
    if (problem !== undefined) return invalid(column, problem);
  }
  if (merchant !== undefined && operation !== 'purchase') {
    return invalid('merchant', 'must be empty: only a purchase has a merchant');
  }
  if (key === undefined && defaults.isKeyNeeded) {
    return invalid('key', 'is missing, and there is no --batch-id to make one from');
  }
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
    user: user.name,
    parentId: parent === undefined ? undefined : canonicalUuid(parent),
    text: {
      ...{ operation, currency, user: user.name ?? '' },
      amount: amountMinor === undefined ? '' : formatMinor(amountMinor, sum.exponent),
    },
  };
}

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

function checkSum(operation: Operation, cells: RawRow['cells'], defaults: RowDefaults): Sum {
  const bad = (field: BatchColumn, message: string, reason: Reason = 'INVALID_ARGUMENT'): Sum => ({
    ...{ ok: false, field, message, reason },
  });
  const { amount, parent_id: parentId } = cells;
  if (isUndo(operation)) {
    if (parentId === undefined) return bad('parent_id', `must name what the ${operation} undoes`);
    if (canonicalUuid(parentId) === undefined) {
      return bad('parent_id', 'is not a transaction’s id');
    }
  } else if (parentId !== undefined) {
    return bad('parent_id', `must be empty: a ${operation} has no parent`);
  }
  const hasParents = isUndo(operation) && amount === undefined;
  const currency = cells.currency ?? (hasParents ? '' : defaults.currency);
  if (currency === '') return { ok: true, amountMinor: undefined, currency, exponent: 0 };
  const exponent = findExponent(currency);
  if (exponent === undefined) {
    return bad('currency', 'is not a code of ISO 4217, like BRL', 'CURRENCY_UNKNOWN');
  }
  if (amount === undefined) {
    if (isUndo(operation)) return { ok: true, amountMinor: undefined, currency, exponent };
    return bad('amount', 'is missing', 'AMOUNT_INVALID');
  }
  const parsed = parseAmount(amount, exponent);
  return parsed.ok
    ? { ok: true, amountMinor: parsed.minor, currency, exponent }
    : bad('amount', `is not a valid amount of ${currency}: ${parsed.problem}`, 'AMOUNT_INVALID');
}

export const isValid = (row: CheckedRow | InvalidRow): row is CheckedRow => !('reason' in row);
