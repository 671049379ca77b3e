/** A number above 0 for each of many digests, of which 64 bits are kept. */
export type DigestTable = {
  /** The number of a digest (in hexadecimal digits), or 0. */
  get(digest: string): number;
  set(digest: string, value: number): void;
  /** How many digests have a number. */
  size(): number;
  values(): Iterable<number>;
};

/**
 * An open hash table: 12 bytes for each digest, at a load of at most three quarters. For a million
 * digests, the chance that two of them share their 64 bits is one in 10^7.
 */
export function createDigestTable(): DigestTable {
  let capacity = 1 << 12;
  let used = 0;
  /** Of each slot, the two halves of its digest. */
  let halves = new Uint32Array(2 * capacity);
  let numbers = new Uint32Array(capacity);

  const slotOf = (low: number, high: number): number => {
    const mask = capacity - 1;
    let slot = low & mask;
    while (numbers[slot] !== 0 && (halves[2 * slot] !== low || halves[2 * slot + 1] !== high)) {
      slot = (slot + 1) & mask;
    }
    return slot;
  };
  const put = (slot: number, low: number, high: number, value: number): void => {
    halves[2 * slot] = low;
    halves[2 * slot + 1] = high;
    numbers[slot] = value;
  };
  const grow = (): void => {
    const [oldHalves, oldNumbers] = [halves, numbers];
    capacity *= 2;
    halves = new Uint32Array(2 * capacity);
    numbers = new Uint32Array(capacity);
    oldNumbers.forEach((value, i) => {
      if (value === 0) return;
      const [low, high] = [oldHalves[2 * i] ?? 0, oldHalves[2 * i + 1] ?? 0];
      put(slotOf(low, high), low, high, value);
    });
  };
  return {
    get: (digest) => numbers[slotOf(lowOf(digest), highOf(digest))] ?? 0,
    set: (digest, value) => {
      const [low, high] = [lowOf(digest), highOf(digest)];
      const slot = slotOf(low, high);
      if (numbers[slot] === 0) used += 1;
      put(slot, low, high, value);
      if (used > (capacity / 4) * 3) grow();
    },
    size: () => used,
    values: () => numbers.filter((value) => value !== 0),
  };
}

const lowOf = (digest: string): number => parseInt(digest.slice(0, 8), 16);
const highOf = (digest: string): number => parseInt(digest.slice(8, 16), 16);
