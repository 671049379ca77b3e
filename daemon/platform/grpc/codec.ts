import type { ServiceDefinition } from '@grpc/grpc-js';

import { refuse, type Result } from '../../../core/reasons.ts';

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
 * A method whose requests come as results, so that an unreadable one is refused in our words, and
 * whose answers go as bytes, so that what a slow reader makes us hold can be counted.
 */
export function withOwnCodec(definition: Definition): Definition {
  const decode = (bytes: Buffer): Result<unknown> => {
    try {
      const value: unknown = definition.requestDeserialize(bytes);
      return bytes.includes(protoKey) ? badKey : { ok: true, value };
    } catch {
      return unreadable;
    }
  };
  return { ...definition, requestDeserialize: decode, responseSerialize: (bytes: Buffer) => bytes };
}
