import { describe, expect, it } from 'vitest';

import {
  browserIdleMs,
  browserLifeMs,
  decideExchange,
  type BrowserSession,
} from './browser-domain.ts';

const nowMs = Date.UTC(2026, 10, 22);
const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

/** A session that was opened and used so long ago. */
function session(openedAgoMs: number, usedAgoMs: number, change: Partial<BrowserSession> = {}) {
  const createdAtMs = nowMs - openedAgoMs;
  const lastUsedAtMs = nowMs - usedAgoMs;
  const expiresAtMs = Math.min(lastUsedAtMs + browserIdleMs, createdAtMs + browserLifeMs);
  const times = { createdAtMs, lastUsedAtMs, expiresAtMs };
  return { ...times, revokedAtMs: undefined, isUserDisabled: false, ...change };
}

describe('exchange of a browser token', () => {
  it.each([
    ['just opened', session(0, 0), 'accept'],
    ['used a millisecond less than 12 hours ago', session(dayMs, browserIdleMs - 1), 'accept'],
    ['used 12 hours ago', session(dayMs, browserIdleMs), 'expired'],
    ['a millisecond less than 30 days old', session(browserLifeMs - 1, 0), 'accept'],
    ['30 days old and used just now', session(browserLifeMs, 0), 'expired'],
    [
      '30 days old, whatever end its row has',
      session(browserLifeMs, 0, { expiresAtMs: nowMs + 1 }),
      'expired',
    ],
    ['ended', session(dayMs, 0, { revokedAtMs: nowMs - 1 }), 'revoked'],
    ['ended and expired', session(dayMs, browserIdleMs, { revokedAtMs: nowMs }), 'revoked'],
    ['of a disabled user', session(dayMs, 0, { isUserDisabled: true }), 'revoked'],
    ['used while the clock was a day ahead', session(dayMs, -dayMs), 'past bound'],
    ['opened while the clock was a day ahead', session(-dayMs, -dayMs), 'past bound'],
    ['used before the clock stepped back by 10 minutes', session(dayMs, -10 * minuteMs), 'accept'],
  ] as const)('a browser session that is %s is decided as it must', (_when, state, outcome) => {
    expect(decideExchange(state, nowMs).outcome).toBe(outcome);
  });

  it.each([
    ['a minute after the last recorded use', session(dayMs, minuteMs), nowMs + browserIdleMs],
    ['less than a minute after it', session(dayMs, minuteMs - 1), undefined],
    ['before it, since the clock stepped back', session(dayMs, -10 * minuteMs), undefined],
    [
      'an hour before the latest end',
      session(browserLifeMs - 60 * minuteMs, minuteMs),
      nowMs + 60 * minuteMs,
    ],
  ])(
    'a use %s is recorded at most once a minute, up to the latest end',
    (_when, state, newEndMs) => {
      expect(decideExchange(state, nowMs)).toEqual({
        outcome: 'accept',
        latestEndMs: state.createdAtMs + browserLifeMs,
        newEndMs,
      });
    },
  );
});
