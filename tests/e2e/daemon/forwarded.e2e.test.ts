import { afterAll, beforeAll, expect, it } from 'vitest';

import { SignUpRequest } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  CreateTransactionRequest,
  Operation,
  StreamTransactionsRequest,
  StreamTransactionsResponse,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { connectRaw, type RawClient } from '../../support/grpc/raw-http2.ts';
import { createStreamWorld, deposit, type StreamWorld } from '../../support/grpc/stream-world.ts';

let at: StreamWorld;
let raw: RawClient;
beforeAll(async () => {
  at = await createStreamWorld();
  raw = connectRaw(at.address());
});
afterAll(async () => {
  raw.close();
  await at.world.dispose();
});

let count = 0;
const signUp = (headers: Record<string, string>) => {
  const request = SignUpRequest.fromPartial({
    email: `proxied-${(count += 1)}@example.com`,
    password: 'a long enough passphrase',
  });
  const messages = [Buffer.from(SignUpRequest.encode(request).finish())];
  return raw.call('/digitalwallet.auth.v1.AuthService/SignUp', { headers, messages });
};

const wallet = '/digitalwallet.wallet.v1.WalletService';
const pay = (operation: Operation, headers: Record<string, string>) => {
  const [user] = at.users;
  if (!user) throw new Error('no user');
  const item = deposit(user, { operation });
  const request = CreateTransactionRequest.fromPartial({ item, dryRun: true });
  return raw.call(`${wallet}/CreateTransaction`, {
    headers: { authorization: `Bearer ${user.token}`, ...headers },
    messages: [Buffer.from(CreateTransactionRequest.encode(request).finish())],
  });
};

async function stream(headers: Record<string, string>): Promise<string | undefined> {
  const [user] = at.users;
  if (!user) throw new Error('no user');
  const request = StreamTransactionsRequest.fromPartial({ items: [deposit(user)], dryRun: true });
  const answer = await raw.call(`${wallet}/StreamTransactions`, {
    headers: { authorization: `Bearer ${user.token}`, ...headers },
    messages: [Buffer.from(StreamTransactionsRequest.encode(request).finish())],
  });
  const outcome = StreamTransactionsResponse.decode(answer.body.subarray(5)).results[0]?.outcome;
  return outcome?.$case === 'refusal' ? outcome.value.reason : outcome?.$case;
}

it('a program on this machine may sign up and deposit by default', async () => {
  expect(await signUp({})).toMatchObject({ status: 0 });
  expect(await pay(Operation.DEPOSIT, {})).toMatchObject({ status: 0 });
  expect(await stream({})).toBe('created');
});

it.each([
  ['forwarded', 'for=203.0.113.1'],
  ['x-forwarded-for', '203.0.113.1'],
  ['x-forwarded-for', '127.0.0.1'],
  ['x-forwarded-host', 'wallet.example.com'],
  ['x-forwarded-proto', 'https'],
  ['x-real-ip', '203.0.113.1'],
  ['via', '2 proxy'],
  ['cf-connecting-ip', '203.0.113.1'],
  ['true-client-ip', '203.0.113.1'],
  [':authority', 'wallet.example.com'],
])('a request with %s: %s may purchase, but not sign up or deposit', async (name, value) => {
  const headers = { [name]: value };
  const closed = await signUp(headers);
  expect(closed.info).toMatchObject({ reason: 'SIGN_UP_CLOSED', metadata: { setting: 'SIGN_UP' } });
  const refused = await pay(Operation.DEPOSIT, headers);
  expect(refused.info).toMatchObject({
    reason: 'OPERATION_NOT_ALLOWED',
    metadata: { setting: 'SELF_SERVICE_OPERATIONS' },
  });
  expect(await stream(headers)).toBe('OPERATION_NOT_ALLOWED');
  const bought = await pay(Operation.PURCHASE, headers);
  expect(bought.info?.reason ?? 'ok').not.toBe('OPERATION_NOT_ALLOWED');
});

it('the first forwarded request alone is logged, with the settings to change', () => {
  const lines = at.world.daemon().log().split('\n');
  const reports = lines.filter((line) => line.includes('a proxy on this machine forwards'));
  expect(reports).toHaveLength(1);
  for (const name of ['TRUSTED_PROXIES', 'SIGN_UP', 'SELF_SERVICE_OPERATIONS']) {
    expect(reports[0]).toContain(name);
  }
});
