import type { Random } from '../../../fuzz/random.ts';

export const replace = <T>(list: readonly T[], one: T, other: T): readonly T[] =>
  list.map((element) => (element === one ? other : element));

export const without = <T>(list: readonly T[], one: T): readonly T[] =>
  list.filter((element) => element !== one);

/** A random one of a list; undefined if there is none. */
export const pick = <T>(random: Random, list: readonly T[]): T | undefined =>
  list.length === 0 ? undefined : random.pick(list);
