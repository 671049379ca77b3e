import { findFields, type TakeRow } from './copy.ts';
import type { Tx } from './db.ts';

/** Rows that COPY gave, each in one of the buffers, from its start to its end. */
type CopiedPage = {
  readonly bytes: readonly Buffer[];
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  readonly isLast: boolean;
};

export type Pages = {
  next(): Promise<CopiedPage>;
  /** Resolves when nothing is read any more: before that the transaction must not end. */
  end(): Promise<void>;
};

/** How much is in memory of one reader: two pages of about so many bytes. */
export type PageSize = { readonly bytes: number; readonly rows: number };

const firstRows = 500;

/**
 * Reads all rows behind a place page by page, the next one while the last is used. `next` is not
 * to be called behind the page that `isLast`.
 */
export function createPages<Place>(
  options: {
    readonly first: Place;
    /** Hands over the rows behind a place, `limit` at most, in order. */
    readonly read: (after: Place, limit: number, take: TakeRow) => Promise<void>;
    readonly placeOf: (bytes: Buffer, start: number) => Place;
  },
  size: PageSize,
): Pages {
  let after = options.first;
  let limit = Math.min(firstRows, size.rows);
  let ahead: Promise<CopiedPage> | undefined;
  let reading: Promise<unknown> = Promise.resolve();
  let isEnded = false;
  const fetch = (): Promise<CopiedPage> => {
    const fetched = fetchPage();
    // Of what it rejects with, the caller of `next` learns.
    reading = fetched.catch(() => undefined);
    return fetched;
  };
  const fetchPage = async (): Promise<CopiedPage> => {
    const page = { bytes: [] as Buffer[], starts: [] as number[], ends: [] as number[] };
    let length = 0;
    await options.read(after, limit, (bytes, start, end) => {
      page.bytes.push(bytes);
      page.starts.push(start);
      page.ends.push(end);
      length += end - start;
    });
    const rows = page.bytes.length;
    const isLast = rows < limit;
    const last = page.bytes[rows - 1];
    if (last) {
      after = options.placeOf(last, page.starts[rows - 1] ?? 0);
      const fitting = Math.ceil(size.bytes / (length / rows));
      limit = Math.min(size.rows, Math.max(1, Math.min(fitting, 4 * limit)));
    }
    return { ...page, isLast };
  };
  return {
    next: async () => {
      const page = await (ahead ?? fetch());
      ahead = page.isLast || isEnded ? undefined : fetch();
      return page;
    },
    end: async () => {
      isEnded = true;
      await reading;
    },
  };
}

/** Hands over the rows of a query as COPY gives them in its binary format. */
export const copyBinary = (tx: Tx, query: string, take: TakeRow): Promise<void> =>
  tx.copyOut(`COPY (${query}) TO STDOUT (FORMAT binary)`, (bytes, start, end) => {
    const at = findFields(bytes, start, end);
    if (at !== undefined) take(bytes, at, end);
  });
