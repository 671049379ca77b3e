import type { Outcome } from '../support/grpc/any-call.ts';
import type { Belongings, Person } from './people.ts';

/** Everything that one may know of an object only if it is one's own. */
export const marksOf = (person: Person, of: Belongings): string[] =>
  [
    person.email,
    `private of ${person.name}`,
    ...Object.values(of).filter((value) => value !== undefined),
    person.sessionId,
  ].filter((mark) => mark !== '');

/**
 * An outcome as it must be the same for all objects: ids that only echo the request are levelled.
 */
export function level(outcome: Outcome) {
  const uuids = (text: string): string =>
    text.replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<id>');
  const { code, reason, message, metadata } = refusalOf(outcome);
  const levelled = Object.entries(metadata).map(([key, value]) => [key, uuids(value)]);
  return {
    code,
    reason,
    message: uuids(message),
    metadata: Object.fromEntries(levelled) as object,
  };
}

type Refusal = Pick<Outcome, 'code' | 'reason' | 'message' | 'metadata'>;

/** The refusal of the call, or that of the one item of a stream or batch. */
export function refusalOf(outcome: Outcome): Refusal {
  const [first] = outcome.messages as {
    results?: { outcome?: { $case: string; value: object } }[];
  }[];
  const result = first?.results?.[0]?.outcome;
  return result?.$case === 'refusal'
    ? { code: 0, ...(result.value as Omit<Refusal, 'code'>) }
    : outcome;
}
