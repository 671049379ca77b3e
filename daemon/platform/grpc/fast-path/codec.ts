import type { ServiceDefinition } from '@grpc/grpc-js';

import { refuse, succeed, type Result } from '../../../../core/reasons.ts';

import { checkBounds, type Bounds } from '../bounds.ts';

type Definition = ServiceDefinition[string];

/**
 * A key of a map field as it stands in a message: field 1, nine bytes, `__proto__`. What decodes
 * messages would drop the entry without a word, since objects have no such key of their own.
 */
const protoKey = Buffer.from('\n\t__proto__', 'latin1');

const unreadable = refuse('INVALID_ARGUMENT', 'the request is not a message of this method');
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
      if (bytes.includes(protoKey)) return badKey;
      const bounded = checkBounds(value, bounds);
      return bounded.ok ? succeed(value) : bounded;
    } catch {
      return unreadable;
    }
  };
}

/**
 * A method whose requests come as results, and whose answers go as bytes, so that what a slow
 * reader makes us hold can be counted.
 */
export function withOwnCodec(definition: Definition, bounds?: Bounds): Definition {
  const requestDeserialize = createReader(definition, bounds);
  return { ...definition, requestDeserialize, responseSerialize: (bytes: Buffer) => bytes };
}
