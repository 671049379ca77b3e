import { Client, Metadata, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  AuthServiceService,
  ListUsersRequest,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { WalletServiceService } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { connect, item, type Answer } from '../../support/grpc/client.ts';
import { waitUntil } from '../../support/ledger/ledger.ts';
import { describeMainJob } from '../../support/processes/main-job.ts';
import { createSplitWorld, type SplitWorld } from '../../support/processes/split-world.ts';
import { password, type Person } from '../../support/processes/world.ts';

let world: SplitWorld;
let ana: Person;

beforeAll(async () => {
  world = await createSplitWorld();
  ana = await world.customer('ana');
});

afterAll(() => world.dispose());

describeMainJob(() => world);

const reasonOf = (answer: Answer<unknown>): string => (answer.ok ? 'OK' : answer.reason);

async function signIn(email: string): Promise<string> {
  const nginx = connect(world.address, world.channel(false));
  const request = { email, password, client: '', deviceToken: '' };
  const answer = await nginx.call(AuthServiceService.signIn, request);
  nginx.close();
  return answer.ok ? (answer.value.tokens?.accessToken ?? '') : '';
}

const balance = { userId: '', currency: '', at: undefined };

describe('separate processes', () => {
  it('without the auth service every call is refused, and nothing is lost', async () => {
    await ana.json(['deposit', '7.00', '--yes']);
    const token = await signIn(ana.email);
    const ledger = connect(world.ledgerAddress, world.channel(true));
    const ask = async () =>
      reasonOf(await ledger.call(WalletServiceService.getBalance, balance, token));
    expect(await ask()).toBe('OK');
    await world.killAuth();
    const killedAt = performance.now();
    await waitUntil('every call refused', async () => (await ask()) === 'AUTH_UNAVAILABLE', 20_000);
    console.log(`refused ${Math.round(performance.now() - killedAt)} ms after the kill`);
    const refused = await ana.run(['withdraw', '1.00', '--yes', '--json', '--quiet']);
    expect(refused.code).toBe(7);
    await world.startAuth();
    const backAt = performance.now();
    await waitUntil('calls admitted again', async () => (await ask()) === 'OK', 20_000);
    console.log(`admitted ${Math.round(performance.now() - backAt)} ms after the return`);
    ledger.close();
    expect(await ana.json(['balance'])).toMatchObject({ balance: '7.00' });
  });

  it('a sign-out in one process takes effect in the other', async () => {
    const token = await signIn(ana.email);
    const nginx = connect(world.address, world.channel(false));
    const ledger = connect(world.ledgerAddress, world.channel(true));
    const ask = async () =>
      reasonOf(await ledger.call(WalletServiceService.getBalance, balance, token));
    expect(await ask()).toBe('OK');
    expect(reasonOf(await nginx.call(AuthServiceService.signOut, {}, token))).toBe('OK');
    const outAt = performance.now();
    await waitUntil('a revoked token', async () => (await ask()) === 'TOKEN_REVOKED', 20_000);
    console.log(`revoked in the other process after ${Math.round(performance.now() - outAt)} ms`);
    ledger.close();
    nginx.close();
  });

  it('a process refuses clients without a certificate of its client authority', async () => {
    const bare = connect(world.ledgerAddress, world.channel(false));
    expect(reasonOf(await bare.call(WalletServiceService.getBalance, balance))).toContain(
      'code 14',
    );
    bare.close();
  });

  it('a user’s token is no service credential, and the credential is no user’s token', async () => {
    const token = await signIn(ana.email);
    const feed = { since: undefined };
    expect(await codeOf(AuthServiceService.listRevocations, feed, `Bearer ${token}`)).toBe(7);
    expect(await codeOf(AuthServiceService.listRevocations, feed, `Service ${token}`)).toBe(16);
    const service = `Service ${world.serviceCredential}`;
    expect(await codeOf(AuthServiceService.listRevocations, feed, service)).toBe(0);
    const deposit = {
      item: item({ userId: ana.id, operation: 1, amountMinor: 1n }),
      dryRun: false,
    };
    expect(await codeOf(WalletServiceService.createTransaction, deposit, service)).toBe(7);
    const secret = `Bearer ${world.serviceCredential}`;
    expect(await codeOf(WalletServiceService.createTransaction, deposit, secret)).toBe(16);
    const users = ListUsersRequest.fromPartial({});
    expect(await codeOf(AuthServiceService.listUsers, users, service)).toBe(7);
  });
});

type Method<Req> = { readonly path: string; readonly requestSerialize: (request: Req) => Buffer };

function codeOf<Req>(method: Method<Req>, request: Req, authorization: string): Promise<number> {
  const client = new Client(world.address, world.channel(false));
  const metadata = new Metadata();
  metadata.set('authorization', authorization);
  const { path, requestSerialize } = method;
  return new Promise((resolve) => {
    const done = (err: ServiceError | null): void => {
      client.close();
      resolve(err?.code ?? 0);
    };
    client.makeUnaryRequest(path, requestSerialize, (bytes) => bytes, request, metadata, done);
  });
}
