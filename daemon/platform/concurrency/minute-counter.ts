/** Counts by key, from 0 again each minute. */
export function createMinuteCounter(): { count(key: string): number } {
  const counts = new Map<string, number>();
  let minute = 0;
  return {
    count: (key) => {
      const now = Math.floor(performance.now() / 60_000);
      if (now !== minute) counts.clear();
      minute = now;
      const count = (counts.get(key) ?? 0) + 1;
      counts.set(key, count);
      return count;
    },
  };
}
