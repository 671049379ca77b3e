import { randomUUID } from 'node:crypto';

import { exportJWK, generateKeyPair, SignJWT, type JSONWebKeySet } from 'jose';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Result } from '../../../core/reasons.ts';
import { createTokenVerifier, tokenRules } from './tokens.ts';

const startMs = Date.UTC(2026, 10, 22, 12);
const minuteMs = 60_000;
const pairs = {
  one: await generateKeyPair('EdDSA', { extractable: true }),
  two: await generateKeyPair('EdDSA', { extractable: true }),
};
type Kid = keyof typeof pairs;

let fetches: number;
let published: readonly Kid[];
let isAway: boolean;
let reports: string[];
/** Answers are held while this is set. */
let held: (() => void)[] | undefined;

beforeEach(() => {
  vi.useFakeTimers({ now: startMs });
  [fetches, published, isAway, reports, held] = [0, ['one'], false, [], undefined];
});
afterEach(() => vi.useRealTimers());

const fetchJwks = async (): Promise<JSONWebKeySet> => {
  fetches += 1;
  const kids = published;
  if (held) await new Promise<void>((resolve) => held?.push(resolve));
  if (isAway) throw new Error('14 UNAVAILABLE');
  return {
    keys: await Promise.all(
      kids.map(async (kid) => ({ ...(await exportJWK(pairs[kid].publicKey)), kid })),
    ),
  };
};

const create = () =>
  createTokenVerifier({
    fetchJwks,
    nowMs: () => Date.now(),
    clockAlarm: { report: (what) => reports.push(what) },
  });

/** A token that is signed by one key, and may name another. */
const sign = (kid: Kid | 'other', claims: object = {}, endMs = startMs + 15 * minuteMs) =>
  new SignJWT({ sid: randomUUID(), role: 'customer', ...claims })
    .setProtectedHeader({ alg: tokenRules.algorithm, typ: tokenRules.type, kid })
    .setIssuer(tokenRules.issuer)
    .setAudience(tokenRules.audience)
    .setSubject(randomUUID())
    .setIssuedAt(startMs / 1_000)
    .setExpirationTime(endMs / 1_000)
    .sign(pairs[kid === 'other' ? 'one' : kid].privateKey);

const reasonOf = (result: Result<unknown>): string => (result.ok ? 'ok' : result.rejection.reason);
const pass = (durationMs: number): Promise<unknown> => vi.advanceTimersByTimeAsync(durationMs);

describe('signing keys', () => {
  it('an unknown key is looked for only where those that are known are older than 5 s', async () => {
    const { verify } = create();
    await verify(await sign('one'));
    const other = await sign('two');
    published = ['one', 'two'];
    await pass(5_000);
    expect(reasonOf(await verify(other))).toBe('TOKEN_INVALID');
    expect(fetches).toBe(1);
    await pass(1);
    expect(reasonOf(await verify(other))).toBe('ok');
    expect(fetches).toBe(2);
  });

  it('after a failed look for an unknown key there is none for half a second', async () => {
    const { verify } = create();
    await verify(await sign('one'));
    const other = await sign('two');
    await pass(6_000);
    isAway = true;
    expect(reasonOf(await verify(other))).toBe('AUTH_UNAVAILABLE');
    isAway = false;
    published = ['one', 'two'];
    await pass(500);
    expect(reasonOf(await verify(other))).toBe('TOKEN_INVALID');
    expect(fetches).toBe(2);
    await pass(1);
    expect(reasonOf(await verify(other))).toBe('ok');
  });

  it('a token with a bad signature of a known key causes no look', async () => {
    const { verify } = create();
    const token = await sign('one');
    await verify(token);
    await pass(30_000);
    expect(reasonOf(await verify(`${token.slice(0, -20)}${'A'.repeat(20)}`))).toBe('TOKEN_INVALID');
    expect(fetches).toBe(1);
  });

  it('keys are renewed in the background once they are a minute old', async () => {
    const { verify, recall } = create();
    const token = await sign('one');
    await verify(token);
    await pass(minuteMs - 1);
    expect(recall(token)).toBeDefined();
    expect(fetches).toBe(1);
    await pass(1);
    held = [];
    // The known ones stay in use meanwhile, and one look is under way at a time.
    expect(recall(token)).toBeDefined();
    expect(recall(token)).toBeDefined();
    expect(fetches).toBe(2);
    const [answer] = held;
    held = undefined;
    answer?.();
    await pass(1);
    expect(recall(token)).toBeDefined();
    expect(fetches).toBe(2);
    await pass(minuteMs);
    recall(token);
    expect(fetches).toBe(3);
  });

  it('a failed renewal leaves the known keys in use, and the next call tries again', async () => {
    const { verify, recall } = create();
    const token = await sign('one');
    await verify(token);
    await pass(minuteMs);
    isAway = true;
    expect(recall(token)).toBeDefined();
    await pass(1);
    expect(reasonOf(await verify(await sign('one')))).toBe('ok');
    await pass(1);
    expect(fetches).toBeGreaterThan(2);
  });

  it('verdicts end with the keys that they rest on', async () => {
    const { verify, recall } = create();
    const token = await sign('one');
    await verify(token);
    published = ['two'];
    await pass(minuteMs);
    recall(token);
    await pass(1);
    expect(recall(token)).toBeUndefined();
    expect(reasonOf(await verify(token))).toBe('TOKEN_INVALID');
  });

  it('verdicts stay where the renewed keys are the same', async () => {
    const { verify, recall } = create();
    const token = await sign('one');
    await verify(token);
    await pass(minuteMs);
    recall(token);
    await pass(1);
    expect(recall(token)).toBeDefined();
  });

  it('tokens that come while the keys are fetched for the first time share that look', async () => {
    const { verify } = create();
    held = [];
    const tokens = await Promise.all([sign('one'), sign('one'), sign('one')]);
    const verified = tokens.map((token) => verify(token));
    await pass(1);
    expect(fetches).toBe(1);
    const answers = held;
    held = undefined;
    for (const answer of answers) answer();
    expect((await Promise.all(verified)).map(reasonOf)).toEqual(['ok', 'ok', 'ok']);
  });
});

describe('claims', () => {
  it('a token has the generation that it names, and 0 where it names none', async () => {
    const { verify } = create();
    const generationOf = async (claims: object) => {
      const verified = await verify(await sign('one', claims));
      return verified.ok ? verified.value.generation : undefined;
    };
    expect(await generationOf({ gen: 7 })).toBe(7);
    expect(await generationOf({ gen: '7' })).toBe(0);
    expect(await generationOf({})).toBe(0);
  });

  it('a token that ends later than any can is refused, and the clock is reported', async () => {
    const { verify } = create();
    const latestMs = startMs + 30 * minuteMs;
    expect(reasonOf(await verify(await sign('one', {}, latestMs)))).toBe('ok');
    expect(reports).toEqual([]);
    expect(reasonOf(await verify(await sign('one', {}, latestMs + 1_000)))).toBe('TOKEN_EXPIRED');
    expect(reports).toEqual(['access token']);
  });

  it('a token that has ended is no report', async () => {
    const { verify } = create();
    const token = await sign('one', {}, startMs - 1_000);
    expect(reasonOf(await verify(token))).toBe('TOKEN_EXPIRED');
    expect(reports).toEqual([]);
  });
});
