import { maxBytesPerUnit, writeHex, writeUuid } from '../../../core/bytes.ts';

/*
 * Columns of a batch as arrays in Postgres' binary format. As text they cost both sides several
 * times as much: the driver looks at the type of every value and quotes it, the server parses it.
 * The format is that of array_recv and of the receive functions of the elements' types:
 * https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/utils/adt/arrayfuncs.c
 */

/**
 * SQL for a row per element of arrays of one length, which are the statement's first values. In the
 * select list they are taken apart a row at a time; in `FROM` the server would copy each column
 * first, and take half as long again for all of it.
 */
export function rowsOfArrays(columns: Readonly<Record<string, string>>): string {
  const parts = Object.entries(columns).map(
    ([name, type], i) => `unnest($${i + 1}::${type}[]) AS ${name}`,
  );
  return `SELECT ${parts.join(', ')}`;
}

/** Object ids of the elements' types: pg_type.dat. */
const oids = {
  ...{ bytea: 17, int8: 20, int2: 21, int4: 23, text: 25, json: 114, timestamptz: 1184 },
  uuid: 2950,
};
const headBytes = 20;
const emptyHeadBytes = 12;
const lengthBytes = 4;
const lengthOfNull = -1;

type Target = { readonly bytes: Buffer; readonly view: DataView };
type Write<Value> = (target: Target, value: Value, at: number) => void;
type Read<Item, Value> = (item: Item) => Value | undefined;

export const toUuidArray = fixedColumn<string>(oids.uuid, 16, ({ bytes }, uuid, at) =>
  writeUuid(bytes, uuid, at),
);

export const toInt8Array = fixedColumn<bigint>(oids.int8, 8, ({ view }, value, at) =>
  view.setBigInt64(at, value),
);

export const toInt4Array = fixedColumn<number>(oids.int4, 4, ({ view }, value, at) =>
  view.setInt32(at, value),
);

export const toInt2Array = fixedColumn<number>(oids.int2, 2, ({ view }, value, at) =>
  view.setInt16(at, value),
);

/** Postgres counts from 2000 on. */
const postgresEpochMs = Date.UTC(2000, 0, 1);
const microsPerMs = 1_000n;

/** Of times in milliseconds since 1970. */
export const toTimeArray = fixedColumn<number>(oids.timestamptz, 8, ({ view }, timeMs, at) =>
  view.setBigInt64(at, BigInt(timeMs - postgresEpochMs) * microsPerMs),
);

/** Of hashes: 64 hex digits each. */
export const toHashArray = fixedColumn<string>(oids.bytea, 32, ({ bytes }, hex, at) =>
  writeHex(bytes, hex, at),
);

export const toTextArray = textColumn(oids.text);
export const toJsonArray = textColumn(oids.json);

function fixedColumn<Value>(oid: number, size: number, write: Write<Value>) {
  return <Item>(items: readonly Item[], read: Read<Item, Value>): Buffer => {
    const target = allocate(headBytes + items.length * (lengthBytes + size));
    let at = writeHead(target.view, oid, items.length);
    for (const item of items) {
      const value = read(item);
      target.view.setInt32(at, value === undefined ? lengthOfNull : size);
      at += lengthBytes;
      if (value === undefined) continue;
      write(target, value, at);
      at += size;
    }
    return target.bytes.subarray(0, at);
  };
}

function textColumn(oid: number) {
  return <Item>(items: readonly Item[], read: Read<Item, string>): Buffer => {
    let most = 0;
    for (const item of items) most += (read(item)?.length ?? 0) * maxBytesPerUnit;
    const { bytes, view } = allocate(headBytes + items.length * lengthBytes + most);
    let at = writeHead(view, oid, items.length);
    // Neighbours are often equal, and copying is cheaper than encoding.
    let last: string | undefined;
    let lastAt = 0;
    let lastSize = 0;
    for (const item of items) {
      const text = read(item);
      const start = at + lengthBytes;
      if (text === undefined) {
        view.setInt32(at, lengthOfNull);
        at = start;
        continue;
      }
      if (text === last) bytes.copyWithin(start, lastAt, lastAt + lastSize);
      else [last, lastSize] = [text, bytes.write(text, start)];
      lastAt = start;
      view.setInt32(at, lastSize);
      at = start + lastSize;
    }
    return bytes.subarray(0, at);
  };
}

function allocate(length: number): Target {
  const bytes = Buffer.allocUnsafe(length);
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) };
}

/** Where the first element goes. An empty array has no dimension, and nothing behind its type. */
function writeHead(view: DataView, oid: number, count: number): number {
  view.setInt32(0, count > 0 ? 1 : 0);
  // Whether there are nulls: the server sees for itself.
  view.setInt32(4, 0);
  view.setInt32(8, oid);
  if (count === 0) return emptyHeadBytes;
  view.setInt32(12, count);
  view.setInt32(16, 1);
  return headBytes;
}
