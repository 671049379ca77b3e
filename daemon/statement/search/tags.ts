import { metadataLimits } from '../../../core/json/metadata.ts';
import { canonicalText } from '../../../core/text.ts';
import type { Line } from '../domain.ts';

/** By what a line can be found: `key=value`. */
export type LineTag = Pick<Line, 'walletId' | 'seq' | 'occurredAtMs' | 'hash'> & {
  readonly tag: string;
};

/** The tag of a pair. No key of SEARCH_KEYS has an equals sign. */
export const tagOf = (key: string, value: string): string => `${key}=${canonicalText(value)}`;

/** The tags of lines under these keys; most lines have none. */
export function listTags(lines: readonly Line[], keys: readonly string[]): LineTag[] {
  const tags: LineTag[] = [];
  for (const { metadata, walletId, seq, occurredAtMs, hash } of lines) {
    for (const key in metadata) {
      const value = metadata[key] ?? '';
      // A longer one is in no transaction of the ledger.
      if (!keys.includes(key) || value.length > metadataLimits.value) continue;
      tags.push({ tag: tagOf(key, value), walletId, seq, occurredAtMs, hash });
    }
  }
  return tags;
}

/** Whether a line has this pair. */
export function hasPair({ metadata }: Line, key: string, value: string): boolean {
  return Object.hasOwn(metadata, key) && tagOf(key, metadata[key] ?? '') === tagOf(key, value);
}
