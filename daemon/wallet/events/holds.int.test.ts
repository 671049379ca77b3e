import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { walletIdOf } from '../../../core/ids.ts';
import { numberedOperations, operations } from '../../../core/operations.ts';
import { findLedgerFaults } from '../../../tests/support/ledger/faults.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import type { InboundMessage } from '../../platform/broker/broker.ts';
import { createLog } from '../../platform/log.ts';
import { explainDefects } from '../commit/alarms.ts';
import { createGroupCommit } from '../commit/group-commit.ts';
import { createOptimisticCommit } from '../commit/optimistic-commit.ts';
import { walletsOf } from '../domain.ts';
import type { AuditedCommand, AuditedDecision } from '../requests/audited-command.ts';
import { createKnownUsers } from '../requests/users.ts';
import { createEmittedConsumer } from './emitted-consumer.ts';

const log = createLog('silent');
const [ana, bia] = [randomUUID(), randomUUID()] as const;

let test: TestDatabase;
beforeEach(async () => {
  test = await createTestDatabase('wallet');
});
afterEach(async () => {
  try {
    expect(await findLedgerFaults(test)).toEqual([]);
  } finally {
    await test.drop();
  }
});

function createConsumer(allowed = operations) {
  return createEmittedConsumer({
    ...{ db: test.db, defaultCurrency: 'BRL', queue: 'wallet_queue' },
    groupCommit: createGroupCommit<AuditedCommand, AuditedDecision>({
      keysOf: (command) => walletsOf(command).map(({ id }) => id),
      maxCommits: 2,
      log,
      explain: explainDefects(log),
      commit: createOptimisticCommit(test.db),
    }),
    users: createKnownUsers((ids) => Promise.resolve(new Set(ids))),
    allowedOperations: new Set(allowed),
    isOutboxFull: () => false,
  });
}

let sent = 0;
function messageOf(transaction: object): InboundMessage {
  const body = { pattern: 'transaction_emitted', data: { userId: ana, transaction } };
  const messageId = `m${(sent += 1)}`;
  return { messageId, body, text: JSON.stringify(body), userId: undefined, headers: {} };
}
const handle = async (transactions: readonly object[], consumer = createConsumer()) =>
  (await consumer.handle(transactions.map(messageOf))).map((one) =>
    one.kind === 'dead' ? `${one.reason} ${one.field}` : one.kind,
  );
const deposit = { operation: 'deposit', amount: '100.00' };
const hold = { operation: 'hold', amount: '50.00', merchant: 'Hotel Sol' };
const listHolds = () =>
  test.query<{ id: string; used: number; captured: number; state: string; lastsMs: number }>(
    `SELECT id, used::int, captured::int, state,
       (extract(epoch FROM expires_at - placed_at) * 1000)::int AS "lastsMs" FROM holds
     ORDER BY seq`,
  );
/** What messages were refused with. */
const listRefusals = async () =>
  (await test.query<{ reason: string }>('SELECT reason FROM inbox ORDER BY reason')).map(
    ({ reason }) => reason,
  );

it('a message places a hold, and others of the same batch capture and release it', async () => {
  expect(await handle([deposit, { ...hold, expiresInSeconds: 60 }])).toEqual(['done', 'done']);
  const [placed] = await listHolds();
  expect(placed).toMatchObject({ state: 'open', lastsMs: 60_000 });
  const id = placed?.id;
  const part = { operation: 'capture', id, amount: '20.00', currency: 'BRL', keepRest: true };
  expect(await handle([part, { operation: 'release', id }])).toEqual(['done', 'done']);
  expect(await listHolds()).toMatchObject([{ used: 5_000, captured: 2_000, state: 'captured' }]);
});

it('a capture of a hold for a user pays that user, in the currency of the hold', async () => {
  await handle([{ ...deposit, currency: 'EUR' }]);
  await handle([{ operation: 'hold', amount: '50.00', currency: 'EUR', toUserId: bia }]);
  const [placed] = await listHolds();
  expect(placed).toMatchObject({ lastsMs: 7 * 86_400_000 });
  expect(await handle([{ operation: 'capture', id: placed?.id }])).toEqual(['done']);
  const [wallet] = await test.query<{ balance: number }>(
    'SELECT balance::int FROM wallets WHERE id = $1',
    [walletIdOf(bia, 'EUR')],
  );
  expect(wallet).toEqual({ balance: 5_000 });
});

it.each([
  ['expiresAt', { ...hold, expiresAt: 'tomorrow' }],
  ['expiresAt', { ...hold, expiresAt: 1_800_000_000 }],
  ['expiresInSeconds', { ...hold, expiresInSeconds: 0 }],
  ['expiresInSeconds', { ...hold, expiresInSeconds: '60' }],
  ['keepRest', { ...hold, keepRest: true }],
  ['keepRest', { operation: 'capture', id: randomUUID(), keepRest: 'yes' }],
  ['toUserId', { operation: 'capture', id: randomUUID(), toUserId: bia }],
  ['toUserId', { ...hold, toUserId: bia }],
  ['id', { operation: 'release' }],
  ['id', { ...hold, id: randomUUID() }],
  ['expiresAt', { ...deposit, expiresAt: '2026-11-22T18:00:00Z' }],
])('a message with a wrong %s is a dead letter, and changes nothing', async (field, message) => {
  await handle([deposit]);
  expect(await handle([message])).toEqual([`INVALID_FIELD data.transaction.${field}`]);
  expect(await test.query('SELECT seq FROM transactions')).toHaveLength(1);
});

it('what the ledger refuses is answered with its reason', async () => {
  await handle([deposit, hold]);
  const [placed] = await listHolds();
  const use = { operation: 'capture', id: placed?.id, currency: 'BRL' };
  expect(
    await handle([
      { ...use, id: randomUUID() },
      { ...use, amount: '50.01' },
      { ...hold, amount: '50.01' },
      { ...hold, expiresAt: '2020-01-01T00:00:00Z' },
      { ...hold, expiresInSeconds: 31 * 86_400 },
      { operation: 'release', id: placed?.id },
      use,
    ]),
  ).toEqual(Array.from({ length: 7 }, () => 'done'));
  expect(await listRefusals()).toEqual([
    ...['CAPTURE_EXCEEDS_HOLD', 'HOLD_CLOSED', 'HOLD_NOT_FOUND'],
    ...['INSUFFICIENT_FUNDS', 'INVALID_ARGUMENT', 'INVALID_ARGUMENT'],
  ]);
});

it('messages ask for holds only where they are named among the operations', async () => {
  await handle([deposit]);
  const field = 'OPERATION_NOT_ALLOWED data.transaction.operation';
  const asked = [hold, { operation: 'capture', id: randomUUID() }];
  expect(await handle(asked, createConsumer(numberedOperations))).toEqual([field, field]);
});
