import { describe, expect, it } from 'vitest';

import { createAcking } from './acking.ts';
import type { Lease } from './lease.ts';
import { backoffMs, checkDone, loadNothing } from './round.ts';
import type { SentRow } from './rows.ts';

describe('the end of a round', () => {
  const create = () => {
    let forgotten = 0;
    const lease = { forget: () => void (forgotten += 1) } as unknown as Lease;
    return { lease, forgotten: () => forgotten };
  };

  it('rows that were deleted whole end a round well', () => {
    const { lease, forgotten } = create();
    checkDone(lease, true, 0);
    expect(forgotten()).toBe(0);
  });

  it('rows that another daemon has taken over end the lease', () => {
    const { lease, forgotten } = create();
    expect(() => checkDone(lease, false, 0)).toThrow('another daemon');
    expect(() => checkDone(lease, false, 3)).toThrow('another daemon');
    expect(forgotten()).toBe(2);
  });

  it('messages that were not confirmed are a failure, and the lease stays', () => {
    const { lease, forgotten } = create();
    expect(() => checkDone(lease, true, 1)).toThrow('1 messages were not confirmed');
    expect(forgotten()).toBe(0);
  });
});

it('the pause after failed rounds doubles from 200 ms up to 5 s', () => {
  expect([1, 2, 3, 4, 5, 6, 7, 2_000].map(backoffMs)).toEqual([
    ...[200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000],
  ]);
});

it('an outbox without references refuses to make messages of them', async () => {
  await expect(loadNothing({} as never, '1-2')).rejects.toThrow('keeps no references');
});

describe('the deletion under way', () => {
  const rowsOf = (...ids: bigint[]) => ids.map((id) => ({ row: { id } }) as SentRow);

  it('its rows are known until it has ended', async () => {
    const acking = createAcking();
    expect(acking.ids()).toEqual([]);
    await acking.end();
    let finish: () => void = () => undefined;
    acking.begin(rowsOf(1n, 2n), new Promise<void>((resolve) => (finish = resolve)));
    expect(acking.ids()).toEqual([1n, 2n]);
    let isEnded = false;
    const ended = acking.end().then(() => (isEnded = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect([isEnded, acking.ids()]).toEqual([false, [1n, 2n]]);
    finish();
    await ended;
    expect(acking.ids()).toEqual([]);
  });

  it('its failure is given once, and its rows are sent again', async () => {
    const acking = createAcking();
    acking.begin(rowsOf(1n), Promise.reject(new Error('the lease is lost')));
    await expect(acking.end()).rejects.toThrow('the lease is lost');
    expect(acking.ids()).toEqual([]);
    await acking.end();
  });
});
