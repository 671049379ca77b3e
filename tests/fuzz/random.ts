import { createHash } from 'node:crypto';

/** Random choices that a seed repeats. */
export type Random = {
  /** 0 to below - 1. */
  int(below: number): number;
  chance(percent: number): boolean;
  pick<T>(list: readonly T[]): T;
  bytes(length: number): Buffer;
};

/** The choices for one input: the same for the same seed, kind and number, whatever ran before. */
export function createRandom(seed: string, kind: string, index: number): Random {
  const digest = createHash('sha256').update(`${seed}:${kind}:${index}`).digest();
  let state = digest.readUInt32LE(0);
  // mulberry32
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
  const int = (below: number): number => (below <= 1 ? 0 : next() % below);
  return {
    int,
    chance: (percent) => int(100) < percent,
    pick: <T>(list: readonly T[]): T => {
      if (list.length === 0) throw new Error('nothing to pick from');
      return list[int(list.length)] as T;
    },
    bytes: (length) => Buffer.from(Array.from({ length }, () => int(256))),
  };
}

/** Puts a list into another order, in place; the same order for the same choices. */
export function shuffle(list: unknown[], random: Random): void {
  for (let i = list.length - 1; i > 0; i -= 1) {
    const j = random.int(i + 1);
    [list[i], list[j]] = [list[j], list[i]];
  }
}
