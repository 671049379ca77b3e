/** Permits by key, for admission limits; a key without permits is not kept. */
export function createCounts() {
  const counts = new Map<string, number>();
  let total = 0;
  return {
    /** How many keys have a permit. */
    size: (): number => counts.size,
    /** Permits of all keys. */
    total: (): number => total,
    countOf: (key: string): number => counts.get(key) ?? 0,
    has: (key: string): boolean => counts.has(key),
    /** Takes so many permits for this key; false if it would have more than `most`. */
    take: (key: string, most: number, permits = 1): boolean => {
      const count = (counts.get(key) ?? 0) + permits;
      if (count > most) return false;
      counts.set(key, count);
      total += permits;
      return true;
    },
    release: (key: string, permits = 1): void => {
      total -= permits;
      const count = (counts.get(key) ?? permits) - permits;
      if (count === 0) counts.delete(key);
      else counts.set(key, count);
    },
  };
}
