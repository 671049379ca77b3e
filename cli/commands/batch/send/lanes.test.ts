import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { createDeferredRows, maxDeferred, type DeferredRows } from './deferred-rows.ts';
import { rowOf } from './test-support.ts';
import type { ItemRow } from '../rows/chunk.ts';

/** The longest of the random pauses. */
beforeEach(() => {
  vi.spyOn(Math, 'random').mockReturnValue(1);
});
afterEach(() => {
  vi.restoreAllMocks();
});

const row = (number: number, userId = 'ana', currency = 'BRL', wasSent = false): ItemRow => {
  const one = rowOf(number, userId, { wasSent });
  return { ...one, item: { ...one.item, currency } };
};

const defer = (deferred: DeferredRows, some: readonly ItemRow[], nowMs = 0): void => {
  for (const one of some) {
    deferred.block(one);
    deferred.enqueue(one, nowMs);
  }
};

describe('rows that must wait', () => {
  test('a wallet is a user and a currency, and a row without one may be of any', () => {
    const deferred = createDeferredRows();
    const mustWait = (...some: ItemRow[]) => some.map((one) => deferred.mustWait(one));
    const others = [row(2, 'ana', 'BRL'), row(3, 'ana', 'EUR'), row(4, 'ana', ''), row(5, 'bia')];
    expect(mustWait(...others)).toEqual([false, false, false, false]);
    deferred.block(row(1, 'ana', 'BRL'));
    expect(mustWait(...others)).toEqual([true, false, true, false]);
    deferred.block(row(6, 'ana', ''));
    expect(mustWait(...others)).toEqual([true, true, true, false]);
    deferred.release(row(6, 'ana', ''));
    expect(mustWait(...others)).toEqual([true, false, true, false]);
  });

  test('a wallet is free once each of its rows is', () => {
    const deferred = createDeferredRows();
    for (const number of [1, 2]) deferred.block(row(number));
    deferred.release(row(1));
    expect([deferred.mustWait(row(3)), deferred.wallets()]).toEqual([true, 1]);
    deferred.release(row(2));
    expect([deferred.mustWait(row(3)), deferred.wallets()]).toEqual([false, 0]);
  });

  test('they are counted, and the first of the input is known', () => {
    const deferred = createDeferredRows();
    expect([deferred.size(), deferred.first(), deferred.isInDoubt()]).toEqual([
      ...[0, undefined, false],
    ]);
    defer(deferred, [row(4, 'ana'), row(7, 'ana'), row(3, 'bia', 'BRL', true)]);
    defer(deferred, [row(5, 'caio')]);
    expect([deferred.size(), deferred.wallets(), deferred.first()?.row]).toEqual([4, 3, 3]);
    expect(deferred.isInDoubt()).toBe(true);
    expect(deferred.rowsOf('ana').map((one) => one.row)).toEqual([4, 7]);
    expect(deferred.rowsOf('other')).toEqual([]);
  });

  test('there is room for so many, and no more', () => {
    const deferred = createDeferredRows();
    defer(
      deferred,
      Array.from({ length: maxDeferred - 1 }, (_, i) => row(i)),
    );
    expect(deferred.hasRoom()).toBe(true);
    defer(deferred, [row(maxDeferred)]);
    expect(deferred.hasRoom()).toBe(false);
  });

  test('of rows that were tried those that are busy stay in front, in their order', () => {
    const deferred = createDeferredRows();
    const rows = [1, 2, 3, 4].map((number) => row(number));
    defer(deferred, rows);
    deferred.finish('ana', rows.slice(0, 3), [rows[1]!, rows[2]!]);
    expect(deferred.rowsOf('ana').map((one) => one.row)).toEqual([2, 3, 4]);
    expect(deferred.size()).toBe(3);
    deferred.finish('ana', rows.slice(1), []);
    expect([deferred.size(), deferred.wallets(), deferred.mustWait(row(9))]).toEqual([0, 0, false]);
  });
});

describe('when they are tried again', () => {
  test('the first time after 250 ms, and not before', () => {
    const deferred = createDeferredRows();
    expect(deferred.nextDueMs()).toBe(Infinity);
    defer(deferred, [row(1)], 1_000);
    expect(deferred.findDue(1_249)).toEqual([]);
    expect(deferred.findDue(1_250)).toEqual(['ana']);
    // What joins later rows does not put them off.
    defer(deferred, [row(2)], 1_200);
    expect(deferred.nextDueMs()).toBe(1_250);
  });

  test('later each time, up to 5 s; a try that did something counts as the first', () => {
    const deferred = createDeferredRows();
    defer(deferred, [row(1)]);
    const pauses = Array.from({ length: 6 }, () => {
      deferred.postpone('ana', 10_000, false);
      return deferred.nextDueMs() - 10_000;
    });
    expect(pauses).toEqual([500, 1_000, 2_000, 4_000, 5_000, 5_000]);
    deferred.postpone('ana', 10_000, true);
    expect(deferred.nextDueMs()).toBe(10_250);
    deferred.postpone('ana', 10_000, false);
    expect(deferred.nextDueMs()).toBe(10_500);
  });

  test('a pause is random, and no less than three quarters of the whole', () => {
    vi.mocked(Math.random).mockReturnValue(0);
    const deferred = createDeferredRows();
    defer(deferred, [row(1)]);
    deferred.postpone('ana', 0, true);
    expect(deferred.nextDueMs()).toBe(187.5);
  });

  test('each user has times of their own, and one whose rows are only blocked has none', () => {
    const deferred = createDeferredRows();
    deferred.block(row(1, 'caio'));
    expect([deferred.nextDueMs(), deferred.findDue(9_999)]).toEqual([Infinity, []]);
    defer(deferred, [row(2, 'ana')], 0);
    defer(deferred, [row(3, 'bia')], 100);
    expect(deferred.nextDueMs()).toBe(250);
    expect(deferred.findDue(300)).toEqual(['ana']);
    expect(deferred.findDue(350)).toEqual(['ana', 'bia']);
  });

  test('rows that join a lane that was emptied begin with the first pause', () => {
    const deferred = createDeferredRows();
    const first = row(1);
    defer(deferred, [first]);
    deferred.block(row(2));
    deferred.postpone('ana', 0, false);
    deferred.postpone('ana', 0, false);
    deferred.finish('ana', [first], []);
    deferred.enqueue(row(2), 5_000);
    expect(deferred.nextDueMs()).toBe(5_250);
    deferred.postpone('ana', 5_000, false);
    expect(deferred.nextDueMs()).toBe(5_500);
  });
});
