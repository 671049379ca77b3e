import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { refuse, succeed, type Reason, type Result } from '../../../core/reasons.ts';
import { createKeyVerifier, isApiKey, type VerifiedKey } from './api-keys.ts';

const startMs = Date.UTC(2026, 10, 22, 12);
const key: VerifiedKey = {
  ...{ keyId: 'k', userId: 'ana', role: 'customer', scopes: [], walletId: undefined },
  ...{ operations: [], expiresAtMs: startMs + 3_600_000, hasOwnerTotp: false },
};
const reasonOf = (result: Result<unknown>): string => (result.ok ? 'ok' : result.rejection.reason);

let asked: string[];
let answer: Result<VerifiedKey>;
let changedAt: number | undefined;

beforeEach(() => {
  vi.useFakeTimers({ now: startMs });
  [asked, answer, changedAt] = [[], succeed(key), undefined];
});
afterEach(() => vi.useRealTimers());

const create = () =>
  createKeyVerifier({
    ask: (secret) => {
      asked.push(secret);
      return Promise.resolve(answer);
    },
    revocations: { userChangedAt: (userId) => (userId === 'ana' ? changedAt : undefined) },
    nowMs: () => Date.now(),
  });

const pass = (durationMs: number): Promise<unknown> => vi.advanceTimersByTimeAsync(durationMs);

describe('a key that is ours', () => {
  it('the answer is kept for 30 s, and then asked for anew', async () => {
    const { verify } = create();
    await verify('one');
    await pass(29_999);
    expect(await verify('one')).toEqual(succeed(key));
    expect(asked).toEqual(['one']);
    await pass(1);
    expect(await verify('one')).toEqual(succeed(key));
    expect(asked).toEqual(['one', 'one']);
  });

  it('the answer is kept no longer than the key lives', async () => {
    answer = succeed({ ...key, expiresAtMs: startMs + 5_000 });
    const { verify } = create();
    await verify('one');
    await pass(4_999);
    await verify('one');
    expect(asked).toHaveLength(1);
    await pass(1);
    answer = refuse('TOKEN_EXPIRED', 'it has ended');
    expect(reasonOf(await verify('one'))).toBe('TOKEN_EXPIRED');
  });

  it('each secret has its own answer', async () => {
    const { verify } = create();
    await verify('one');
    await verify('two');
    expect(asked).toEqual(['one', 'two']);
  });

  it('a change of its owner after the answer makes it asked for anew, one before does not', async () => {
    const { verify } = create();
    changedAt = performance.now() - 1;
    await verify('one');
    await verify('one');
    expect(asked).toHaveLength(1);
    changedAt = performance.now();
    await verify('one');
    // What became known in the same moment may be later than the answer.
    expect(asked).toHaveLength(2);
    await pass(1);
    await verify('one');
    await verify('one');
    expect(asked).toHaveLength(3);
  });

  it('a refusal takes the place of the answer before', async () => {
    const { verify } = create();
    await verify('one');
    await pass(30_000);
    answer = refuse('TOKEN_REVOKED', 'it was ended');
    expect(reasonOf(await verify('one'))).toBe('TOKEN_REVOKED');
    expect(reasonOf(await verify('one'))).toBe('TOKEN_REVOKED');
    expect(asked).toHaveLength(3);
  });
});

describe('a key that is not ours', () => {
  it('it is refused unasked for 10 s', async () => {
    answer = refuse('TOKEN_INVALID', 'it is unknown');
    const { verify } = create();
    await verify('other');
    await pass(9_999);
    expect(reasonOf(await verify('other'))).toBe('TOKEN_INVALID');
    expect(asked).toHaveLength(1);
    await pass(1);
    await verify('other');
    expect(asked).toHaveLength(2);
    // Its time begins anew with each answer.
    await pass(9_999);
    await verify('other');
    expect(asked).toHaveLength(2);
  });

  it.each(['AUTH_UNAVAILABLE', 'OVERLOADED', 'TOKEN_REVOKED'] satisfies Reason[])(
    'the refusal %s is not kept: it says nothing about the next moment',
    async (reason) => {
      answer = refuse(reason, 'not now');
      const { verify } = create();
      expect(reasonOf(await verify('one'))).toBe(reason);
      answer = succeed(key);
      expect(reasonOf(await verify('one'))).toBe('ok');
    },
  );

  it('one that waits for more than 5 s for its turn is refused', async () => {
    const ends: (() => void)[] = [];
    const { verify } = createKeyVerifier({
      ask: () => new Promise((resolve) => ends.push(() => resolve(succeed(key)))),
      revocations: { userChangedAt: () => undefined },
      nowMs: () => Date.now(),
    });
    const first = ['a', 'b', 'c', 'd'].map((secret) => verify(secret));
    const late = verify('e');
    await pass(5_000);
    expect(ends).toHaveLength(4);
    for (const end of ends) end();
    expect((await Promise.all(first)).map(reasonOf)).toEqual(['ok', 'ok', 'ok', 'ok']);
    expect(reasonOf(await late)).toBe('OVERLOADED');
    expect(ends).toHaveLength(4);
  });
});

it('the prefix of API keys is public: scanners for leaked secrets know it', () => {
  expect(['dwk_x', 'dwk_', 'dwk', 'DWK_x', ' dwk_x', ''].map(isApiKey)).toEqual([
    ...[true, true, false, false, false, false],
  ]);
});

describe('bounds of what is kept', () => {
  const many = Array.from({ length: 10_000 }, (_, i) => `key ${i}`);

  it('after 10,000 keys all of them are asked for anew, and not before', async () => {
    const { verify } = create();
    for (const secret of many) await verify(secret);
    await verify('key 0');
    expect(asked).toHaveLength(10_000);
    await verify('one more');
    await verify('key 1');
    expect(asked).toHaveLength(10_002);
    await verify('one more');
    expect(asked).toHaveLength(10_002);
  });

  it('of keys that are not ours the oldest is forgotten past 10,000', async () => {
    answer = refuse('TOKEN_INVALID', 'it is unknown');
    const { verify } = create();
    for (const secret of many) await verify(secret);
    await verify('key 0');
    expect(asked).toHaveLength(10_000);
    await verify('one more');
    await verify('key 1');
    await verify('one more');
    expect(asked).toHaveLength(10_001);
    await verify('key 0');
    expect(asked).toHaveLength(10_002);
  });
});
