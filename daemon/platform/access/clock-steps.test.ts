import { randomUUID } from 'node:crypto';

import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';

import { succeed } from '../../../core/reasons.ts';
import { createKeyVerifier } from './api-keys.ts';
import { createTokenVerifier, tokenRules } from './tokens.ts';

const startMs = Date.UTC(2026, 10, 22, 12);
const dayMs = 86_400_000;
const keys = await generateKeyPair('EdDSA', { extractable: true });

const sign = (issuedAtMs: number): Promise<string> =>
  new SignJWT({ sid: randomUUID(), role: 'customer' })
    .setProtectedHeader({ alg: tokenRules.algorithm, typ: tokenRules.type, kid: 'one' })
    .setIssuer(tokenRules.issuer)
    .setAudience(tokenRules.audience)
    .setSubject(randomUUID())
    .setIssuedAt(issuedAtMs / 1_000)
    .setExpirationTime(issuedAtMs / 1_000 + 900)
    .sign(keys.privateKey);

function createWorld() {
  const state = { nowMs: startMs, fetches: 0 };
  const verifier = createTokenVerifier({
    fetchJwks: async () => {
      state.fetches += 1;
      return { keys: [{ ...(await exportJWK(keys.publicKey)), kid: 'one' }] };
    },
    nowMs: () => state.nowMs,
  });
  return { state, verifier };
}

describe('access tokens', () => {
  it('an access token of a clock a day ahead is expired once the clock is right', async () => {
    const { state, verifier } = createWorld();
    const token = await sign(startMs + dayMs);
    state.nowMs = startMs + dayMs;
    expect(await verifier.verify(token)).toMatchObject({ ok: true });
    state.nowMs = startMs;
    expect(await verifier.verify(token)).toMatchObject({ rejection: { reason: 'TOKEN_EXPIRED' } });
    expect(verifier.recall(token)).toBeUndefined();
  });

  it.each([-2_000, -600_000])('tokens stay valid after a clock step of %d ms', async (stepMs) => {
    const { state, verifier } = createWorld();
    const token = await sign(startMs);
    state.nowMs = startMs + stepMs;
    expect(await verifier.verify(token)).toMatchObject({ ok: true });
  });

  it('signing keys of access tokens are fetched again after the clock steps back', async () => {
    const { state, verifier } = createWorld();
    await verifier.verify(await sign(startMs));
    state.nowMs = startMs - dayMs;
    verifier.recall('any');
    expect(state.fetches).toBe(2);
  });
});

it('an API key is looked up again after the clock steps back by a day', async () => {
  let nowMs = startMs;
  let asked = 0;
  const verifier = createKeyVerifier({
    ask: () => {
      asked += 1;
      return Promise.resolve(succeed({ userId: 'u', expiresAtMs: startMs + 9 * dayMs } as never));
    },
    revocations: { userChangedAt: () => undefined },
    nowMs: () => nowMs,
  });
  await verifier.verify('dwk_one');
  await verifier.verify('dwk_one');
  expect(asked).toBe(1);
  nowMs = startMs - dayMs;
  await verifier.verify('dwk_one');
  expect(asked).toBe(2);
});
