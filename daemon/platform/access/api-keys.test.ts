import { setImmediate as turn } from 'node:timers/promises';

import { expect, it } from 'vitest';

import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import { createKeyVerifier, type VerifiedKey } from './api-keys.ts';

const key: VerifiedKey = {
  keyId: 'k',
  userId: 'u',
  role: 'customer',
  scopes: [],
  walletId: undefined,
  operations: [],
  expiresAtMs: 1_000_000,
  hasOwnerTotp: false,
};

/** The auth service, which answers when it is let. */
function createStand() {
  const waiting: (() => void)[] = [];
  const state = { asked: 0, most: 0, nowMs: 0 };
  const ask = async (secret: string): Promise<Result<VerifiedKey>> => {
    state.asked += 1;
    await new Promise<void>((resolve) => {
      waiting.push(resolve);
      state.most = Math.max(state.most, waiting.length);
    });
    return secret.startsWith('ours')
      ? succeed({ ...key, keyId: secret })
      : refuse('TOKEN_INVALID', 'the API key is not valid');
  };
  const verifier = createKeyVerifier({
    ask,
    revocations: { userChangedAt: () => undefined },
    nowMs: () => state.nowMs,
  });
  const answerAll = async (): Promise<void> => {
    for (let i = 0; i < 2_000; i += 1) {
      waiting.shift()?.();
      await turn();
    }
  };
  return { state, verifier, answerAll, waiting };
}

const reasonOf = (result: Result<unknown>): string => (result.ok ? 'ok' : result.rejection.reason);

it('unknown API keys are looked up four at a time, and networks take turns', async () => {
  const { state, verifier, answerAll, waiting } = createStand();
  const flood = Array.from({ length: 400 }, (_, i) => verifier.verify(`made-up-${i}`, '10.0.0.1'));
  const order: string[] = [];
  const other = verifier
    .verify('ours-1', '10.0.0.2')
    .then((result) => order.push(reasonOf(result)));
  const last = flood.at(-1)!.then(() => order.push('the last of the flood'));
  await turn();
  expect(waiting.length).toBe(4);
  await answerAll();
  await Promise.all([other, last]);
  expect(order).toEqual(['ok', 'the last of the flood']);
  expect(state.most).toBe(4);
  expect(new Set((await Promise.all(flood)).map(reasonOf))).toEqual(new Set(['TOKEN_INVALID']));
});

it('a network with 500 API keys waiting for a lookup gets OVERLOADED; others do not', async () => {
  const { verifier, answerAll } = createStand();
  const flood = Array.from({ length: 600 }, (_, i) => verifier.verify(`made-up-${i}`, '10.0.0.1'));
  const other = verifier.verify('ours-1', '10.0.0.2');
  await answerAll();
  const reasons = (await Promise.all(flood)).map(reasonOf);
  expect(reasons.filter((reason) => reason === 'OVERLOADED').length).toBe(96);
  expect(reasonOf(await other)).toBe('ok');
});

it('an invalid API key that is sent 101 times is looked up at most four times', async () => {
  const { state, verifier, answerAll } = createStand();
  const shown = Array.from({ length: 100 }, () => verifier.verify('made-up', '10.0.0.1'));
  await answerAll();
  expect(new Set((await Promise.all(shown)).map(reasonOf))).toEqual(new Set(['TOKEN_INVALID']));
  expect(reasonOf(await verifier.verify('made-up', '10.0.0.9'))).toBe('TOKEN_INVALID');
  expect(state.asked).toBeLessThanOrEqual(4);
});

it('a recently valid API key does not wait behind unknown ones', async () => {
  const { state, verifier, answerAll, waiting } = createStand();
  const first = verifier.verify('ours-1', '10.0.0.1');
  await answerAll();
  await first;
  state.nowMs = 40_000;
  const flood = Array.from({ length: 400 }, (_, i) => verifier.verify(`made-up-${i}`, '10.0.0.1'));
  const again = verifier.verify('ours-1', '10.0.0.1');
  await turn();
  // Besides the four of the flood, and before them.
  expect(waiting.length).toBe(5);
  waiting.shift()?.();
  expect(reasonOf(await again)).toBe('ok');
  await answerAll();
  await Promise.all(flood);
});
