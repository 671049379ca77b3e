import { succeed, type Result } from '../../core/reasons.ts';
import {
  cursorParts,
  decodePageToken,
  encodePageToken,
  pageSizeOf,
  takePage,
} from '../platform/page-token.ts';
import type { Cursor, Paged } from './users/store.ts';

const cursorShape = { micros: /^\d{1,17}$/, id: cursorParts.id };
const defaultPageSize = 50;
const maxPageSize = 500;

/**
 * One page of a list whose rows come by time and id.
 *
 * @param query what the page token is bound to
 * @param read at most so many rows after the cursor
 */
export async function readPage<T>(
  request: { readonly pageSize: number; readonly pageToken: string },
  query: readonly unknown[],
  read: (after: Cursor | undefined, limit: number) => Promise<readonly Paged<T>[]>,
): Promise<Result<{ readonly items: readonly T[]; readonly nextPageToken: string }>> {
  const size = pageSizeOf(request.pageSize, defaultPageSize, maxPageSize);
  if (!size.ok) return size;
  const decoded = decodePageToken(query, request.pageToken, cursorShape);
  if (!decoded.ok) return decoded;
  const { micros, id } = decoded.value ?? {};
  const after = micros === undefined || id === undefined ? undefined : { micros, id };
  const found = await read(after, size.value + 1);
  const { page, last } = takePage(found, size.value, ({ item }) => bytesOf(item));
  return succeed({
    items: page.map(({ item }) => item),
    nextPageToken: last ? encodePageToken(query, last.cursor) : '',
  });
}

/** Of rows with bounded texts; a date or a number is shorter as protobuf than as JSON. */
const bytesOf = (item: unknown): number => 3 * JSON.stringify(item, withBigInts).length;

const withBigInts = (_key: string, value: unknown): unknown =>
  typeof value === 'bigint' ? value.toString() : value;
