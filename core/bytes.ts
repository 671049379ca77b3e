/** The most bytes of UTF-8 that a UTF-16 code unit takes. */
export const maxBytesPerUnit = 3;

/**
 * Room for the bytes of one hash, written into again for each: to make a buffer, and a view of it,
 * costs more than the hash. What it gives is good until the next `take`.
 */
export function createScratch(size: number) {
  const room = Buffer.alloc(size);
  const views: (Buffer | undefined)[] = [];
  return {
    /** At least so many bytes; what is in them is left over from before. */
    take: (length: number): Buffer => (length > size ? Buffer.alloc(length) : room),
    /** The first `end` bytes of what was taken. */
    upTo: (bytes: Buffer, end: number): Buffer =>
      bytes === room ? (views[end] ??= room.subarray(0, end)) : bytes.subarray(0, end),
  };
}

const digitOf = new Uint8Array(128);
for (let digit = 0; digit < 16; digit += 1) digitOf[digit.toString(16).charCodeAt(0)] = digit;

/** Writes the 16 bytes of a UUID in canonical form at `start`. */
export function writeUuid(bytes: Buffer, uuid: string, start = 0): void {
  let at = start;
  for (let i = 0; i < 36; i += 2) {
    if (i === 8 || i === 13 || i === 18 || i === 23) i += 1;
    bytes[at++] =
      ((digitOf[uuid.charCodeAt(i)] ?? 0) << 4) | (digitOf[uuid.charCodeAt(i + 1)] ?? 0);
  }
}

/** Writes the bytes that hex digits (lower case) stand for at `start`. */
export function writeHex(bytes: Buffer, hex: string, start: number): void {
  for (let i = 0; i < hex.length; i += 2) {
    bytes[start + i / 2] =
      ((digitOf[hex.charCodeAt(i)] ?? 0) << 4) | (digitOf[hex.charCodeAt(i + 1)] ?? 0);
  }
}

/**
 * Writes text as UTF-8 at `start`; where it ends. There must be `maxBytesPerUnit` for each unit.
 */
export function writeText(bytes: Buffer, text: string, start: number): number {
  const { length } = text;
  for (let i = 0; i < length; i += 1) {
    const code = text.charCodeAt(i);
    // Few are longer than a hundred characters, and hardly any has more than ASCII: calling out of
    // the engine takes longer than a loop.
    if (code > 0x7f) return start + bytes.write(text, start);
    bytes[start + i] = code;
  }
  return start + length;
}

/** Copies a few bytes; where they end. A call out of the engine takes longer than this loop. */
export function copyBytes(
  from: Buffer,
  start: number,
  end: number,
  into: Buffer,
  at: number,
): number {
  let to = at;
  for (let i = start; i < end; i += 1) {
    into[to] = from[i] ?? 0;
    to += 1;
  }
  return to;
}

/** Whether a few bytes are the same. A call out of the engine takes longer than this loop. */
export function equalBytes(
  a: Buffer,
  aAt: number,
  b: Buffer,
  bAt: number,
  length: number,
): boolean {
  for (let i = 0; i < length; i += 1) {
    if (a[aAt + i] !== b[bAt + i]) return false;
  }
  return true;
}

const zero = 0x30;
const maxInt32 = 2 ** 31 - 1;

/** How many digits a whole number from 0 up to 10^15 has. */
export function countDigits(value: number): number {
  let count = 1;
  for (let limit = 10; value >= limit; limit *= 10) count += 1;
  return count;
}

/** Writes the last `count` digits of a whole number from 0 up to 10^15; where they end. */
export function writeDigits(bytes: Buffer, value: number, count: number, start: number): number {
  let rest = value;
  let at = start + count - 1;
  for (; rest > maxInt32; at -= 1) {
    const tenth = Math.floor(rest / 10);
    bytes[at] = zero + (rest - tenth * 10);
    rest = tenth;
  }
  // With whole numbers of 32 bits, which is faster.
  for (let small = rest | 0; at >= start; at -= 1) {
    const tenth = (small / 10) | 0;
    bytes[at] = zero + small - tenth * 10;
    small = tenth;
  }
  return start + count;
}

const uuidDigits = Buffer.alloc(36, '-');
const hyphen = 0x2d;
const hexDigits = Buffer.from('0123456789abcdef');
/** Where in a UUID the digits of each of its 16 bytes stand. */
const uuidPlaces = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/** Writes the canonical form of the UUID whose 16 bytes are at `from`; where it ends. */
export function writeUuidText(bytes: Buffer, uuid: Buffer, from: number, start: number): number {
  for (let i = 0; i < 16; i += 1) {
    const byte = uuid[from + i] ?? 0;
    const at = start + (uuidPlaces[i] ?? 0);
    bytes[at] = hexDigits[byte >> 4] ?? 0;
    bytes[at + 1] = hexDigits[byte & 0xf] ?? 0;
  }
  for (let i = 8; i <= 23; i += 5) bytes[start + i] = hyphen;
  return start + 36;
}

/** The canonical form of the UUID with these 16 bytes. */
export function toUuid(byteAt: (i: number) => number): string {
  for (let i = 0; i < 16; i += 1) {
    const byte = byteAt(i);
    const place = uuidPlaces[i] ?? 0;
    uuidDigits[place] = hexDigits[byte >> 4] ?? 0;
    uuidDigits[place + 1] = hexDigits[byte & 0xf] ?? 0;
  }
  return uuidDigits.toString('latin1');
}
