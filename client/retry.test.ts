import { describe, expect, it } from 'vitest';

import { decideRetry, isInDoubt, type Failure, type RetryState } from './retry.ts';

const lost: Failure = { kind: 'no-answer', wasSent: true };
const unsent: Failure = { kind: 'no-answer', wasSent: false };
const refusal = (status: number, reason?: string, retryAfterMs?: number): Failure => ({
  kind: 'refused',
  ...{ status, reason, retryAfterMs },
});

const decide = (failure: Failure, state: Partial<RetryState> = {}) =>
  decideRetry({
    ...{ isRepeatable: true, attempts: 1, maxAttempts: 6, leftMs: 60_000, failure, jitter: 0.5 },
    ...state,
  });

describe('another attempt', () => {
  it.each([
    ['no answer', lost],
    ['no connection', unsent],
    ['THROTTLED', refusal(429, 'THROTTLED')],
    ['OVERLOADED', refusal(503, 'OVERLOADED')],
    ['OUTCOME_UNKNOWN', refusal(504, 'OUTCOME_UNKNOWN')],
    ['a page of a proxy', refusal(502)],
    ['REQUEST_TIMEOUT', refusal(408, 'REQUEST_TIMEOUT')],
  ])(
    '%s leads to one for a request that may be repeated, and to none for others',
    (_w, failure) => {
      expect(decide(failure)).toEqual({ isAgain: true, delayMs: 150 });
      expect(decide(failure, { isRepeatable: false })).toEqual({ isAgain: false });
    },
  );

  it.each([
    ['INSUFFICIENT_FUNDS', refusal(409, 'INSUFFICIENT_FUNDS')],
    ['TERMS_CHANGED', refusal(409, 'TERMS_CHANGED')],
    ['IDEMPOTENCY_KEY_REUSED', refusal(422, 'IDEMPOTENCY_KEY_REUSED')],
    ['TOKEN_INVALID', refusal(401, 'TOKEN_INVALID')],
    ['PERMISSION_DENIED', refusal(403, 'PERMISSION_DENIED')],
    ['INTERNAL', refusal(500, 'INTERNAL')],
    ['a page that is not there', refusal(404)],
  ])('%s leads to none', (_what, failure) => {
    expect(decide(failure)).toEqual({ isAgain: false });
  });

  it('delays double up to a bound, and each is scattered over its upper half', () => {
    const delays = [1, 2, 3, 4, 5, 6, 7].map((attempts) => {
      const range = [0, 0.999].map((jitter) => decide(lost, { attempts, maxAttempts: 9, jitter }));
      return range.map((each) => (each.isAgain ? each.delayMs : 0));
    });
    expect(delays).toEqual([
      ...[
        [100, 200],
        [200, 400],
        [400, 800],
        [800, 1_599],
        [1_600, 3_198],
      ],
      ...[
        [2_500, 4_998],
        [2_500, 4_998],
      ],
    ]);
  });

  it('the time that the server asks for is waited, but never past the deadline', () => {
    const asked = refusal(503, 'OVERLOADED', 9_000);
    expect(decide(asked)).toEqual({ isAgain: true, delayMs: 9_000 });
    expect(decide(asked, { leftMs: 9_000 })).toEqual({ isAgain: false });
    // The own delay is the lower bound.
    expect(decide(refusal(503, 'OVERLOADED', 1))).toEqual({ isAgain: true, delayMs: 150 });
  });

  it('there are at most so many', () => {
    expect(decide(lost, { attempts: 5 })).toMatchObject({ isAgain: true });
    expect(decide(lost, { attempts: 6 })).toEqual({ isAgain: false });
  });
});

describe('the outcome of a request', () => {
  it.each([
    ['no answer', lost],
    ['OUTCOME_UNKNOWN', refusal(504, 'OUTCOME_UNKNOWN')],
    ['DEADLINE_EXCEEDED', refusal(504, 'DEADLINE_EXCEEDED')],
    ['INTERNAL', refusal(500, 'INTERNAL')],
    ['a page of a proxy', refusal(502)],
    ['a page of a proxy that waited', refusal(408)],
  ])('%s leaves it unknown', (_what, failure) => {
    expect(isInDoubt(false, failure)).toBe(true);
  });

  it.each([
    ['no connection', unsent],
    ['OVERLOADED', refusal(503, 'OVERLOADED')],
    ['PERMISSION_DENIED', refusal(403, 'PERMISSION_DENIED')],
    ['WALLET_BUSY', refusal(503, 'WALLET_BUSY')],
    ['a page that is not there', refusal(404)],
  ])('%s says that this attempt did nothing, and nothing about those before', (_what, failure) => {
    expect(isInDoubt(false, failure)).toBe(false);
    expect(isInDoubt(true, failure)).toBe(true);
  });

  it.each(['INSUFFICIENT_FUNDS', 'IDEMPOTENCY_KEY_REUSED', 'WALLET_FROZEN'])(
    '%s of the ledger ends the doubt about the attempts before',
    (reason) => {
      expect(isInDoubt(true, refusal(409, reason))).toBe(false);
    },
  );
});
