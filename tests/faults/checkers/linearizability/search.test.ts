import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { isLinearizable } from './brute-force.ts';
import type { Effect, Observation, WalletOperation } from './operations.ts';
import { findOrder } from './search.ts';

type Interval = readonly [startMs: number, endMs: number];

const deposit = (
  id: string,
  [startMs, endMs]: Interval,
  change: Partial<Effect> = {},
  amountMinor = 10n,
): Effect => ({
  kind: 'effect',
  wanted: { id, operation: 'deposit', amountMinor, parentId: undefined, merchant: undefined },
  ...{ seq: undefined, balanceAfterMinor: undefined, isRequired: true, startMs, endMs, text: id },
  ...change,
});
const withdraw = (
  id: string,
  interval: Interval,
  change: Partial<Effect> = {},
  amountMinor = 10n,
): Effect => {
  const effect = deposit(id, interval, change, amountMinor);
  return { ...effect, wanted: { ...effect.wanted, operation: 'withdraw' } };
};
const undo = (id: string, parentId: string, interval: Interval): Effect => {
  const effect = deposit(id, interval);
  return {
    ...effect,
    wanted: { ...effect.wanted, operation: 'reversal', amountMinor: undefined, parentId },
  };
};
const read = ([startMs, endMs]: Interval, seq: number, balanceMinor: bigint): Observation => ({
  ...{ kind: 'read', seq, balanceMinor, startMs, endMs, text: `read ${seq}` },
});
const refusal = (
  { wanted, startMs, endMs }: Effect,
  balanceMinor?: bigint,
  reason = 'INSUFFICIENT_FUNDS',
): Observation => ({
  ...{ kind: 'refusal', wanted, reason, balanceMinor, startMs, endMs, text: reason },
});
const optional = { isRequired: false };

const good: [string, WalletOperation[]][] = [
  ['nothing', []],
  ['one after the other', [deposit('a', [0, 1]), withdraw('b', [2, 3]), read([4, 5], 2, 0n)]],
  [
    'reads on both sides of an effect',
    [deposit('a', [0, 9]), read([1, 2], 0, 0n), read([3, 4], 1, 10n)],
  ],
  ['a withdrawal that needs the later of two', [withdraw('b', [0, 9]), deposit('a', [1, 2])]],
  ['a refusal between two', [deposit('a', [0, 9]), refusal(withdraw('b', [1, 2]), 0n)]],
  [
    'an effect without an answer that is seen',
    [deposit('a', [0, 1], optional), read([5, 6], 1, 10n)],
  ],
  ['one that is not', [deposit('a', [0, 1], optional), read([5, 6], 0, 0n)]],
  [
    'the right one of two without an answer',
    [
      ...[deposit('a', [0, Infinity], optional, 1n), deposit('b', [0, Infinity], optional, 2n)],
      ...[read([1, 2], 1, 2n), withdraw('c', [3, 4], { seq: 2 }, 2n)],
    ],
  ],
  [
    'the order that the seqs say',
    [deposit('a', [0, 9], { seq: 2 }), deposit('b', [0, 9], { seq: 1 })],
  ],
  ['an undo', [deposit('a', [0, 1]), undo('u', 'a', [2, 3]), read([4, 5], 2, 0n)]],
  [
    'a refusal of a second undo',
    [
      ...[deposit('a', [0, 1]), undo('u', 'a', [2, 6])],
      refusal(undo('v', 'a', [3, 5]), undefined, 'PARENT_ALREADY_UNDONE'),
    ],
  ],
  [
    'a key that is refused for another content',
    [
      deposit('a', [0, 1]),
      refusal(deposit('a', [2, 3], {}, 11n), undefined, 'IDEMPOTENCY_KEY_REUSED'),
    ],
  ],
  ['intervals that touch', [deposit('a', [1, 2], { seq: 2 }), deposit('b', [2, 3], { seq: 1 })]],
];

const bad: [string, WalletOperation[]][] = [
  ['a stale read', [deposit('a', [0, 1]), read([2, 3], 0, 0n)]],
  ['a read of the future', [read([0, 1], 1, 10n), deposit('a', [2, 3])]],
  ['reads that go back', [deposit('a', [0, 9]), read([1, 2], 1, 10n), read([3, 4], 0, 0n)]],
  ['a balance that never was', [deposit('a', [0, 9]), read([1, 2], 1, 11n)]],
  ['an overdraft', [deposit('a', [0, 1]), withdraw('b', [2, 3], {}, 11n)]],
  [
    'a lost update',
    [
      deposit('a', [0, 9], { balanceAfterMinor: 10n }),
      deposit('b', [0, 9], { balanceAfterMinor: 10n }),
    ],
  ],
  ['two of one seq', [deposit('a', [0, 9], { seq: 1 }), deposit('b', [0, 9], { seq: 1 })]],
  ['a gap', [deposit('a', [0, 9], { seq: 2 })]],
  [
    'an order that the seqs deny',
    [deposit('a', [0, 1], { seq: 2 }), deposit('b', [2, 3], { seq: 1 })],
  ],
  ['a refusal that nothing explains', [deposit('a', [0, 1]), refusal(withdraw('b', [2, 3]))]],
  [
    'a refusal with another balance',
    [deposit('a', [0, 1], {}, 5n), refusal(withdraw('b', [2, 3]), 4n)],
  ],
  [
    'the loss of what was seen',
    [deposit('a', [0, 1], optional), read([2, 3], 1, 10n), read([4, 5], 0, 0n)],
  ],
  ['an undo before its parent', [undo('u', 'a', [0, 1]), deposit('a', [2, 3])]],
  [
    'two undos',
    [
      deposit('a', [0, 1], {}, 20n),
      deposit('b', [0, 1]),
      undo('u', 'a', [2, 3]),
      undo('v', 'a', [2, 3]),
    ],
  ],
  ['an effect that ends before it begins', [deposit('a', [5, 4])]],
];

describe('linearizability', () => {
  it.each(good)('an order is found: %s', (_name, operations) => {
    expect(findOrder(operations).isLinearizable).toBe(true);
    expect(isLinearizable(operations)).toBe(true);
  });

  it.each(bad)('no order is found: %s', (_name, operations) => {
    const { isLinearizable: isFound, stuck } = findOrder(operations);
    expect(isFound).toBe(false);
    expect(isLinearizable(operations)).toBe(false);
    expect(stuck === undefined || operations.includes(stuck.operation)).toBe(true);
  });

  it('what has no place is named', () => {
    const stale = read([2, 3], 0, 0n);
    expect(findOrder([deposit('a', [0, 1]), stale]).stuck).toEqual({ operation: stale, seq: 1 });
  });
});

const interval = fc
  .tuple(fc.nat(12), fc.nat(5))
  .map(([startMs, tookMs]): Interval => [startMs, startMs + tookMs]);
const amount = fc.integer({ min: 1, max: 3 }).map(BigInt);
const maybe = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: of });

/** Few ids, amounts and moments, so that many histories are right and many are almost right. */
const effects = fc
  .record({
    id: fc.constantFrom('a', 'b', 'c', 'd'),
    operation: fc.constantFrom('deposit', 'withdraw', 'reversal'),
    interval,
    amountMinor: amount,
    isRequired: fc.boolean(),
    seq: maybe(fc.integer({ min: 1, max: 4 })),
    balanceAfterMinor: maybe(fc.nat(6).map(BigInt)),
  })
  .map(({ id, operation, interval: at, amountMinor, ...change }): Effect => {
    if (operation === 'reversal') return { ...undo(`undo ${id}`, id, at), ...change };
    return (operation === 'deposit' ? deposit : withdraw)(id, at, change, amountMinor);
  });
const observations = fc.oneof(
  fc
    .tuple(interval, fc.nat(4), fc.nat(6).map(BigInt))
    .map(([at, seq, balanceMinor]) => read(at, seq, balanceMinor)),
  fc
    .tuple(
      effects,
      maybe(fc.nat(4).map(BigInt)),
      fc.constantFrom('INSUFFICIENT_FUNDS', 'PARENT_NOT_FOUND'),
    )
    .map(([effect, balanceMinor, reason]) => refusal(effect, balanceMinor, reason)),
);
const histories = fc.array(fc.oneof({ weight: 3, arbitrary: effects }, observations), {
  maxLength: 6,
});

describe('the fast search', () => {
  it('the fast search finds an order exactly where trying all orders finds one', () => {
    let orders = 0;
    fc.assert(
      fc.property(histories, (operations) => {
        const isFound = isLinearizable(operations);
        if (isFound && operations.length > 2) orders += 1;
        expect(findOrder(operations).isLinearizable).toBe(isFound);
      }),
      { numRuns: 20_000 },
    );
    expect(orders).toBeGreaterThan(500);
  });
});
