import { canonicalText, findTextProblem } from '../text.ts';

/** The most pairs that a transaction may have, and the longest key and value, in UTF-16 units. */
export const metadataLimits = { entries: 16, key: 256, value: 256 } as const;

/** Of keys that the ledger writes itself. */
const reservedPrefix = 'dw.';

/** The key of what a caller knows a transaction by, like the number of an invoice. */
export const referenceKey = 'reference';

/** What is wrong with metadata; `key` is absent if it concerns no single pair. */
export type MetadataProblem = { readonly key?: string; readonly problem: string };

/** Why the ledger does not take these pairs, or undefined if it does. */
export function findMetadataProblem(
  metadata: Readonly<Record<string, string>>,
): MetadataProblem | undefined {
  let count = 0;
  for (const key in metadata) {
    count += 1;
    if (count > metadataLimits.entries) {
      return { problem: `must have at most ${metadataLimits.entries} pairs` };
    }
    const problem = findPairProblem(key, metadata[key] ?? '');
    if (problem !== undefined) return { key: shorten(key), problem };
  }
  return undefined;
}

/** Two keys must not look the same: control characters, and those that only format. */
const invisible = /[\p{Cc}\p{Cf}]/u;

function findPairProblem(key: string, value: string): string | undefined {
  if (key.toLowerCase().startsWith(reservedPrefix)) {
    return `has the key ${quote(key)}: keys that begin with ${reservedPrefix} are reserved`;
  }
  const ofKey = findTextProblem(key, metadataLimits.key);
  if (ofKey !== undefined) return `has the key ${quote(key)}, which ${ofKey}`;
  if (key === '') return 'has a key without a character';
  if (invisible.test(key) || canonicalText(key) !== key) {
    return `has the key ${quote(key)}, which must be in its plain form: NFC, no control character, no space around it`;
  }
  const ofValue = findTextProblem(value, metadataLimits.value);
  return ofValue === undefined ? undefined : `has a value of ${quote(key)} that ${ofValue}`;
}

/** As much of a key as an error names. */
const shorten = (key: string): string =>
  key.length > 64 ? `${key.slice(0, 64).toWellFormed()}…` : key.toWellFormed();

const quote = (key: string): string => JSON.stringify(shorten(key));
