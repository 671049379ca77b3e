import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { WalletServiceService } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { connect, type Connection } from '../../support/grpc/client.ts';
import { signUp } from '../../support/broker/producer.ts';
import { connectRaw, type RawClient } from '../../support/grpc/raw-http2.ts';
import { createWorld, type World } from '../../support/processes/world.ts';

let world: World;
let ana: { readonly id: string; readonly token: string };
let client: Connection;

beforeAll(async () => {
  world = await createWorld();
  await world.start();
  ana = await signUp(world.daemon().address, 'ana');
  client = connect(world.daemon().address);
});

afterAll(async () => {
  client.close();
  await world.dispose();
});

const kinds = {
  'API keys': () =>
    `dwk_${randomBytes(4).toString('hex')}_${randomBytes(32).toString('base64url')}`,
  tokens: () =>
    [
      Buffer.from('{"alg":"EdDSA","typ":"at+jwt","kid":"none"}').toString('base64url'),
      Buffer.from(`{"sub":"${randomBytes(8).toString('hex')}"}`).toString('base64url'),
      randomBytes(64).toString('base64url'),
    ].join('.'),
} as const;

/** Keeps 100 calls with made-up credentials in flight on each of so many connections. */
function flood(make: () => string, connections: number) {
  const clients: RawClient[] = [];
  const counts = new Map<string, number>();
  let isOver = false;
  const pour = async (raw: RawClient): Promise<void> => {
    while (!isOver) {
      const headers = { authorization: `Bearer ${make()}` };
      const path = WalletServiceService.getBalance.path;
      const { status, info } = await raw.call(path, { headers, messages: [Buffer.alloc(0)] });
      const what = info?.reason ?? `status ${String(status)}`;
      counts.set(what, (counts.get(what) ?? 0) + 1);
      if (status === undefined) await sleep(20);
    }
  };
  const pouring: Promise<void>[] = [];
  for (let i = 0; i < connections; i += 1) {
    const raw = connectRaw(world.daemon().address);
    clients.push(raw);
    for (let n = 0; n < 100; n += 1) pouring.push(pour(raw));
  }
  return {
    counts,
    end: async () => {
      isOver = true;
      for (const raw of clients) raw.close();
      await Promise.all(pouring);
    },
  };
}

const balance = { userId: '', currency: '', at: undefined };
const readBalance = async (token: string): Promise<string> => {
  const answer = await client.call(WalletServiceService.getBalance, balance, token, 10_000);
  return answer.ok ? 'ok' : answer.reason;
};

describe.each(Object.entries(kinds))(
  'a flood of invented %s from many connections',
  (_kind, make) => {
    it('a flood of invalid credentials fails no call of users, nor of new API keys', async () => {
      const expiresAt = new Date(Date.now() + 86_400_000);
      const asked = { name: 'job', scopes: ['wallets:read'], operations: [], expiresAt };
      const made = await client.call(AuthServiceService.createApiKey, asked, ana.token);
      if (!made.ok) throw new Error(made.reason);
      const flooding = flood(make, 20);
      const seen = new Map<string, number>();
      try {
        await sleep(1_000);
        const endsAt = performance.now() + 10_000;
        for (let i = 0; performance.now() < endsAt && i < 5_000; i += 1) {
          const reason = await readBalance(ana.token);
          seen.set(reason, (seen.get(reason) ?? 0) + 1);
          await sleep(20);
        }
        let first = '';
        for (let i = 0; i < 20 && first !== 'ok'; i += 1)
          first = await readBalance(made.value.secret);
        expect(first).toBe('ok');
      } finally {
        await flooding.end();
      }
      console.log(Object.fromEntries(flooding.counts), Object.fromEntries(seen));
      expect([...seen.keys()]).toEqual(['ok']);
      expect(seen.get('ok')).toBeGreaterThan(20);
      expect([...flooding.counts.keys()]).toContain('TOKEN_INVALID');
    });
  },
);
