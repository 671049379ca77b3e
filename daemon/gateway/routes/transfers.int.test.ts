import { afterAll, beforeAll, expect, it } from 'vitest';

import {
  send as sendTo,
  startGateway,
  type GatewayWorld,
} from '../../../tests/support/http/gateway.ts';
import { createPeople, type Person } from '../../../tests/support/http/people.ts';

let world: GatewayWorld;
let [ana, bia, staff]: Person[] = [];

beforeAll(async () => {
  world = await startGateway();
  const people = createPeople(() => world);
  [ana, bia] = [await people.create('customer'), await people.create('customer')];
  staff = await people.create('operator');
});
afterAll(() => world.stop());

type Body = Readonly<Record<string, unknown>>;

const post = async (person: Person | undefined, key: string, body: Body) => {
  const headers = { 'idempotency-key': key };
  const path = '/v1/transactions';
  const answer = await sendTo(world.url, 'POST', path, {
    token: person?.token ?? '',
    headers,
    body,
  });
  return { status: answer.status, body: answer.body };
};

it('a transfer is made once, with its reference and metadata, and both see it', async () => {
  await post(ana, 'salary', { operation: 'deposit', amount: '100.00', via: 'itau' });
  const more = { reference: 'NF-7', metadata: { order: '1042' } };
  const transfer = { operation: 'transfer', amount: '60.00', toUserId: bia?.id, ...more };
  const made = await post(ana, 'rent', transfer);
  expect(made).toMatchObject({
    status: 201,
    body: {
      ...{ counterparty: bia?.id, reference: 'NF-7', direction: 'out' },
      ...{ balanceAfter: '40.00' },
      metadata: { order: '1042', reference: 'NF-7' },
    },
  });
  expect((await post(ana, 'rent', { ...transfer, reference: 'other' })).status).toBe(200);
  const other = await post(ana, 'rent', { ...transfer, toUserId: staff?.id });
  expect(other).toMatchObject({ status: 422, body: { reason: 'IDEMPOTENCY_KEY_REUSED' } });
  const seen = await sendTo(world.url, 'GET', '/v1/transactions', { token: bia?.token ?? '' });
  expect(seen.body['items']).toMatchObject([
    {
      ...{ operation: 'transfer', amount: '60.00', counterparty: ana?.id },
      ...{ direction: 'in', balanceAfter: '60.00' },
    },
  ]);
});

it.each<[string, Body, number, string, string]>([
  [
    'an unknown recipient',
    { toUserId: '00000000-0000-4000-8000-000000000000' },
    404,
    'RECIPIENT_NOT_FOUND',
    'toUserId',
  ],
  ['no recipient', {}, 400, 'INVALID_ARGUMENT', 'toUserId'],
  ['a bank', { toUserId: 'BIA', via: 'itau' }, 400, 'INVALID_ARGUMENT', 'via'],
  [
    'a reserved key',
    { toUserId: 'BIA', metadata: { 'dw.x': '' } },
    400,
    'INVALID_ARGUMENT',
    'metadata',
  ],
  [
    'two references',
    { toUserId: 'BIA', reference: 'a', metadata: { reference: 'b' } },
    400,
    'INVALID_ARGUMENT',
    'reference',
  ],
  ['oneself', { toUserId: 'ANA' }, 400, 'TRANSFER_TO_SELF', 'toUserId'],
])('a transfer with %s is refused with its field', async (_what, wrong, status, reason, field) => {
  const toUserId =
    wrong['toUserId'] === 'BIA'
      ? bia?.id
      : wrong['toUserId'] === 'ANA'
        ? ana?.id
        : wrong['toUserId'];
  const answer = await post(ana, `wrong ${reason} ${field}`, {
    ...{ operation: 'transfer', amount: '1.00' },
    ...wrong,
    toUserId,
  });
  expect(answer).toMatchObject({ status, body: { reason, field } });
});

it('parts of a transfer are reversed until nothing is left, below zero by force only', async () => {
  const paid = await post(ana, 'lend', {
    operation: 'transfer',
    amount: '40.00',
    toUserId: bia?.id,
  });
  await post(bia, 'spend', { operation: 'withdraw', amount: '95.00' });
  const undo = { operation: 'reversal', parentId: paid.body['id'], user: ana?.id };
  const part = { ...undo, amount: '5.00', currency: 'BRL' };
  expect(await post(staff, 'p1', part)).toMatchObject({ status: 201, body: { amount: '5.00' } });
  expect(await post(staff, 'p2', { ...undo, amount: '5.00' })).toMatchObject({
    ...{ status: 400, body: { field: 'currency' } },
  });
  expect(await post(staff, 'p3', { ...part, amount: '35.01' })).toMatchObject({
    ...{ status: 409, body: { reason: 'UNDO_EXCEEDS_PARENT', field: 'amount' } },
  });
  expect(await post(staff, 'p4', undo)).toMatchObject({
    ...{ status: 409, body: { reason: 'INSUFFICIENT_FUNDS' } },
  });
  expect(await post(staff, 'p5', { ...undo, force: true })).toMatchObject({
    ...{ status: 201, body: { amount: '35.00', counterparty: bia?.id } },
  });
  expect(await post(staff, 'p6', part)).toMatchObject({
    body: { reason: 'PARENT_ALREADY_UNDONE' },
  });
  const wallet = await sendTo(world.url, 'GET', '/v1/wallets/me/BRL', { token: bia?.token ?? '' });
  expect(wallet.body).toMatchObject({ balance: '-35.00' });
});

it('a batch in NDJSON has transfers, each with its own answer', async () => {
  const items = [
    { operation: 'transfer', amount: '1.00', toUserId: bia?.id, idempotencyKey: 'b1' },
    { operation: 'transfer', amount: '1.00', toUserId: ana?.id, idempotencyKey: 'b2' },
    { operation: 'deposit', amount: '1.00', via: 'itau', reference: 'r', idempotencyKey: 'b3' },
  ];
  const ndjson = 'application/x-ndjson';
  const response = await fetch(`${world.url}/v1/transactions/batch`, {
    method: 'POST',
    headers: {
      ...{ authorization: `Bearer ${ana?.token ?? ''}`, accept: ndjson },
      'content-type': ndjson,
    },
    body: items.map((item) => `${JSON.stringify(item)}\n`).join(''),
  });
  const lines = (await response.text()).trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { status: 201, transaction: { counterparty: bia?.id } },
    { status: 400, problem: { reason: 'TRANSFER_TO_SELF', field: 'toUserId' } },
    { status: 201, transaction: { via: 'itau', reference: 'r', metadata: { reference: 'r' } } },
  ]);
});
