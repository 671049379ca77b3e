import type { Random } from './random.ts';
import { anyText, mutateBytes } from './values.ts';

/** A field as it lies in a protobuf message, whatever its type may be. */
type Field = { readonly number: number; readonly type: number; readonly value: Buffer };

const varintOf = (value: bigint): Buffer => {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Buffer.from(bytes);
};

function readVarint(bytes: Buffer, at: number): { value: bigint; end: number } | undefined {
  let value = 0n;
  for (let i = 0; i < 10 && at + i < bytes.length; i += 1) {
    const byte = bytes[at + i] ?? 0;
    value |= BigInt(byte & 0x7f) << BigInt(7 * i);
    if (byte < 0x80) return { value, end: at + i + 1 };
  }
  return undefined;
}

/** The fields of a message, or undefined if the bytes are none. */
function readFields(bytes: Buffer): Field[] | undefined {
  const fields: Field[] = [];
  let at = 0;
  while (at < bytes.length) {
    const tag = readVarint(bytes, at);
    if (!tag || tag.value === 0n) return undefined;
    const type = Number(tag.value & 7n);
    const number = Number(tag.value >> 3n);
    const start = tag.end;
    if (type === 0) at = readVarint(bytes, start)?.end ?? Infinity;
    else if (type === 1) at = start + 8;
    else if (type === 5) at = start + 4;
    else if (type === 2) {
      const length = readVarint(bytes, start);
      if (!length) return undefined;
      at = length.end + Number(length.value);
      fields.push({ number, type, value: bytes.subarray(length.end, at) });
    } else return undefined;
    if (at > bytes.length) return undefined;
    if (type !== 2) fields.push({ number, type, value: bytes.subarray(start, at) });
  }
  return fields;
}

const writeField = ({ number, type, value }: Field): Buffer => {
  const tag = varintOf((BigInt(number) << 3n) | BigInt(type));
  return type === 2
    ? Buffer.concat([tag, varintOf(BigInt(value.length)), value])
    : Buffer.concat([tag, value]);
};

const extremes = [
  0n,
  1n,
  -1n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n,
  2n ** 63n - 1n,
  2n ** 63n,
  10n ** 18n,
  253_402_300_800n,
];

/**
 * A message near this one: fields changed, dropped, doubled or exchanged, or plain bytes broken.
 */
export function mutateMessage(random: Random, bytes: Buffer, depth = 0): Buffer {
  if (depth === 0 && random.chance(15)) return mutateBytes(random, bytes);
  const fields = readFields(bytes);
  if (!fields || fields.length === 0) {
    return random.chance(60) ? inventField(random) : mutateBytes(random, bytes);
  }
  const times = 1 + random.int(2);
  for (let i = 0; i < times && fields.length > 0; i += 1) {
    const at = random.int(fields.length);
    const field = fields[at];
    if (!field) break;
    const choice = random.int(10);
    if (choice === 0) fields.splice(at, 1);
    else if (choice === 1) fields.push(field);
    else if (choice === 2) fields.reverse();
    else if (choice === 3) fields[at] = { ...field, number: 1 + random.int(30) };
    else fields[at] = mutateField(random, field, depth);
  }
  const whole = Buffer.concat(fields.map(writeField));
  return random.chance(10) ? Buffer.concat([whole, inventField(random)]) : whole;
}

function mutateField(random: Random, field: Field, depth: number): Field {
  if (field.type === 0) return { ...field, value: varintOf(random.pick(extremes)) };
  if (field.type !== 2) return { ...field, value: random.bytes(field.value.length) };
  if (depth < 3 && random.chance(50)) {
    return { ...field, value: mutateMessage(random, Buffer.from(field.value), depth + 1) };
  }
  if (random.chance(3))
    return { ...field, value: Buffer.alloc(random.pick([1_000, 20_000, 70_000]), 97) };
  if (random.chance(30)) return { ...field, value: mutateBytes(random, field.value) };
  return { ...field, value: Buffer.from(anyText(random)) };
}

/** A field that need not be one: any number, any type, and deep nests. */
function inventField(random: Random): Buffer {
  const number = 1 + random.int(random.chance(80) ? 16 : 2 ** 29 - 1);
  switch (random.int(6)) {
    case 0:
      return writeField({ number, type: 0, value: varintOf(random.pick(extremes)) });
    case 1:
      return writeField({ number, type: 1, value: random.bytes(8) });
    case 2:
      return writeField({ number, type: 5, value: random.bytes(4) });
    case 3: {
      let value: Buffer = Buffer.alloc(0);
      for (let i = 0; i < 200; i += 1) value = writeField({ number, type: 2, value });
      return value;
    }
    case 4:
      return writeField({ number, type: 3 + random.int(5), value: random.bytes(random.int(6)) });
    default:
      return writeField({ number, type: 2, value: Buffer.from(anyText(random)) });
  }
}
