import { createHash } from 'node:crypto';

import { refuse, succeed, type Result } from '../../core/reasons.ts';

/**
 * Opaque page tokens (AIP-158): where the next page starts, bound to the query that it belongs
 * to. They carry no rights: each page's query is authorised like the first.
 */
export function encodePageToken(query: object, cursor: Readonly<Record<string, string>>): string {
  return Buffer.from(JSON.stringify([digest(query), cursor])).toString('base64url');
}

/** What a seq, a wallet's id and a time look like in a cursor. */
export const cursorParts = {
  seq: /^\d{1,18}$/,
  id: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  timeMs: /^\d{1,15}$/,
};

/**
 * The cursor, with exactly the parts of `shape`, or undefined for the first page.
 * PAGE_TOKEN_INVALID for another query's token and for anything made up.
 */
export function decodePageToken(
  query: object,
  token: string,
  shape: Readonly<Record<string, RegExp>>,
): Result<Readonly<Record<string, string>> | undefined> {
  if (token === '') return succeed(undefined);
  try {
    const [digested, cursor] = JSON.parse(Buffer.from(token, 'base64url').toString()) as unknown[];
    if (digested === digest(query) && isCursor(cursor, shape)) return succeed(cursor);
  } catch {
    // Falls through: not a token of ours.
  }
  return refuse(
    'PAGE_TOKEN_INVALID',
    'page_token does not belong to this query: start again without one',
    { field: 'page_token' },
  );
}

/** AIP-158: 0 means the default, too much means the maximum; negative is refused. */
export function pageSizeOf(asked: number, defaultSize: number, maxSize: number): Result<number> {
  if (asked < 0) {
    return refuse('INVALID_ARGUMENT', 'page_size must not be negative', { field: 'page_size' });
  }
  return succeed(asked === 0 ? defaultSize : Math.min(asked, maxSize));
}

/** Well below what one message may carry; a page may be shorter than asked for (AIP-158). */
export const maxPageBytes = 2 * 1024 * 1024;

/**
 * The page that an answer has room for: from the start of what was found, at most `size` items and
 * about `maxPageBytes`, and at least one. `last` is its last item where there are more behind it;
 * what was found has one item more than `size` for that. `bytesOf` is an upper bound for an item.
 */
export function takePage<Item>(
  found: readonly Item[],
  size: number,
  bytesOf: (item: Item) => number,
): { readonly page: readonly Item[]; readonly last: Item | undefined } {
  let bytes = 0;
  let count = 0;
  for (const item of found.slice(0, size)) {
    bytes += bytesOf(item);
    if (count > 0 && bytes > maxPageBytes) break;
    count += 1;
  }
  return { page: found.slice(0, count), last: found.length > count ? found[count - 1] : undefined };
}

/** At most so many bytes has a text on the wire, whatever its characters. */
export const textBytes = (text: string | undefined): number => 3 * (text?.length ?? 0);

function digest(query: object): string {
  const text = JSON.stringify(query, (_key, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  );
  return createHash('sha256').update(text).digest('base64url').slice(0, 16);
}

function isCursor(
  value: unknown,
  shape: Readonly<Record<string, RegExp>>,
): value is Record<string, string> {
  if (typeof value !== 'object' || value === null) return false;
  const parts = new Map<string, unknown>(Object.entries(value));
  return Object.entries(shape).every(([name, pattern]) => {
    const part = parts.get(name);
    return typeof part === 'string' && pattern.test(part);
  });
}
