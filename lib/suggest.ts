/** Words further apart than this have nothing to do with each other. */
const maxDistance = 3;
const maxSuggestions = 3;

/**
 * The words that were probably meant by `text`: those with the fewest changed, missing, additional
 * or swapped letters, and those that it begins. Letter case does not count.
 */
export function findSimilar(text: string, known: readonly string[]): readonly string[] {
  const typed = text.toLowerCase();
  const ranked = known
    .map((word) => ({ word, distance: distanceTo(typed, word.toLowerCase()) }))
    .filter(({ distance }) => distance !== undefined) as { word: string; distance: number }[];
  const least = Math.min(...ranked.map(({ distance }) => distance));
  return ranked
    .filter(({ distance }) => distance === least)
    .map(({ word }) => word)
    .sort()
    .slice(0, maxSuggestions);
}

/** `did you mean BRL?`, or undefined if no word is similar. */
export function suggest(text: string, known: readonly string[]): string | undefined {
  const similar = findSimilar(text, known);
  const last = similar.at(-1);
  if (last === undefined) return undefined;
  const others = similar.slice(0, -1).join(', ');
  return `did you mean ${others === '' ? last : `${others} or ${last}`}?`;
}

function distanceTo(typed: string, word: string): number | undefined {
  if (typed.length >= 3 && word.startsWith(typed)) return 0.5;
  const distance = editDistance(typed, word);
  const length = Math.max(typed.length, word.length);
  return distance <= maxDistance && distance / length < 0.5 ? distance : undefined;
}

/** Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > maxDistance) return maxDistance + 1;
  const rows = [Array.from({ length: b.length + 1 }, (_none, index) => index)];
  const at = (i: number, j: number): number => rows[i]?.[j] ?? 0;
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= b.length; j += 1) {
      const substituted = at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwap ? at(i - 2, j - 2) + 1 : Number.POSITIVE_INFINITY;
      row.push(Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, substituted, swapped));
    }
  }
  return at(a.length, b.length);
}
