import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { walletIdOf } from '../../../core/ids.ts';
import { operations } from '../../../core/operations.ts';
import { createTransport } from '../../../tests/support/grpc/transport.ts';
import { findLedgerFaults } from '../../../tests/support/ledger/faults.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import type { InboundMessage, OutboundMessage } from '../../platform/broker/broker.ts';
import { createLog } from '../../platform/log.ts';
import { createRelay } from '../../platform/outbox/relay.ts';
import { explainDefects } from '../commit/alarms.ts';
import { createGroupCommit } from '../commit/group-commit.ts';
import { createOptimisticCommit } from '../commit/optimistic-commit.ts';
import { walletsOf } from '../domain.ts';
import type { AuditedCommand, AuditedDecision } from '../requests/audited-command.ts';
import { createKnownUsers } from '../requests/users.ts';
import { createEmittedConsumer } from './emitted-consumer.ts';
import { loadEvents } from './outbox.ts';

const log = createLog('silent');
const [ana, bia] = [randomUUID(), randomUUID()];

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

function createConsumer() {
  const groupCommit = createGroupCommit<AuditedCommand, AuditedDecision>({
    keysOf: (command) => walletsOf(command).map(({ id }) => id),
    maxCommits: 2,
    log,
    explain: explainDefects(log),
    commit: createOptimisticCommit(test.db),
  });
  return createEmittedConsumer({
    ...{ db: test.db, groupCommit, defaultCurrency: 'BRL', queue: 'wallet_queue' },
    users: createKnownUsers((ids) => Promise.resolve(new Set(ids))),
    allowedOperations: new Set(operations),
    isOutboxFull: () => false,
  });
}

const messageOf = (userId: string, messageId: string, transaction: object): InboundMessage => {
  const body = { pattern: 'transaction_emitted', data: { userId, transaction } };
  return { messageId, body, text: JSON.stringify(body), userId: undefined, headers: {} };
};

/** The events of all that was committed, as a relay sends them. */
async function listEvents() {
  const heard: OutboundMessage[] = [];
  const broker = createTransport((messages) => {
    heard.push(...messages);
    return Promise.resolve([]);
  });
  const relay = createRelay({ db: test.db, broker, log, load: loadEvents });
  relay.start();
  await vi.waitFor(async () => expect(await test.query('SELECT 1 FROM outbox')).toEqual([]), {
    timeout: 10_000,
  });
  await relay.stop();
  return heard.map(({ messageId, body }) => ({
    messageId,
    ...(JSON.parse(JSON.stringify(body)) as { pattern: string; data: object }),
  }));
}

it('a message moves money between two wallets once, and each entry is an event of its own', async () => {
  const consumer = createConsumer();
  const transfer = messageOf(ana, 'rent', {
    ...{ operation: 'transfer', amount: '60.00', toUserId: bia, reference: 'NF-7' },
    metadata: { order: '1042' },
  });
  const deposit = messageOf(ana, 'salary', { operation: 'deposit', amount: '100', via: 'itau' });
  const handled = await consumer.handle([deposit, transfer, transfer]);
  expect(handled.map(({ kind }) => kind)).toEqual(['done', 'done', 'done']);
  const [first, ...sides] = await listEvents();
  expect(first).toMatchObject({ data: { transaction: { contraAccount: 'external:itau' } } });
  const metadata = { order: '1042', reference: 'NF-7' };
  expect(sides).toMatchObject([
    {
      pattern: 'transaction_created',
      data: {
        userId: ana,
        transaction: { direction: 'debit', contraAccount: `user:${bia}`, metadata },
      },
    },
    {
      pattern: 'transaction_created',
      data: {
        userId: bia,
        transaction: { direction: 'credit', contraAccount: `user:${ana}`, metadata },
      },
    },
  ]);
  expect(new Set(sides.map(({ messageId }) => messageId)).size).toBe(2);
  const ids = sides.map(({ data }) => (data as { transaction: { id: string } }).transaction.id);
  expect(new Set(ids).size).toBe(1);
});

it('parts of an undo are taken up to the parent, and a refusal names the wallet that it is about', async () => {
  const consumer = createConsumer();
  const id = (await payAndFind(consumer)).transactionId;
  const undo = (key: string, amount: string) =>
    messageOf(ana, key, { operation: 'reversal', id, amount, currency: 'BRL' });
  await consumer.handle([undo('u1', '10.00'), undo('u2', '50.01')]);
  expect(await listEvents()).toMatchObject([
    { data: { userId: ana, transaction: { parentId: id, amount: '10.00' } } },
    { data: { userId: bia, transaction: { parentId: id, amount: '10.00' } } },
    { pattern: 'transaction_rejected', data: { reason: 'UNDO_EXCEEDS_PARENT', messageId: 'u2' } },
  ]);
  await consumer.handle([messageOf(bia, 'spend', { operation: 'withdraw', amount: '45.00' })]);
  await listEvents();
  await consumer.handle([undo('u3', '50.00')]);
  expect(await listEvents()).toMatchObject([
    { data: { reason: 'INSUFFICIENT_FUNDS', walletId: walletIdOf(bia, 'BRL'), userId: ana } },
  ]);
});

/** A transfer of 60.00 from ana to bia. */
async function payAndFind(consumer: ReturnType<typeof createConsumer>) {
  await consumer.handle([
    messageOf(ana, 'salary', { operation: 'deposit', amount: '100' }),
    messageOf(ana, 'rent', { operation: 'transfer', amount: '60.00', toUserId: bia }),
  ]);
  const events = await listEvents();
  const { transaction } = events[1]?.data as { transaction: { id: string } };
  return { transactionId: transaction.id };
}
