import { refuse, succeed, type Result } from '../../../core/reasons.ts';

/**
 * The most characters of a text and elements of a list, by the field's name in the proto. What no
 * line names has the default, so that no field of a request is without a bound.
 */
export type Bounds = Readonly<Record<string, number>>;

/** UTF-16 code units: longer than any id, address, token or name that is one. */
const maxTextLength = 4_096;
const maxListLength = 100;

/**
 * Fields whose parts are bounded where they are read, one by one: a stream's items are refused
 * alone, and looking at each twice would cost every transaction.
 */
const checkedByHandler: ReadonlySet<string> = new Set(['item', 'items']);

/** INVALID_ARGUMENT with the field and its limit, for the first text or list that is too long. */
export function checkBounds(request: object, bounds: Bounds = {}): Result<void> {
  for (const [key, value] of Object.entries(request)) {
    const refusal = checkField(key, value, bounds);
    if (refusal) return refusal;
  }
  return succeed(undefined);
}

type Refusal = ReturnType<typeof refuse>;

function checkField(key: string, value: unknown, bounds: Bounds): Refusal | undefined {
  if (typeof value !== 'string' && (typeof value !== 'object' || value === null)) return undefined;
  const field = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  if (typeof value === 'string') {
    const limit = bounds[field] ?? maxTextLength;
    return value.length > limit ? tooLong(field, limit, 'characters') : undefined;
  }
  if (Array.isArray(value)) {
    const limit = bounds[field] ?? maxListLength;
    if (value.length > limit) return tooLong(field, limit, 'elements');
    if (checkedByHandler.has(field)) return undefined;
    for (const element of value as readonly unknown[]) {
      const refusal = checkField(key, element, {});
      if (refusal) return refusal;
    }
    return undefined;
  }
  if (value instanceof Date || value instanceof Uint8Array || checkedByHandler.has(field)) {
    return undefined;
  }
  // One of several: the name of the one that was taken is in $case.
  const { $case, value: chosen } = value as { readonly $case?: string; readonly value?: unknown };
  if ($case !== undefined) return checkField($case, chosen, bounds);
  const inner = checkBounds(value, bounds);
  return inner.ok ? undefined : inner;
}

const tooLong = (field: string, limit: number, what: string): Refusal =>
  refuse('INVALID_ARGUMENT', `${field} must have at most ${limit} ${what}`, {
    field,
    limit: String(limit),
  });
