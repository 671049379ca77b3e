/** Permits by key, for admission limits; a key without permits is not kept. */
export function createCounts() {
  const counts = new Map<string, number>();
  let total = 0;
  return {
    /** How many keys have a permit. */
    size: (): number => counts.size,
    /** Permits of all keys. */
    total: (): number => total,
    has: (key: string): boolean => counts.has(key),
    /** Takes a permit for this key; false if it has `most` already. */
    take: (key: string, most: number): boolean => {
      const count = counts.get(key) ?? 0;
      if (count >= most) return false;
      counts.set(key, count + 1);
      total += 1;
      return true;
    },
    release: (key: string): void => {
      total -= 1;
      const count = (counts.get(key) ?? 1) - 1;
      if (count === 0) counts.delete(key);
      else counts.set(key, count);
    },
  };
}
