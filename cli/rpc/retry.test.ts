import { describe, expect, test } from 'vitest';

import { callRepeatedly } from './retry.ts';
import { toUnsentFailure, type CallFailure, type CallResult } from './errors.ts';

const base = { ...toUnsentFailure('x'), isTransient: true };
const unsent: CallFailure = base;
const unknown: CallFailure = { ...base, certainty: 'unknown' };
const refused: CallFailure = { ...base, certainty: 'refused', reason: 'DATABASE_UNAVAILABLE' };
const final: CallFailure = { ...refused, isTransient: false, reason: 'INSUFFICIENT_FUNDS' };

/**
 * Answers one after the other, the last for ever, each taking `tookMs` of a clock of its own, at
 * most up to its deadline.
 */
async function run(answers: readonly (CallFailure | 'done')[], timeoutMs: number, tookMs = 10) {
  let nowMs = 0;
  let count = 0;
  const deadlines: number[] = [];
  const { result, hadUnknownAttempt } = await callRepeatedly<string>(
    (deadlineMs) => {
      deadlines.push(deadlineMs);
      const answer = answers[Math.min(count, answers.length - 1)] ?? 'done';
      count += 1;
      nowMs += Math.min(tookMs, deadlineMs - nowMs);
      const value: CallResult<string> =
        answer === 'done' ? { ok: true, value: answer } : { ok: false, failure: answer };
      return Promise.resolve(value);
    },
    {
      timeoutMs,
      attemptMs: Math.max(timeoutMs / 3, 2000),
      clock: {
        // The wall clock may step: nothing here goes by it.
        now: () => NaN,
        elapsed: () => nowMs,
        sleep: (durationMs) => {
          nowMs += durationMs;
          return Promise.resolve();
        },
      },
    },
  );
  return { result, hadUnknownAttempt, count, nowMs, deadlines };
}

describe('callRepeatedly', () => {
  test('an answer or a final refusal is not followed by a retry', async () => {
    expect(await run(['done'], 1000)).toMatchObject({ count: 1, hadUnknownAttempt: false });
    expect(await run([final], 30_000)).toMatchObject({ count: 1, hadUnknownAttempt: false });
  });

  test('a refusal with retryAfterMs is not retried before that time', async () => {
    const overloaded = { ...refused, metadata: { retryAfterMs: '1400' } };
    const { count, nowMs } = await run([overloaded, 'done'], 30_000);
    expect(count).toBe(2);
    expect(nowMs).toBeGreaterThanOrEqual(1_400);
    expect((await run([overloaded, 'done'], 1_000)).count).toBe(1);
  });

  test('a refusal is not retried if less time is left than its attempt took', async () => {
    const busy = { ...refused, reason: 'WALLET_BUSY' } as const;
    const { result, count, deadlines, nowMs } = await run([busy], 3_000, 1_000);
    expect(result).toMatchObject({ ok: false, failure: { certainty: 'refused' } });
    expect(count).toBe(2);
    expect(nowMs).toBeLessThan(3_000);
    expect(deadlines).toHaveLength(2);
    // In doubt it is asked for to the end: only an answer of the ledger helps.
    expect(await run([unknown, busy], 3_000, 1_000)).toMatchObject({ count: 3, nowMs: 3_000 });
  });

  test('a call that could not connect is not retried', async () => {
    expect((await run([unsent], 30_000)).count).toBe(1);
  });

  test('a call with a transient refusal is tried three times', async () => {
    expect((await run([refused], 30_000)).count).toBe(3);
    expect(await run([refused, 'done'], 30_000)).toMatchObject({ count: 2, result: { ok: true } });
  });

  test('a call of unknown outcome is retried until its timeout', async () => {
    const { count, nowMs, hadUnknownAttempt } = await run([unknown], 30_000);
    expect(count).toBeGreaterThan(8);
    expect(nowMs).toBeLessThanOrEqual(30_000);
    expect(hadUnknownAttempt).toBe(true);
  });

  test('a call of unknown outcome is retried after failed connections too', async () => {
    const ran = await run([unknown, unsent, unsent, unsent, unsent, 'done'], 30_000);
    expect(ran).toMatchObject({ count: 6, result: { ok: true }, hadUnknownAttempt: true });
  });

  test('the first attempt may take a third of the timeout, and no attempt exceeds it', async () => {
    const { deadlines } = await run([unknown], 30_000, 10_000);
    expect(deadlines[0]).toBe(10_000);
    for (const deadlineMs of deadlines) expect(deadlineMs).toBeLessThanOrEqual(30_000);
  });
});
