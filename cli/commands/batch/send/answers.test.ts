import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import type { Reason } from '../../../../core/reasons.ts';
import type { TransactionResult } from '../../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { toLostFailure } from '../../../rpc/errors.ts';
import {
  askPosition,
  isBusy,
  isPastDryRun,
  readResults,
  toEnd,
  waitForServer,
  withPeek,
  type TransactionStream,
} from './answers.ts';
import { doneOf, endOf, refusalOf, rowOf } from './test-support.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => vi.useRealTimers());

type Read = Awaited<ReturnType<TransactionStream['read']>>;
const done = doneOf(rowOf(1).item);
const unanswered: TransactionResult = { outcome: undefined };
const results = (...some: TransactionResult[]): Read => ({
  ok: true,
  value: { results: some, ledgerPosition: undefined },
});
const over: Read = { ok: true, value: undefined };

/** A stream that gives these one after the other, and then nothing until it is cancelled. */
function createStream(...reads: readonly Read[]) {
  const left = [...reads];
  const events: string[] = [];
  let cancel: () => void = () => undefined;
  const cancelled = new Promise<void>((resolve) => (cancel = resolve));
  const stream: TransactionStream = {
    write: (message) => {
      events.push(JSON.stringify(message));
      return Promise.resolve();
    },
    end: () => undefined,
    read: async () => {
      const next = left.shift();
      if (next) return next;
      await cancelled;
      return { ok: false, failure: toLostFailure('cancelled') };
    },
    cancel: () => {
      events.push('cancel');
      cancel();
    },
  };
  return { stream, events };
}

const sent = (count: number) => Array.from({ length: count }, (_, i) => rowOf(i + 1));
const read = (stream: TransactionStream, count: number, mayBeBusy = false) =>
  readResults(stream, sent(count), { timeoutMs: 1_000, mayBeBusy });

describe('results of a message', () => {
  test('they may come in parts, and end with the last row', async () => {
    const { stream, events } = createStream(results(done), results(), results(done, done));
    expect(await read(stream, 3)).toEqual({ ok: true, value: [done, done, done] });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(events).toEqual([]);
  });

  test('a stream that ends before the last of them is a loss', async () => {
    const { stream } = createStream(results(done), over);
    expect(await read(stream, 2)).toMatchObject({
      ok: false,
      failure: { certainty: 'unknown', message: 'the stream ended early' },
    });
  });

  test('more of them than rows are a loss: none is taken for that of another row', async () => {
    const { stream } = createStream(results(done, done));
    expect(await read(stream, 1)).toMatchObject({
      ok: false,
      failure: { certainty: 'unknown', message: 'too many results came' },
    });
  });

  test('the failure of a stream is given as it is', async () => {
    const failure = endOf('PERMISSION_DENIED');
    const { stream } = createStream({ ok: false, failure });
    expect(await read(stream, 1)).toEqual({ ok: false, failure });
  });

  test('each part has the whole time, and no answer in time cancels the stream', async () => {
    const { stream, events } = createStream(results(done));
    const reading = read(stream, 2);
    await vi.advanceTimersByTimeAsync(999);
    expect(events).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(events).toEqual(['cancel']);
    expect(await reading).toMatchObject({
      ok: false,
      failure: { certainty: 'unknown', message: 'no answer in time' },
    });
  });

  const busy = refusalOf('WALLET_BUSY');

  test.each([
    ['DATABASE_UNAVAILABLE', true],
    ['OVERLOADED', true],
    ['SHUTTING_DOWN', true],
    ['WALLET_BUSY', true],
    ['INSUFFICIENT_FUNDS', false],
    ['OUTCOME_UNKNOWN', true],
  ] satisfies [Reason, boolean][])(
    'a refusal with %s among them fails the message: %j',
    async (reason, isFailing) => {
      const { stream } = createStream(results(done, refusalOf(reason)));
      const answered = await read(stream, 2);
      expect(answered.ok).toBe(!isFailing);
      if (answered.ok) return;
      expect(answered.failure).toMatchObject({
        ...{ certainty: 'refused', isTransient: true, message: `because ${reason}`, metadata: {} },
      });
    },
  );

  test('a locked wallet fails the message only where its rows cannot wait', async () => {
    const { stream } = createStream(results(busy, done));
    expect(await read(stream, 2, true)).toEqual({ ok: true, value: [busy, done] });
    const other = createStream(results(busy, refusalOf('OVERLOADED')));
    expect((await read(other.stream, 2, true)).ok).toBe(false);
  });

  test('only a refusal for a locked wallet counts as busy', () => {
    expect([busy, done, refusalOf('OVERLOADED'), unanswered, undefined].map(isBusy)).toEqual([
      ...[true, false, false, false, false],
    ]);
  });
});

describe('a dry run that has no room', () => {
  const refused = (reason: Reason, metadata: Record<string, string>): TransactionResult => ({
    outcome: { $case: 'refusal', value: { reason, message: '', metadata } },
  });

  test('only a refusal for the number of items is one', () => {
    const limit = '1024';
    expect(isPastDryRun(refused('INVALID_ARGUMENT', { field: 'items', limit }))).toBe(true);
    const others = [
      refused('INVALID_ARGUMENT', { field: 'items' }),
      refused('INVALID_ARGUMENT', { field: 'amount', limit }),
      refused('AMOUNT_INVALID', { field: 'items', limit }),
      ...[done, unanswered, undefined],
    ];
    expect(others.map(isPastDryRun)).toEqual(others.map(() => false));
  });
});

describe('the position of the ledger', () => {
  test('it is asked for without rows', async () => {
    const { stream, events } = createStream({
      ...{ ok: true, value: { results: [], ledgerPosition: '17' } },
    });
    expect(await askPosition(stream, 1_000)).toEqual({ position: '17' });
    expect(events.map((text) => JSON.parse(text) as unknown)).toEqual([
      { items: [], dryRun: false, withPosition: true },
    ]);
  });

  test.each([
    ['an end', over],
    ['an answer without one', results()],
  ])('%s is a loss', async (_what, answer) => {
    expect(await askPosition(createStream(answer).stream, 1_000)).toMatchObject({
      ...{ certainty: 'unknown', message: 'the stream ended early' },
    });
  });

  test('a failure is given as it is', async () => {
    const failure = endOf('TOKEN_EXPIRED');
    expect(await askPosition(createStream({ ok: false, failure }).stream, 1_000)).toBe(failure);
  });
});

describe('waiting without anything to send', () => {
  test('a message is looked at without being taken', async () => {
    const { stream } = createStream(over, results(done));
    const peeking = withPeek(stream);
    expect(await waitForServer(peeking, false)).toBe('message');
    expect(await waitForServer(peeking, true)).toBe('message');
    expect(await peeking.read()).toEqual(over);
    expect(await peeking.read()).toEqual(results(done));
  });

  test('a dry run is kept open every 20 s, and a run waits for as long as it takes', async () => {
    const waits: string[] = [];
    void waitForServer(withPeek(createStream().stream), true).then((what) => waits.push(what));
    void waitForServer(withPeek(createStream().stream), false).then((what) => waits.push(what));
    await vi.advanceTimersByTimeAsync(19_999);
    expect(waits).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(waits).toEqual(['time']);
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(waits).toEqual(['time']);
  });
});

describe('why a run ends', () => {
  test('where rows are in doubt a server that is unavailable leaves the outcome unknown', () => {
    const failure = endOf('DATABASE_UNAVAILABLE', { isTransient: true });
    expect(toEnd(failure, false)).toMatchObject({ reason: 'DATABASE_UNAVAILABLE', exitCode: 7 });
    expect(toEnd(failure, true)).toMatchObject({ reason: 'OUTCOME_UNKNOWN', exitCode: 9 });
  });

  test('it says how to go on, unless there is a better hint', () => {
    expect(toEnd(toLostFailure('lost'), false).hint).toBeTypeOf('string');
    const hinted = endOf('TOKEN_EXPIRED', { hint: 'a better one' });
    expect(toEnd(hinted, false).hint).toBe('a better one');
  });
});
