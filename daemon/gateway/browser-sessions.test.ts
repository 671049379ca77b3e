import { describe, expect, it } from 'vitest';

import { refuse, succeed, type Result } from '../../core/reasons.ts';
import { createBrowserSessions, type AccessGrant } from './browser-sessions.ts';

const bearer = { source: '192.0.2.7', requestId: 'request-1' };
const cookieOf = (letter: string): string => `dws_${letter.repeat(43)}`;
const minuteMs = 60_000;

type Answered = Result<AccessGrant> | Error;

/** An auth service whose answers the test gives, and clocks that it moves. */
function createWorld(options: { readonly maxEntries?: number } = {}) {
  const clock = { wallMs: Date.UTC(2026, 10, 22), elapsedMs: 5_000 };
  const asked: { token: string; source: string; answer: (answered: Answered) => void }[] = [];
  const sessions = createBrowserSessions({
    exchange: (token, { source }) =>
      new Promise((resolve, reject) => {
        const answer = (answered: Answered): void => {
          if (answered instanceof Error) reject(answered);
          else resolve(answered);
        };
        asked.push({ token, source, answer });
      }),
    nowMs: () => clock.wallMs,
    elapsedMs: () => clock.elapsedMs,
    ...options,
  });
  const grant = (accessToken: string, lifeMs = 15 * minuteMs): Answered =>
    succeed({ accessToken, expiresAtMs: clock.wallMs + lifeMs });
  /** Asks with a cookie, and has the auth service answer if it is asked. */
  const exchange = async (cookie: string, answered: Answered): Promise<Result<string>> => {
    const before = asked.length;
    const exchanging = sessions.exchange(cookie, bearer);
    if (asked.length > before) asked.at(-1)?.answer(answered);
    return exchanging;
  };
  const pass = (ms: number): void => {
    clock.wallMs += ms;
    clock.elapsedMs += ms;
  };
  return { sessions, asked, clock, grant, exchange, pass };
}

describe('access tokens of session cookies', () => {
  it('a cookie is exchanged once, and its access token is used again', async () => {
    const { asked, exchange, grant } = createWorld();
    expect(await exchange(cookieOf('a'), grant('first'))).toEqual(succeed('first'));
    expect(await exchange(cookieOf('a'), grant('second'))).toEqual(succeed('first'));
    expect(asked).toMatchObject([{ token: cookieOf('a'), source: '192.0.2.7' }]);
  });

  it('requests of one cookie at the same time share one exchange', async () => {
    const { sessions, asked, grant } = createWorld();
    const cookies = [cookieOf('a'), cookieOf('a'), cookieOf('b'), cookieOf('a')];
    const all = Promise.all(cookies.map((cookie) => sessions.exchange(cookie, bearer)));
    expect(asked.map(({ token }) => token)).toEqual([cookieOf('a'), cookieOf('b')]);
    asked[0]?.answer(grant('of a'));
    asked[1]?.answer(grant('of b'));
    expect(await all).toEqual(['of a', 'of a', 'of b', 'of a'].map(succeed));
  });

  it.each([
    ['13 minutes 59 s after an exchange', 15 * minuteMs, 14 * minuteMs - 1_000, 1],
    ['60 s before it expires', 15 * minuteMs, 14 * minuteMs, 2],
    ['with a minute of life or less', minuteMs, 0, 2],
    ['14 minutes after one that is said to live for a day', 24 * 60 * minuteMs, 14 * minuteMs, 2],
  ])('an access token %s: exchanges', async (_when, lifeMs, passedMs, exchanges) => {
    const { asked, exchange, grant, pass } = createWorld();
    await exchange(cookieOf('a'), grant('first', lifeMs));
    pass(passedMs);
    await exchange(cookieOf('a'), grant('second'));
    expect(asked).toHaveLength(exchanges);
  });

  it('a step of the clock by an hour back keeps no access token for longer', async () => {
    const { asked, clock, exchange, grant, pass } = createWorld();
    await exchange(cookieOf('a'), grant('first'));
    clock.wallMs -= 60 * minuteMs;
    pass(14 * minuteMs);
    expect(await exchange(cookieOf('a'), grant('second'))).toEqual(succeed('second'));
    expect(asked).toHaveLength(2);
  });

  it('a refusal and a failure are not kept', async () => {
    const { exchange, grant } = createWorld();
    const refused = refuse('AUTH_UNAVAILABLE', 'the auth service is unavailable');
    expect(await exchange(cookieOf('a'), refused)).toEqual(refused);
    await expect(exchange(cookieOf('a'), new Error('defect'))).rejects.toThrow('defect');
    expect(await exchange(cookieOf('a'), grant('first'))).toEqual(succeed('first'));
  });

  it('a cookie that was forgotten is exchanged again', async () => {
    const { sessions, exchange, grant } = createWorld();
    await exchange(cookieOf('a'), grant('first'));
    await exchange(cookieOf('b'), grant('of b'));
    sessions.forget(cookieOf('a'));
    expect(await exchange(cookieOf('a'), grant('second'))).toEqual(succeed('second'));
    expect(await exchange(cookieOf('b'), grant('another'))).toEqual(succeed('of b'));
  });

  it('an access token that was replaced meanwhile is not forgotten for the old one', async () => {
    const { sessions, exchange, grant } = createWorld();
    await exchange(cookieOf('a'), grant('first'));
    sessions.forget(cookieOf('a'), 'an older one');
    expect(await exchange(cookieOf('a'), grant('second'))).toEqual(succeed('first'));
    sessions.forget(cookieOf('a'), 'first');
    expect(await exchange(cookieOf('a'), grant('second'))).toEqual(succeed('second'));
  });

  it('an exchange that was under way when its cookie was forgotten is not kept', async () => {
    const { sessions, asked, exchange, grant } = createWorld();
    const early = sessions.exchange(cookieOf('a'), bearer);
    sessions.forget(cookieOf('a'));
    expect(await exchange(cookieOf('a'), grant('second'))).toEqual(succeed('second'));
    asked[0]?.answer(grant('first'));
    expect(await early).toEqual(succeed('first'));
    expect(await exchange(cookieOf('a'), grant('third'))).toEqual(succeed('second'));
  });

  it('past the limit, the cookie that was not used for the longest time is dropped', async () => {
    const { exchange, grant } = createWorld({ maxEntries: 2 });
    await exchange(cookieOf('a'), grant('of a'));
    await exchange(cookieOf('b'), grant('of b'));
    await exchange(cookieOf('a'), grant('another of a'));
    await exchange(cookieOf('c'), grant('of c'));
    expect(await exchange(cookieOf('a'), grant('another of a'))).toEqual(succeed('of a'));
    expect(await exchange(cookieOf('b'), grant('another of b'))).toEqual(succeed('another of b'));
  });

  it('a refusal of the token names the cookie, and one of the caller does not', async () => {
    const { exchange } = createWorld();
    const of = (field: string) => refuse('TOKEN_INVALID', 'refused', { field });
    expect(await exchange(cookieOf('a'), of('browser_token'))).toEqual(of('Cookie'));
    expect(await exchange(cookieOf('a'), of('authorization'))).toEqual(of('authorization'));
  });

  it.each([
    ['an empty text', ''],
    ['an access token', 'eyJhbGciOiJFZERTQSJ9.e30.c2lnbmF0dXJl'],
    ['an API key', `dwk_${'a'.repeat(43)}`],
    ['a token that is too short', `dws_${'a'.repeat(42)}`],
    ['a token that is too long', `dws_${'a'.repeat(44)}`],
    ['a token with another character', `dws_${'a'.repeat(42)}=`],
  ])('%s in the cookie is refused without a call', async (_what, cookie) => {
    const { sessions, asked } = createWorld();
    const refused = await sessions.exchange(cookie, bearer);
    expect(refused).toMatchObject({
      rejection: { reason: 'TOKEN_INVALID', metadata: { field: 'Cookie' } },
    });
    expect(asked).toEqual([]);
  });
});
