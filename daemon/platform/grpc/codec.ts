import { BinaryReader } from '@bufbuild/protobuf/wire';
import type { ServiceDefinition } from '@grpc/grpc-js';

import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import { codeOf } from '../../../lib/error-code.ts';

import { checkBounds, type Bounds } from './bounds.ts';

type Definition = ServiceDefinition[string];

/**
 * The generated decoder assigns map entries to a plain object, so an entry with this key is lost
 * silently: the assignment sets no property.
 */
const lostKey = '__proto__';

const unreadable = refuse('INVALID_ARGUMENT', 'the request is not a message of this method');
const badText = refuse('INVALID_ARGUMENT', 'a text of the request is not valid UTF-8');
const badKey = refuse(
  'INVALID_ARGUMENT',
  'metadata must not have the key __proto__: take another name',
  { field: 'metadata' },
);

/**
 * Reads a request of this method, so that an unreadable one is refused in our words, and one with a
 * list or text past its bound before anything is done for it.
 */
export function createReader(
  definition: Definition,
  bounds?: Bounds,
): (bytes: Buffer) => Result<unknown> {
  return (bytes) => {
    try {
      const value = definition.requestDeserialize(bytes) as object;
      if (hasReplaced(value)) checkTexts(definition, bytes);
      if (bytes.includes(lostKey) && hasLostKey(bytes, definition)) return badKey;
      const bounded = checkBounds(value, bounds);
      return bounded.ok ? succeed(value) : bounded;
    } catch (err) {
      return codeOf(err) === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? badText : unreadable;
    }
  };
}

/** Stands for bytes that are not UTF-8, and may have been typed. */
const replacement = '\ufffd';

function hasReplaced(value: unknown): boolean {
  if (typeof value === 'string') return value.includes(replacement);
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return false;
  for (const key in value) {
    if (hasReplaced((value as Readonly<Record<string, unknown>>)[key])) return true;
  }
  return false;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The generated decoder replaces bytes that are not UTF-8, so that two passwords with different bad
 * bytes would be the same text. It takes a reader in place of bytes, and this one refuses them.
 */
function checkTexts(definition: Definition, bytes: Buffer): void {
  const reader = new BinaryReader(bytes, (text) => decoder.decode(text));
  const decode = definition.requestDeserialize as unknown as (input: BinaryReader) => object;
  decode(reader);
}

/**
 * Whether `__proto__` is the key of a map entry and not a part of a text. Only the decoder knows
 * which bytes are a key, so it decodes a copy in which the key has another name, once more.
 */
function hasLostKey(bytes: Buffer, definition: Definition): boolean {
  const otherKey = findUnusedKey(bytes);
  const copy = Buffer.from(bytes);
  for (let at = copy.indexOf(lostKey); at >= 0; at = copy.indexOf(lostKey, at)) {
    copy.write(otherKey, at, 'latin1');
  }
  return hasKey(definition.requestDeserialize(copy), otherKey);
}

/** A text as long as `__proto__` that the bytes do not contain. */
function findUnusedKey(bytes: Buffer): string {
  for (let n = 0; ; n += 1) {
    const key = String(n).padStart(lostKey.length, '0');
    if (!bytes.includes(key)) return key;
  }
}

function hasKey(value: unknown, key: string): boolean {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return false;
  if (Array.isArray(value)) return value.some((element) => hasKey(element, key));
  return Object.hasOwn(value, key) || Object.values(value).some((part) => hasKey(part, key));
}

/**
 * A method whose requests come as results, and whose answers go as bytes, so that what a slow
 * reader makes us hold can be counted.
 */
export function withOwnCodec(definition: Definition, bounds?: Bounds): Definition {
  const requestDeserialize = createReader(definition, bounds);
  return { ...definition, requestDeserialize, responseSerialize: (bytes: Buffer) => bytes };
}
