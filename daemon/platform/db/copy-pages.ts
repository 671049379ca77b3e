import { findFields, type TakeRow } from './copy.ts';
import type { Tx } from './db.ts';

/** Rows that COPY gave, each from its start to its end. Good until the page after the next one. */
type CopiedPage = {
  readonly bytes: Buffer;
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  readonly rows: number;
  readonly isLast: boolean;
};

/** Where a page lies. It is written into again, since fresh memory for each page is much garbage. */
type Room = { bytes: Buffer; readonly starts: number[]; readonly ends: number[]; rows: number };

/** Rooms that readers, one after the other, use again. */
export type SpareRooms = Room[];

export type Pages = {
  next(): Promise<CopiedPage>;
  /** Resolves when nothing is read any more: before that the transaction must not end. */
  end(): Promise<void>;
};

/** How much is in memory of one reader: two pages of about so many bytes. */
export type PageSize = {
  readonly bytes: number;
  readonly rows: number;
  /** Of readers before, and for those that come. */
  readonly spare?: SpareRooms;
};

const firstRows = 500;
const firstBytes = 64 * 1024;

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
  const takeRoom = (): Room =>
    size.spare?.pop() ?? { bytes: Buffer.alloc(0), starts: [], ends: [], rows: 0 };
  const rooms = [takeRoom(), takeRoom()];
  const fetch = (): Promise<CopiedPage> => {
    const fetched = fetchPage();
    // Of what it rejects with, the caller of `next` learns.
    reading = fetched.catch(() => undefined);
    return fetched;
  };
  const fetchPage = async (): Promise<CopiedPage> => {
    // By turns.
    const room = rooms.shift() ?? takeRoom();
    rooms.push(room);
    room.rows = 0;
    await options.read(after, limit, (...row) => keepRow(room, ...row));
    const { bytes, starts, ends, rows } = room;
    const isLast = rows < limit;
    if (rows > 0) {
      after = options.placeOf(bytes, starts[rows - 1] ?? 0);
      const fitting = Math.ceil(size.bytes / ((ends[rows - 1] ?? 1) / rows));
      limit = Math.min(size.rows, Math.max(1, Math.min(fitting, 4 * limit)));
    }
    return { bytes, starts, ends, rows, isLast };
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
      size.spare?.push(...rooms.splice(0));
    },
  };
}

/** A row behind the one before; the first begins at 0. */
function keepRow(room: Room, bytes: Buffer, start: number, end: number): void {
  const at = room.rows === 0 ? 0 : (room.ends[room.rows - 1] ?? 0);
  const next = at + end - start;
  if (next > room.bytes.length) {
    const larger = Buffer.allocUnsafeSlow(Math.max(next, 2 * room.bytes.length, firstBytes));
    room.bytes.copy(larger, 0, 0, at);
    room.bytes = larger;
  }
  bytes.copy(room.bytes, at, start, end);
  room.starts[room.rows] = at;
  room.ends[room.rows] = next;
  room.rows += 1;
}

/** Hands over the rows of a query as COPY gives them in its binary format. */
export const copyBinary = (tx: Tx, query: string, take: TakeRow): Promise<void> =>
  tx.copyOut(`COPY (${query}) TO STDOUT (FORMAT binary)`, (bytes, start, end) => {
    const at = findFields(bytes, start, end);
    if (at !== undefined) take(bytes, at, end);
  });
