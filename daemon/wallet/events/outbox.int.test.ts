import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { buildCommand } from '../../../tests/support/ledger/build-command.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { createTransport } from '../../../tests/support/grpc/transport.ts';
import type { OutboundMessage } from '../../platform/broker/broker.ts';
import { createLog } from '../../platform/log.ts';
import {
  appendOutbox,
  createRelay,
  type LoadReferred,
  type Relay,
} from '../../platform/outbox/relay.ts';
import { createOptimisticCommit } from '../commit/optimistic-commit.ts';
import type { Command } from '../domain.ts';
import { appendEvents, loadEvents } from './outbox.ts';

let test: TestDatabase;
let relays: Relay[];

beforeEach(async () => {
  test = await createTestDatabase('wallet');
  relays = [];
});
afterEach(async () => {
  await Promise.all(relays.map((relay) => relay.stop()));
  await test.drop();
});

const userId = randomUUID();
const command = (change: Partial<Command> = {}): Command =>
  buildCommand(userId, {
    ...{ description: 'é "x" \\ 日本', callerClass: 'message', actor: 'a test' },
    ...change,
  });

/**
 * Sends what is there until nothing is left: the messages, and how many rows had to be made again.
 */
async function sendAll(load: LoadReferred = loadEvents) {
  const heard: OutboundMessage[] = [];
  const loads = vi.fn(load);
  const transport = createTransport((messages) => {
    heard.push(...messages);
    return Promise.resolve([]);
  });
  const relay = createRelay({
    db: test.db,
    broker: transport,
    log: createLog('silent'),
    load: loads,
  });
  relays.push(relay);
  relay.start();
  await vi.waitFor(async () => expect(await test.query('SELECT 1 FROM outbox')).toEqual([]), {
    timeout: 10_000,
  });
  await relay.stop();
  return { heard, loads: loads.mock.calls.length };
}

const plain = (messages: readonly OutboundMessage[]) =>
  messages.map(({ messageId, routingKey, body }) => ({
    ...{ messageId, routingKey },
    body: JSON.parse(JSON.stringify(body)) as unknown,
  }));

/** As another process finds it: nothing is remembered of these rows. */
const forgetBatches = () => test.query('UPDATE outbox SET batch = gen_random_uuid()');

describe('events by reference', () => {
  it('events from memory and from the ledger are equal, in the order of the commit', async () => {
    const refused = command({ operation: 'withdraw', amountMinor: 10n ** 9n });
    const [first, second] = [command(), command({ operation: 'purchase', amountMinor: 50n })];
    await createOptimisticCommit(test.db)([first, refused, second]);
    const copy = await test.query('SELECT * FROM outbox');
    const remembered = await sendAll();
    expect(remembered.loads).toBe(0);
    await test.query(
      `INSERT INTO outbox (events, event_count, entry_refs, batch)
       VALUES ($1::json, 3, $2, gen_random_uuid())`,
      [JSON.stringify(copy[0]!['events']), copy[0]!['entry_refs']],
    );
    const made = await sendAll();
    expect(made.loads).toBe(1);
    expect(plain(made.heard)).toEqual(plain(remembered.heard));
    expect(made.heard.map((m) => m.routingKey)).toEqual([
      'transaction.created',
      'transaction.created',
      'transaction.rejected',
    ]);
    const ids = made.heard.slice(0, 2).map((m) => m.event?.id);
    expect(ids).toEqual([first.transactionId, second.transactionId]);
  });

  it('events by reference are sent beside rows that an older version wrote whole', async () => {
    await createOptimisticCommit(test.db)([command()]);
    const { heard } = await sendAll();
    await test.db.tx((tx) => appendOutbox(tx, heard));
    await createOptimisticCommit(test.db)([command()]);
    await forgetBatches();
    const again = await sendAll();
    expect(plain(again.heard.slice(0, 1))).toEqual(plain(heard));
    expect(again.heard).toHaveLength(2);
  });

  it('events of a commit that was rolled back are never sent', async () => {
    const failed = test.db.tx(async (tx) => {
      const entry = { wallet: command().wallet, seq: 1n } as Parameters<typeof appendEvents>[1][0];
      await appendEvents(tx, [entry], []);
      throw new Error('rolled back');
    });
    await expect(failed).rejects.toThrow('rolled back');
    await createOptimisticCommit(test.db)([command()]);
    const { heard } = await sendAll();
    expect(heard).toHaveLength(1);
  });

  it('events that the ledger does not have are not sent, and their row stays', async () => {
    await createOptimisticCommit(test.db)([command()]);
    await forgetBatches();
    await test.query(`UPDATE outbox SET entry_refs = entry_refs || $1 || ' 99' || chr(10)`, [
      command().wallet.id,
    ]);
    const transport = createTransport();
    const log = createLog('silent');
    const relay = createRelay({ db: test.db, broker: transport, log, load: loadEvents });
    relays.push(relay);
    relay.start();
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(transport.calls).toEqual([]);
    expect(await test.query('SELECT 1 FROM outbox')).toHaveLength(1);
  });

  it('unconfirmed events stay in their row, whole, and are sent again', async () => {
    await createOptimisticCommit(test.db)([command(), command(), command()]);
    const log = createLog('silent');
    const transport = createTransport((messages) => Promise.resolve(messages.slice(1, 2)));
    const relay = createRelay({ db: test.db, broker: transport, log, load: loadEvents });
    relay.start();
    await vi.waitFor(() => expect(transport.calls.length).toBeGreaterThanOrEqual(1), {
      timeout: 20_000,
    });
    transport.answer = (messages) => Promise.resolve(messages);
    await vi.waitFor(
      async () => {
        const rows = await test.query('SELECT * FROM outbox');
        expect(rows).toMatchObject([{ event_count: 1, entry_refs: null, batch: null }]);
      },
      { timeout: 20_000 },
    );
    await relay.stop();
    const { heard } = await sendAll();
    expect(heard.map((m) => m.messageId)).toEqual([transport.calls[0]?.[1]]);
  });
});
