import { isUuid } from '../../../core/ids.ts';
import { succeed, type Result } from '../../../core/reasons.ts';
import { findTextProblem } from '../../../core/text.ts';
import {
  listNamedSql,
  listSqls,
  toLetter,
  type DeadLetterState,
  type Row,
  type StoredLetter,
} from './rows.ts';
import type { Db } from '../db/db.ts';
import {
  cursorParts,
  decodePageToken,
  encodePageToken,
  maxPageBytes,
  pageSizeOf,
  takePage,
} from '../page-token.ts';

export type LetterQuery = {
  readonly pageSize: number;
  readonly pageToken: string;
  readonly state: DeadLetterState | undefined;
  readonly reason: string;
  readonly ids: readonly string[];
};

export type LetterPage = { letters: StoredLetter[]; nextPageToken: string };

type ListedRow = Row & { readonly fits: boolean; readonly micros: bigint };

const cursorShape = { micros: /^\d{1,17}$/, id: cursorParts.id };
const firstId = '00000000-0000-0000-0000-000000000000';

/** A page of letters, the oldest first, as long as an answer has room for. */
export async function listLetters(db: Db, query: LetterQuery): Promise<Result<LetterPage>> {
  const { ids, reason, state } = query;
  const isNowhere = ids.some((id) => !isUuid(id)) || findTextProblem(reason, 255) !== undefined;
  if (isNowhere) return succeed({ letters: [], nextPageToken: '' });
  const size = pageSizeOf(query.pageSize, 50, 500);
  if (!size.ok) return size;
  const bound = [state, reason, ids];
  const cursor = decodePageToken(bound, query.pageToken, cursorShape);
  if (!cursor.ok) return cursor;
  const values = [
    ...[state ?? '', reason],
    ...[cursor.value?.['micros'] ?? '0', cursor.value?.['id'] ?? firstId],
    ...[size.value + 1, maxPageBytes],
  ];
  const rows = await db.read((tx) =>
    ids.length > 0
      ? tx.query<ListedRow>(listNamedSql, [...values, ids])
      : tx.query<ListedRow>(listSqls[choose(query)], values),
  );
  // The first row is always whole; what does not fit begins the next page.
  const { page, last } = takePage(rows, size.value, ({ fits }) => (fits ? 0 : Infinity));
  const next = last && { micros: last.micros.toString(), id: last.id };
  return succeed({
    letters: page.map(toLetter),
    nextPageToken: next ? encodePageToken(bound, next) : '',
  });
}

function choose({ state, reason }: LetterQuery): keyof typeof listSqls {
  if (state === undefined) return reason === '' ? 'all' : 'reason';
  return reason === '' ? 'state' : 'both';
}
