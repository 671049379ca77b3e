import { findExponent } from '../../../../core/currencies.ts';
import { isUuid } from '../../../../core/ids.ts';
import { parseAmount } from '../../../../core/money.ts';
import { isOperation, isUndo, type Operation } from '../../../../core/operations.ts';
import type { Reason } from '../../../../core/reasons.ts';
import { findTextProblem, textLimits } from '../../../../core/text.ts';
import { batchColumns, type BatchColumn, type RawRow } from './rows.ts';

/** A row that can be sent once its user is known. */
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
};

/** A row that is refused before anything is sent. */
export type InvalidRow = {
  readonly row: number;
  readonly reason: Reason;
  /** The column that is wrong; empty for the row as a whole. */
  readonly field: BatchColumn | '';
  readonly message: string;
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

/** Checks a row as far as it can be without the server. */
export function checkRow(raw: RawRow, defaults: RowDefaults): CheckedRow | InvalidRow {
  const { row, cells } = raw;
  const invalid = (
    field: InvalidRow['field'],
    message: string,
    reason: Reason = 'INVALID_ARGUMENT',
  ): InvalidRow => ({ row, reason, field, message });
  if (raw.problem !== undefined) return invalid('', `the row ${raw.problem}`);
  const garbled = batchColumns.find((column) => cells[column]?.includes('\uFFFD'));
  if (garbled) return invalid(garbled, 'is not valid UTF-8');
  const { operation, parent_id: parentId, description, merchant, key } = cells;
  if (operation === undefined || !isOperation(operation)) {
    return invalid('operation', 'must be deposit, withdraw, purchase, reversal or cancellation');
  }
  for (const [column, maxLength] of textColumns) {
    const text = cells[column];
    const problem = text === undefined ? undefined : findTextProblem(text, maxLength);
    if (problem !== undefined) return invalid(column, problem);
  }
  if (merchant !== undefined && operation !== 'purchase') {
    return invalid('merchant', 'must be empty: only a purchase has a merchant');
  }
  if (key === undefined && defaults.isKeyNeeded) {
    return invalid('key', 'is missing, and there is no --batch-id to make one from');
  }
  const user = (cells.user ?? defaults.user)?.toLowerCase();
  if (user === undefined && defaults.isStaff) {
    return invalid('user', 'staff name the user of each row, or --user for all', 'USER_REQUIRED');
  }
  if (user !== undefined && !isUuid(user) && !user.includes('@')) {
    return invalid('user', 'is neither an e-mail address nor a user’s id');
  }
  if (raw.amountProblem !== undefined) {
    return invalid('amount', `is not a valid amount: ${raw.amountProblem}`, 'AMOUNT_INVALID');
  }
  const sum = checkSum(operation, cells, defaults.currency);
  if (!sum.ok) return invalid(sum.field, sum.message, sum.reason);
  const { amountMinor, currency } = sum;
  return {
    ...{ row, operation, amountMinor, currency, user, description, merchant, key },
    parentId: parentId?.toLowerCase(),
  };
}

type Sum =
  | { readonly ok: true; readonly amountMinor: bigint | undefined; readonly currency: string }
  | {
      readonly ok: false;
      readonly field: BatchColumn;
      readonly message: string;
      readonly reason: Reason;
    };

function checkSum(operation: Operation, cells: RawRow['cells'], fallback: string): Sum {
  const bad = (field: BatchColumn, message: string, reason: Reason = 'INVALID_ARGUMENT'): Sum => ({
    ...{ ok: false, field, message, reason },
  });
  const { amount, parent_id: parentId } = cells;
  if (isUndo(operation)) {
    if (parentId === undefined) return bad('parent_id', `must name what the ${operation} undoes`);
    if (!isUuid(parentId.toLowerCase())) return bad('parent_id', 'is not a transaction’s id');
  } else if (parentId !== undefined) {
    return bad('parent_id', `must be empty: a ${operation} has no parent`);
  }
  const currency = cells.currency ?? (isUndo(operation) && amount === undefined ? '' : fallback);
  if (currency === '') return { ok: true, amountMinor: undefined, currency };
  const exponent = findExponent(currency);
  if (exponent === undefined) {
    return bad('currency', 'is not a code of ISO 4217, like BRL', 'CURRENCY_UNKNOWN');
  }
  if (amount === undefined) {
    if (isUndo(operation)) return { ok: true, amountMinor: undefined, currency };
    return bad('amount', 'is missing', 'AMOUNT_INVALID');
  }
  const parsed = parseAmount(amount, exponent);
  return parsed.ok
    ? { ok: true, amountMinor: parsed.minor, currency }
    : bad('amount', `is not a valid amount of ${currency}: ${parsed.problem}`, 'AMOUNT_INVALID');
}

export const isValid = (row: CheckedRow | InvalidRow): row is CheckedRow => !('reason' in row);
