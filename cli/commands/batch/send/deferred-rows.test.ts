import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import {
  createLockedLedger,
  createModelClock,
  toModelRow,
  walletsOf,
  type ModelRow,
} from '../../../../tests/support/ledger/locked-ledger.ts';
import { maxDeferred } from './deferred-rows.ts';
import { sendChunks } from './send.ts';
import type { SenderOptions } from './sender.ts';

/** What the sender said of each row, in the order in which it said it. */
type Said = { readonly row: number; readonly what: 'answered' | 'deferred' | 'back' };

function toChunks(rows: readonly ModelRow[], size: number): ModelRow[][] {
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, i) =>
    rows.slice(i * size, (i + 1) * size),
  );
}

async function send(
  parts: Pick<SenderOptions, 'caller' | 'clock'> & Partial<SenderOptions>,
  chunks: readonly (readonly ModelRow[])[],
) {
  const said: Said[] = [];
  let next = 0;
  const sent = await sendChunks({
    isDryRun: false,
    position: '1',
    onPosition: () => Promise.resolve(),
    timeoutMs: 60_000,
    isStopped: () => false,
    next: () => {
      const rows = chunks[next++];
      return Promise.resolve(rows && { rows, digest: '', isLate: false });
    },
    onSend: () => Promise.resolve(),
    onResults: (_chunk, answered, deferred) => {
      said.push(...answered.map(({ row }) => ({ row: row.row, what: 'answered' as const })));
      said.push(...deferred.map(({ row }) => ({ row, what: 'deferred' as const })));
      return Promise.resolve();
    },
    onLateResults: (answered) => {
      said.push(...answered.map(({ row }) => ({ row: row.row, what: 'back' as const })));
      return Promise.resolve();
    },
    onBusy: () => Promise.resolve(),
    onRetry: () => Promise.resolve(),
    ...parts,
  });
  return { sent, said, rowsRead: () => chunks.slice(0, next).flat().length };
}

const rowsThatAre = (said: readonly Said[], what: Said['what']): number[] =>
  said.filter((one) => one.what === what).map(({ row }) => row);

const plan = fc.record({
  rows: fc.array(
    fc.record({
      user: fc.constantFrom('ana', 'bia', 'caio'),
      trueCurrency: fc.constantFrom('BRL', 'EUR'),
      isUnnamed: fc.boolean(),
      /** A row with a currency may be a transfer to that user. */
      to: fc.constantFrom(undefined, undefined, 'ana', 'bia', 'caio', 'davi'),
    }),
    { minLength: 40, maxLength: 120, size: 'max' },
  ),
  chunkSize: fc.integer({ min: 1, max: 6 }),
  /** What happens at each step: a wallet is locked or let go, or the stream is lost. */
  steps: fc.infiniteStream(
    fc.oneof(
      { weight: 8, arbitrary: fc.constant('nothing' as const) },
      { weight: 2, arbitrary: fc.constant('lose' as const) },
      {
        weight: 5,
        arbitrary: fc.tuple(
          fc.constantFrom('ana', 'bia', 'caio'),
          fc.constantFrom('BRL', 'EUR'),
          fc.boolean(),
        ),
      },
    ),
  ),
});

test('each row is done once, in the order of its wallet, under any locks and lost streams', () =>
  fc.assert(
    fc.asyncProperty(plan, async ({ rows: planned, chunkSize, steps }) => {
      const rows = planned.map(({ user, trueCurrency, isUnnamed, to }, i) => {
        const payee = isUnnamed || to === user ? undefined : to;
        return toModelRow(i + 1, user, isUnnamed ? '' : trueCurrency, trueCurrency, payee);
      });
      let left = 150;
      const step = (): boolean => {
        left -= 1;
        if (left <= 0) ledger.locked.clear();
        const next: unknown = left > 0 ? steps.next().value : 'nothing';
        if (!Array.isArray(next)) return next === 'lose';
        const [user, currency, isLocked] = next as [string, string, boolean];
        if (isLocked) ledger.locked.add(`${user} ${currency}`);
        else ledger.locked.delete(`${user} ${currency}`);
        return false;
      };
      const clock = createModelClock(step);
      const ledger = createLockedLedger(rows, { clock, isLost: step });
      const { sent, said } = await send(
        { caller: ledger.caller, clock },
        toChunks(rows, chunkSize),
      );
      expect(sent.ok).toBe(true);
      const wallets = new Map<string, string[]>();
      for (const row of rows) {
        for (const wallet of walletsOf(row)) {
          wallets.set(wallet, [...(wallets.get(wallet) ?? []), row.item.idempotencyKey]);
        }
      }
      expect(ledger.done).toEqual(wallets);
      const deferred = rowsThatAre(said, 'deferred');
      expect(rowsThatAre(said, 'back').sort((a, b) => a - b)).toEqual(deferred);
      const all = [...rowsThatAre(said, 'answered'), ...deferred].sort((a, b) => a - b);
      expect(all).toEqual(rows.map(({ row }) => row));
      for (const row of deferred) {
        const [first] = said.filter((one) => one.row === row);
        expect(first?.what).toBe('deferred');
      }
    }),
    { numRuns: 150 },
  ));

describe('wallets that stay locked', () => {
  const rows = Array.from({ length: 50 }, (_, i) =>
    toModelRow(i + 1, i % 5 === 0 ? 'ana' : `user ${i % 5}`, 'BRL'),
  );

  test('a locked wallet ends the run with WALLET_BUSY after all other rows', async () => {
    const clock = createModelClock();
    const ledger = createLockedLedger(rows, { clock });
    ledger.locked.add('ana BRL');
    const { sent, said } = await send({ caller: ledger.caller, clock }, toChunks(rows, 7));
    expect(sent).toMatchObject({
      ok: false,
      failure: { reason: 'WALLET_BUSY', exitCode: 7 },
    });
    expect(sent.ok ? '' : sent.failure.message).toMatch(
      /^10 rows wait for a wallet .* row 1 first/,
    );
    expect(rowsThatAre(said, 'answered')).toHaveLength(40);
    expect(rowsThatAre(said, 'back')).toEqual([]);
    expect(ledger.done.has('ana BRL')).toBe(false);
    // With growing pauses, not in a loop.
    expect(ledger.streams()).toBeLessThan(60);
  });

  test('a locked wallet after a lost attempt ends the run with OUTCOME_UNKNOWN', async () => {
    let messages = 0;
    const clock = createModelClock();
    const isLost = (): boolean => (messages += 1) === 1;
    const ledger = createLockedLedger(rows, { clock, isLost });
    ledger.locked.add('ana BRL');
    const { sent } = await send({ caller: ledger.caller, clock }, toChunks(rows, 7));
    expect(sent).toMatchObject({
      ok: false,
      failure: { reason: 'OUTCOME_UNKNOWN', exitCode: 9 },
    });
  });

  test('a run that is to stop does not wait for a locked wallet', async () => {
    let isStopped = false;
    const clock = createModelClock(() => (isStopped = true));
    const ledger = createLockedLedger(rows, { clock });
    ledger.locked.add('ana BRL');
    const { sent, said } = await send(
      { caller: ledger.caller, clock, isStopped: () => isStopped },
      toChunks(rows, 7),
    );
    expect(sent.ok).toBe(true);
    expect(rowsThatAre(said, 'deferred')).toHaveLength(10);
    expect(rowsThatAre(said, 'back')).toEqual([]);
  });

  test('the number of deferred rows in memory is bounded while a wallet is locked', async () => {
    const many = Array.from({ length: 2 * maxDeferred }, (_, i) => toModelRow(i + 1, 'ana', 'BRL'));
    const startMs = createModelClock().now();
    let rowsRead = (): number => 0;
    const read: number[] = [];
    const clock = createModelClock((nowMs) => {
      if (nowMs < startMs + 60_000) read.push(rowsRead());
      else ledger.locked.clear();
    });
    const ledger = createLockedLedger(many, { clock });
    ledger.locked.add('ana BRL');
    let next = 0;
    rowsRead = () => next * 1_000;
    const chunks = toChunks(many, 1_000);
    const { sent } = await send(
      {
        ...{ caller: ledger.caller, clock },
        next: () => {
          const part = chunks[next++];
          return Promise.resolve(part && { rows: part, digest: '', isLate: false });
        },
      },
      [],
    );
    expect(Math.max(...read)).toBeGreaterThanOrEqual(maxDeferred);
    expect(Math.max(...read)).toBeLessThan(maxDeferred + 10_000);
    expect(sent.ok).toBe(true);
    expect(ledger.done.get('ana BRL')).toEqual(many.map(({ item }) => item.idempotencyKey));
  });
});

describe('a server that becomes permanently unavailable', () => {
  const rows = Array.from({ length: 20 }, (_, i) => toModelRow(i + 1, `user ${i % 3}`, 'BRL'));

  test('a batch that cannot reach the server ends with UNREACHABLE, exit code 7', async () => {
    const clock = createModelClock();
    const { caller } = createLockedLedger(rows, { clock, isAway: () => true });
    const { sent } = await send({ caller, clock }, toChunks(rows, 7));
    expect(sent).toMatchObject({ ok: false, failure: { reason: 'UNREACHABLE', exitCode: 7 } });
  });

  test('a batch with unanswered rows ends with OUTCOME_UNKNOWN, exit code 9', async () => {
    let isAway = false;
    const clock = createModelClock();
    const isLost = (): boolean => (isAway = true);
    const { caller } = createLockedLedger(rows, { clock, isLost, isAway: () => isAway });
    const { sent } = await send({ caller, clock }, toChunks(rows, 7));
    expect(sent).toMatchObject({ ok: false, failure: { reason: 'OUTCOME_UNKNOWN', exitCode: 9 } });
  });

  test('a batch with unanswered deferred rows ends with OUTCOME_UNKNOWN', async () => {
    let messages = 0;
    const clock = createModelClock(() => ledger.locked.clear());
    const isLost = (): boolean => (messages += 1) > 1;
    const isAway = (): boolean => messages > 1;
    const ledger = createLockedLedger(rows, { clock, isLost, isAway });
    ledger.locked.add('user 0 BRL');
    const { sent, said } = await send({ caller: ledger.caller, clock }, toChunks(rows, 20));
    expect(rowsThatAre(said, 'deferred')).toHaveLength(7);
    expect(sent).toMatchObject({ ok: false, failure: { reason: 'OUTCOME_UNKNOWN', exitCode: 9 } });
  });
});
