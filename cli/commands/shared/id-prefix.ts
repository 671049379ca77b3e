import { canonicalId, idRangeOf, isUuid, minIdPrefixLength } from '../../../core/ids.ts';
import type { Reason } from '../../../core/reasons.ts';
import { exitCodes, fail, failUsage, succeed, type Outcome } from '../../outcome.ts';

/** An object whose id begins with what was typed. */
export type Candidate = {
  readonly id: string;
  /** What distinguishes it from the others, like `deposit 10.00 BRL`. */
  readonly description: string;
};

/** Where ids of one kind are looked for. */
export type IdSearch = {
  /** The argument, like `transaction_id`. */
  readonly field: string;
  /** What it names, like `transaction`. */
  readonly noun: string;
  readonly notFound: Reason;
  /** The command that lists them. */
  readonly list: string;
  /** Those whose id begins with `prefix`, of which no more than `candidateLimit` are needed. */
  readonly find: (prefix: string) => Promise<Outcome<readonly Candidate[]>>;
};

const shownCandidates = 5;
/** One more than are shown. */
export const candidateLimit = shownCandidates + 1;

/** True for a whole id, and for the beginning of one that is long enough to be looked for. */
export const isIdOrPrefix = (text: string): boolean => idRangeOf(canonicalId(text)) !== undefined;

/** An argument that is neither an id nor its beginning. Nothing has to be asked to know it. */
export const failNoId = (text: string, { field, noun, list }: Omit<IdSearch, 'find'>) =>
  failUsage(
    field,
    `${JSON.stringify(text)} is not the id of ${article(noun)} ${noun}, nor its first ` +
      `${minIdPrefixLength} or more characters`,
    list,
  );

/** The whole id that a text names: the only one that begins with it. A whole id is not looked up. */
export async function resolveId(text: string, search: IdSearch): Promise<Outcome<string>> {
  const prefix = canonicalId(text);
  if (isUuid(prefix)) return succeed(prefix);
  if (!isIdOrPrefix(prefix)) return failNoId(text, search);
  const found = await search.find(prefix);
  if (!found.ok) return found;
  // An older server does not know the filter, and answers with any.
  const fitting = found.value.filter(({ id }) => id.startsWith(prefix));
  const [first, ...others] = fitting;
  if (!first) return failNotFound(prefix, search);
  return others.length === 0 ? succeed(first.id) : failAmbiguous(prefix, fitting, search);
}

function failNotFound(prefix: string, { field, noun, notFound, list }: IdSearch): Outcome<never> {
  return {
    ok: false,
    failure: {
      reason: notFound,
      message: `there is no ${noun} with an id that begins with ${prefix}`,
      exitCode: exitCodes.notFound,
      field,
      hint: list,
    },
  };
}

function failAmbiguous(
  prefix: string,
  candidates: readonly Candidate[],
  { field, noun }: IdSearch,
): Outcome<never> {
  const shown = candidates.slice(0, shownCandidates);
  const names = shown.map(({ id, description }) => `${id} (${description})`).join(', ');
  const more = candidates.length > shown.length ? ', and more' : '';
  const message = `${prefix} is the beginning of more than one ${noun}'s id: ${names}${more}`;
  return fail('ID_AMBIGUOUS', message, { field, hint: 'give more characters of the id' });
}

const article = (noun: string): string => (/^[aeiou]/i.test(noun) ? 'an' : 'a');
