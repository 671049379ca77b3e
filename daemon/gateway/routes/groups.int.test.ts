import { randomUUID } from 'node:crypto';

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
type Result = {
  readonly status: number;
  readonly transaction?: Body;
  readonly problem?: {
    readonly reason: string;
    readonly detail: string;
    readonly field?: string;
    readonly metadata?: Body;
  };
};

async function send(items: readonly Body[]): Promise<{ status: number; results: Result[] }> {
  const answer = await sendTo(world.url, 'POST', '/v1/transactions/batch', {
    token: staff?.token ?? '',
    body: { items: items.map((item) => ({ idempotencyKey: randomUUID(), ...item })) },
  });
  return { status: answer.status, results: (answer.body['items'] ?? []) as Result[] };
}

const reasons = ({ results }: { readonly results: readonly Result[] }) =>
  results.map(({ status, problem }) => problem?.reason ?? status);
const of = (person: Person | undefined, operation: string, amount: string, more: Body = {}) => ({
  ...{ user: person?.id, operation, amount },
  ...more,
});
const groupOf = (items: readonly Body[], groupId = randomUUID() as string): Body[] =>
  items.map((item) => ({ idempotencyKey: randomUUID(), ...item, groupId }));

it('items with the same groupId are made together, and again as a replay', async () => {
  const funds = of(ana, 'deposit', '100.00');
  const group = groupOf([
    of(ana, 'transfer', '90.00', { toUserId: bia?.id }),
    of(ana, 'fee', '10.00'),
  ]);
  expect(reasons(await send([funds, ...group]))).toEqual([201, 201, 201]);
  const again = await send(group);
  expect(reasons(again)).toEqual([200, 200]);
  expect(again.results.map(({ transaction }) => transaction?.['balanceAfter'])).toEqual([
    ...['10.00', '0.00'],
  ]);
});

it('a refused item is named by the others, which are not done', async () => {
  const group = groupOf([of(bia, 'deposit', '1.00'), of(ana, 'fee', '0.01'), of(bia, 'fee', '1')]);
  const made = await send([...group, of(ana, 'deposit', '5.00')]);
  const refusals = ['GROUP_ABORTED', 'INSUFFICIENT_FUNDS', 'GROUP_ABORTED'];
  expect(reasons(made)).toEqual([...refusals, 201]);
  expect(made.results[0]).toMatchObject({
    status: 409,
    problem: { metadata: { item: '1', reason: 'INSUFFICIENT_FUNDS' } },
  });
});

it('an item that cannot be sent keeps the others of its group from being sent', async () => {
  const group = groupOf([of(ana, 'deposit', '1.00'), of(ana, 'deposit', '1.001')]);
  expect(reasons(await send(group))).toEqual(['GROUP_ABORTED', 'AMOUNT_INVALID']);
  expect(reasons(await send(group.slice(0, 1)))).toEqual([201]);
});

it('17 items, items apart and a fee without a group are refused with their fields', async () => {
  const id = randomUUID();
  const [first, last] = groupOf([of(ana, 'deposit', '1'), of(ana, 'deposit', '1')], id);
  const large = groupOf(Array.from({ length: 17 }, () => of(ana, 'deposit', '1')));
  const made = await send([...large, first!, of(bia, 'deposit', '1'), last!, of(bia, 'fee', '1')]);
  const fields = made.results.map(({ problem }) => problem?.field);
  expect(reasons(made)).toEqual([
    ...large.map(() => 'INVALID_ARGUMENT'),
    ...['INVALID_ARGUMENT', 201, 'INVALID_ARGUMENT', 'INVALID_ARGUMENT'],
  ]);
  expect(fields).toEqual([
    ...large.map(() => 'groupId'),
    'groupId',
    undefined,
    'groupId',
    'operation',
  ]);
  expect(made.results.at(-1)?.problem?.detail).toBe('operation fee must be in a group');
  expect(reasons(await send(groupOf([of(ana, 'deposit', '1'), of(ana, 'fee', '0.5')])))).toEqual([
    ...[201, 201],
  ]);
  expect(reasons(await send(groupOf([of(ana, 'fee', '0.5')])))).toEqual([201]);
  const text = await send([of(ana, 'deposit', '1', { groupId: 'order 7' })]);
  expect(text.status).toBe(400);
});

it('a group is in one message, however large its texts and those before it are', async () => {
  const description = 'x'.repeat(255);
  const reference = 'y'.repeat(256);
  const large = { description, reference, metadata: { note: 'z'.repeat(256) } };
  const items = Array.from({ length: 30 }, (_group, i) =>
    groupOf(
      Array.from({ length: 16 }, (_item, k) =>
        k === 15 && i % 5 === 0
          ? of(bia, 'withdraw', '1000000', large)
          : of(bia, 'deposit', '1', large),
      ),
    ),
  );
  const made = await send(items.flat());
  items.forEach((group, i) => {
    const wanted = group.map((_item, k) =>
      i % 5 > 0 ? 201 : k === 15 ? 'INSUFFICIENT_FUNDS' : 'GROUP_ABORTED',
    );
    expect(reasons(made).slice(16 * i, 16 * i + 16)).toEqual(wanted);
  });
});
