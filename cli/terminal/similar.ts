/** The known word that `text` is most likely a misspelling of; undefined if none is near. */
export function findSimilar(text: string, known: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let least = Math.max(2, Math.floor(text.length / 3)) + 1;
  for (const word of known) {
    // Part of a long name is near to it, too: `date` to `created_date`.
    const isPart = text.length >= 3 && (word.startsWith(text) || word.endsWith(text));
    const distance = isPart ? 1 : measureDistance(text, word);
    if (distance >= least || distance >= word.length) continue;
    nearest = word;
    least = distance;
  }
  return nearest;
}

/** How many letters have to be added, removed or replaced (Levenshtein). */
function measureDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
