import { describe, expect, it } from 'vitest';

import {
  cutToPast,
  hasCarriableTotals,
  isOver,
  resolveRange,
  type Extent,
  type Line,
} from './domain.ts';
import { createTails } from './witness/tails.ts';

const nowMs = Date.UTC(2026, 10, 22);
const dayMs = 86_400_000;
const head = { seq: 1n, hash: undefined, asOfMs: nowMs };
const range = { fromMs: nowMs - dayMs, toMs: nowMs, timezone: 'UTC' };

describe('ranges and the clock of the ledger', () => {
  it('a range is over once the clock of the ledger has reached its end', () => {
    expect(isOver(range, head)).toBe(true);
    expect(isOver({ ...range, toMs: nowMs + 1 }, head)).toBe(false);
    expect(isOver({ ...range, toMs: nowMs + dayMs }, undefined)).toBe(true);
  });

  it('a range that is not over is cut to what is', () => {
    const later = { ...range, toMs: nowMs + dayMs };
    expect(cutToPast(later, head)).toEqual({ ok: true, value: range });
    expect(cutToPast(later, undefined)).toEqual({ ok: true, value: later });
    expect(cutToPast(range, head)).toEqual({ ok: true, value: range });
    expect(cutToPast({ ...later, fromMs: nowMs }, head)).toMatchObject({
      ...{ ok: true, value: { fromMs: nowMs, toMs: nowMs } },
    });
  });

  it('a range of which nothing has begun is refused with its field', () => {
    const future = { ...range, fromMs: nowMs + 1, toMs: nowMs + dayMs };
    expect(cutToPast(future, head)).toMatchObject({
      rejection: { reason: 'INVALID_ARGUMENT', metadata: { field: 'from' } },
    });
  });
});

describe('ranges that are asked for', () => {
  const resolve = (change: object) =>
    resolveRange({ fromMs: nowMs - dayMs, toMs: nowMs, timezone: 'UTC', ...change }, nowMs, 15);
  const refusedFor = (field: string) => ({ rejection: { metadata: { field } } });

  it('the field that is wrong is named', () => {
    expect(resolve({ timezone: 'Mars/Base' })).toMatchObject(refusedFor('timezone'));
    expect(resolve({ toMs: NaN })).toMatchObject(refusedFor('to'));
    expect(resolve({ fromMs: NaN })).toMatchObject(refusedFor('from'));
    expect(resolve({ fromMs: nowMs + 1 })).toMatchObject(refusedFor('from'));
    expect(resolve({ fromMs: nowMs - 4_000 * dayMs })).toMatchObject({
      rejection: { reason: 'RANGE_TOO_LONG', metadata: { field: 'to', days: '3660' } },
    });
  });

  it('a range of no length is one, and no zone is UTC', () => {
    expect(resolve({ fromMs: nowMs, timezone: '' })).toEqual({
      ...{ ok: true, value: { fromMs: nowMs, toMs: nowMs, timezone: 'UTC' } },
    });
  });
});

it('totals of 2^63 are not carried, and those below are', () => {
  const limit = 2n ** 63n;
  const of = (totalDebitMinor: bigint, totalCreditMinor: bigint): boolean =>
    hasCarriableTotals({ totalDebitMinor, totalCreditMinor } as Extent);
  expect(of(limit - 1n, limit - 1n)).toBe(true);
  expect(of(limit, 0n)).toBe(false);
  expect(of(0n, limit)).toBe(false);
});

describe('tails of wallets', () => {
  const lineOf = (seq: bigint): Line => ({ walletId: 'w', seq, hash: `hash ${seq}` }) as Line;

  it('lines that skip others are given, with the last one that was known', () => {
    const tails = createTails();
    expect(tails.note([lineOf(1n), lineOf(2n)])).toEqual([]);
    expect(tails.note([lineOf(5n), lineOf(6n)])).toEqual([{ walletId: 'w', seq: 5n, lastSeq: 2n }]);
    expect(tails.get('w')).toMatchObject({ seq: 6n, hash: 'hash 6' });
    expect(createTails().note([lineOf(3n)])).toEqual([
      { walletId: 'w', seq: 3n, lastSeq: undefined },
    ]);
  });

  it('a line before the tail changes nothing', () => {
    const tails = createTails();
    tails.note([lineOf(1n), lineOf(2n)]);
    expect(tails.note([lineOf(2n), lineOf(1n)])).toEqual([]);
    expect(tails.get('w')?.seq).toBe(2n);
  });

  it('a line that has others behind it is not the tail', () => {
    const tails = createTails();
    const later = [9n, 4n].map((seq) => ({ walletId: 'w', seq }));
    tails.note([lineOf(1n)], later);
    expect(tails.get('w')).toBeUndefined();
    tails.note([lineOf(9n)], later);
    expect(tails.get('w')?.seq).toBe(9n);
  });
});
