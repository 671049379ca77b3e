import { succeed, type Result } from '../../core/reasons.ts';
import {
  cursorParts,
  decodePageToken,
  encodePageToken,
  pageSizeOf,
} from '../platform/page-token.ts';
import type { Cursor, Paged } from './store-users.ts';

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
  const page = found.slice(0, size.value);
  const last = found.length > page.length ? page.at(-1) : undefined;
  return succeed({
    items: page.map(({ item }) => item),
    nextPageToken: last ? encodePageToken(query, last.cursor) : '',
  });
}
