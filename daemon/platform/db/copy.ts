import type { EventEmitter } from 'node:events';

import pg from 'pg';

import { markLost } from './connection/connection-fault.ts';

/** A row of COPY lies in `bytes` from `start` to `end`. `bytes` is never written again. */
export type TakeRow = (bytes: Buffer, start: number, end: number) => void;

type Connection = { readonly stream: EventEmitter };
type CopyData = { readonly chunk: Buffer };

/**
 * Runs `COPY … TO STDOUT`, and hands over each row as it comes. Resolves when the connection is
 * free again; what `take` threw rejects then, too.
 *
 * The driver makes an object and an event of each row, and copies long ones again and again, which
 * takes longer than the database. So the rows are read from the socket beside it; it gets all else.
 */
export function copyOut(
  client: Pick<pg.ClientBase, 'query'>,
  text: string,
  take: TakeRow,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let refusal: { readonly cause: unknown } | undefined;
    const guarded: TakeRow = (bytes, start, end) => {
      if (refusal) return;
      try {
        take(bytes, start, end);
      } catch (cause) {
        refusal = { cause };
      }
    };
    const query = new pg.Query(text, (err: Error | undefined) => {
      if (err) reject(markLost(err));
      else if (refusal) reject(toError(refusal.cause));
      else resolve();
    });
    const submit = query.submit as (this: pg.Query, connection: Connection) => Error | null;
    Object.assign(query, {
      submit: (connection: Connection) => {
        const failed = submit.call(query, connection);
        if (!failed) readBeside(connection.stream, guarded);
        return failed;
      },
      // Rows that the driver reads after all: behind a notice, for instance. It uses their memory
      // again.
      handleCopyData: ({ chunk }: CopyData) => guarded(Buffer.from(chunk), 0, chunk.length),
    });
    client.query(query);
  });
}

const toError = (cause: unknown): Error =>
  cause instanceof Error ? cause : new Error('a row was not taken', { cause });

type Listener = (data: Buffer) => void;

/** Takes the place of the driver as the reader of a socket as long as rows come. */
function readBeside(socket: EventEmitter, take: TakeRow): void {
  const drivers = socket.listeners('data') as Listener[];
  const reader = createCopyReader(take);
  const read = (data: Buffer): void => {
    const rest = reader.read(data);
    if (!rest) return;
    socket.off('data', read);
    for (const driver of drivers) {
      socket.on('data', driver);
      driver.call(socket, rest);
    }
  };
  for (const driver of drivers) socket.off('data', driver);
  socket.on('data', read);
}

/** https://www.postgresql.org/docs/18/protocol-message-formats.html */
const copyDataType = 0x64;
const copyOutResponseType = 0x48;
/** Of a message: its type, and its length without the type. */
const headBytes = 5;

/**
 * Reads messages from parts of a connection's bytes: first `CopyOutResponse`, then rows. `read`
 * answers what is for the driver, once something else comes, and is not to be called after that.
 */
export function createCopyReader(take: TakeRow) {
  /**
   * A message that is not whole yet: as much of it as has come, at its full length once that is
   * known.
   */
  let part = Buffer.alloc(0);
  let partLength = 0;
  let hasBegun = false;

  const accept = (bytes: Buffer, start: number, end: number): void => {
    if (hasBegun) take(bytes, start + headBytes, end);
    hasBegun = true;
  };
  /**
   * Fills up the message that has begun; answers where it ends in `data`, or undefined if beyond.
   */
  const fillPart = (data: Buffer): number | undefined => {
    let used = 0;
    if (partLength < headBytes) {
      used = Math.min(headBytes - partLength, data.length);
      data.copy(part, partLength, 0, used);
      partLength += used;
      if (partLength < headBytes) return undefined;
      const whole = Buffer.allocUnsafe(lengthOf(part, 0));
      part.copy(whole, 0, 0, headBytes);
      part = whole;
    }
    const added = Math.min(part.length - partLength, data.length - used);
    data.copy(part, partLength, used, used + added);
    partLength += added;
    return partLength < part.length ? undefined : used + added;
  };
  const keepPart = (data: Buffer, at: number): void => {
    partLength = data.length - at;
    part = Buffer.allocUnsafe(partLength < headBytes ? headBytes : lengthOf(data, at));
    data.copy(part, 0, at);
  };

  return {
    read: (data: Buffer): Buffer | undefined => {
      let at = 0;
      if (partLength > 0) {
        const end = fillPart(data);
        if (end === undefined) return undefined;
        accept(part, 0, part.length);
        partLength = 0;
        at = end;
      }
      while (at < data.length) {
        const expected = hasBegun ? copyDataType : copyOutResponseType;
        if (data[at] !== expected) return at === 0 ? data : data.subarray(at);
        const end = data.length - at < headBytes ? Infinity : at + lengthOf(data, at);
        if (end > data.length) {
          keepPart(data, at);
          return undefined;
        }
        accept(data, at, end);
        at = end;
      }
      return undefined;
    },
  };
}

const lengthOf = (bytes: Buffer, at: number): number => 1 + bytes.readInt32BE(at + 1);

const signature = Buffer.from('PGCOPY\n\u00ff\r\n\0', 'latin1');

/**
 * Where the fields of a row in the binary format of COPY begin: their number, and each behind its
 * length. Undefined at the end. The first row comes behind a header:
 * https://www.postgresql.org/docs/18/sql-copy.html
 */
export function findFields(bytes: Buffer, start: number, end: number): number | undefined {
  let at = start;
  // No row has so many fields that it begins like the header.
  if (bytes[at] === signature[0]) {
    // Behind the signature stand flags, and an extension with its length.
    at += signature.length + 8 + bytes.readInt32BE(at + signature.length + 4);
  }
  return at === end || bytes.readInt16BE(at) === -1 ? undefined : at;
}

/** The field of a row of one column, in the binary format of COPY; undefined at the end, or null. */
export function readOnlyField(row: Buffer): Buffer | undefined {
  const start = findFields(row, 0, row.length);
  if (start === undefined) return undefined;
  const fields = row.readInt16BE(start);
  if (fields !== 1) throw new Error(`a row of ${fields} fields instead of one`);
  const length = row.readInt32BE(start + 2);
  return length < 0 ? undefined : row.subarray(start + 6, start + 6 + length);
}
