/** Counts by key; a key that counts nothing is not kept. */
export function createCounts() {
  const counts = new Map<string, number>();
  return {
    /** How many keys count something. */
    size: (): number => counts.size,
    has: (key: string): boolean => counts.has(key),
    /** One more under this key, unless there are as many as there may be. */
    take: (key: string, most: number): boolean => {
      const count = counts.get(key) ?? 0;
      if (count >= most) return false;
      counts.set(key, count + 1);
      return true;
    },
    give: (key: string): void => {
      const count = (counts.get(key) ?? 1) - 1;
      if (count === 0) counts.delete(key);
      else counts.set(key, count);
    },
  };
}
