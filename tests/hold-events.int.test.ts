import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import type { InboundMessage, OutboundMessage } from '../daemon/platform/broker/broker.ts';
import type { Replay } from '../daemon/platform/dead-letters/replays.ts';
import { createLog } from '../daemon/platform/log.ts';
import { createRelay } from '../daemon/platform/outbox/relay.ts';
import { createProjection } from '../daemon/statement/projection/projection.ts';
import { createReplayPlan } from '../daemon/statement/projection/replay.ts';
import type { ReadLedger } from '../daemon/statement/rebuild/compare.ts';
import { rebuild, verify } from '../daemon/statement/rebuild/rebuild.ts';
import { readLines } from '../daemon/statement/store.ts';
import { contextOf as statementContextOf, userOf } from '../daemon/statement/test-support.ts';
import { createRecorder } from '../daemon/statement/witness/record.ts';
import { loadEvents } from '../daemon/wallet/events/outbox.ts';
import { streamLedger } from '../daemon/wallet/rpc/ledger-stream.ts';
import { createTransport } from './support/grpc/transport.ts';
import { brlWalletOf } from './support/ledger/build-command.ts';
import { fillWithHolds } from './support/hold-program.ts';
import { createTestDatabase, type TestDatabase } from './support/postgres/database.ts';

const log = createLog('silent');
const [ana, bia] = [randomUUID(), randomUUID()];
const wallet = brlWalletOf(ana);
let ledger: TestDatabase;
let lines: TestDatabase;
let heard: OutboundMessage[];

/** What the relay sends of the outbox. */
async function sendAll(): Promise<OutboundMessage[]> {
  const sent: OutboundMessage[] = [];
  const broker = createTransport((messages) => {
    sent.push(...messages);
    return Promise.resolve([]);
  });
  const relay = createRelay({ db: ledger.db, broker, log, load: loadEvents });
  relay.start();
  await vi.waitFor(async () => expect(await ledger.query('SELECT 1 FROM outbox')).toEqual([]), {
    timeout: 10_000,
  });
  await relay.stop();
  return sent;
}

type Sent = {
  pattern: string;
  data: { walletId: string; transaction: Readonly<Record<string, unknown>> };
};
const bodyOf = ({ body }: OutboundMessage): Sent => JSON.parse(JSON.stringify(body)) as Sent;

/** As it comes from RabbitMQ: nothing but the text. */
const overTheWire = ({ messageId, text = '' }: OutboundMessage): InboundMessage => ({
  ...{ messageId, body: JSON.parse(text) as unknown, text, userId: undefined, headers: {} },
});

const readLedger: ReadLedger = async function* (walletId, after) {
  const request = { walletId, afterWalletId: after.walletId, afterSeq: after.seq };
  const streamed = streamLedger(ledger.db, request);
  if (!streamed.ok) throw new Error(streamed.rejection.message);
  for await (const { transactions } of streamed.value) yield transactions;
};

const readStored = () =>
  lines.db.read((tx) =>
    readLines(tx, wallet, { afterSeq: 0n, beforeSeq: 99n, isDescending: false, limit: 99 }),
  );
const rebuildOptions = () => ({ db: lines.db, readLedger, searchKeys: ['reference'] });

async function findDifferences(): Promise<string[]> {
  const found: string[] = [];
  for await (const { findings } of verify(rebuildOptions(), undefined)) {
    found.push(...findings.map(({ kind, place, detail }) => `${kind} ${place.seq} ${detail}`));
  }
  return found;
}

beforeAll(async () => {
  ledger = await createTestDatabase('wallet');
  lines = await createTestDatabase('statement');
  await fillWithHolds(ledger.db, { ana, bia });
  const rows = await ledger.query('SELECT * FROM outbox ORDER BY id');
  const remembered = await sendAll();
  // Another process makes the same events from the ledger.
  for (const row of rows) {
    await ledger.query(
      `INSERT INTO outbox (events, event_count, entry_refs, batch)
       VALUES ($1::json, $2, $3, gen_random_uuid())`,
      [row['events'] && JSON.stringify(row['events']), row['event_count'], row['entry_refs']],
    );
  }
  heard = await sendAll();
  expect(heard.map(bodyOf)).toEqual(remembered.map(bodyOf));
});
afterAll(() => Promise.all([ledger.drop(), lines.drop()]));

describe('the events of holds', () => {
  it('movements are created transactions, and holds and releases are not', () => {
    const of = heard.map((message) => {
      const { pattern, data } = bodyOf(message);
      const { operation, direction } = data.transaction;
      return `${message.routingKey} ${pattern} ${String(operation)} ${String(direction)}`;
    });
    const created = (rest: string) => `transaction.created transaction_created ${rest}`;
    expect(of).toEqual([
      ...[created('deposit credit'), 'hold.placed hold_changed hold none'],
      ...[created('deposit credit'), 'hold.placed hold_changed hold none'],
      ...[created('capture debit'), 'hold.released hold_changed release none'],
      'hold.placed hold_changed hold none',
      ...[created('capture debit'), created('capture credit')],
      ...[created('capture debit'), 'hold.placed hold_changed hold none'],
      ...['hold.released hold_changed release none', created('withdraw debit')],
      created('reversal debit'),
    ]);
  });

  it('what listeners add up of created transactions is the balance, of all events what is held', () => {
    const minorOf = (text: unknown): bigint =>
      typeof text === 'string' ? BigInt(text.replace('.', '')) : 0n;
    const own = heard.map(bodyOf).filter(({ data }) => data.walletId === wallet.id);
    let [balanceMinor, heldMinor] = [0n, 0n];
    for (const { pattern, data } of own) {
      const { amount, direction, balanceAfter, held, heldAfter } = data.transaction;
      const sign = direction === 'debit' ? -1n : 1n;
      if (pattern === 'transaction_created') balanceMinor += sign * minorOf(amount);
      heldMinor += minorOf(held);
      expect(minorOf(balanceAfter)).toBe(balanceMinor);
      expect(minorOf(heldAfter)).toBe(heldMinor);
    }
    expect([balanceMinor, heldMinor]).toEqual([-10_000n, 0n]);
    expect(own.map(({ data }) => data.transaction['seq'])).toEqual(own.map((_, i) => i + 1));
  });

  it('an expired hold is released by the system', () => {
    const [released] = heard.map(bodyOf).filter(({ data: { transaction } }) => {
      return transaction['source'] === 'system';
    });
    expect(released).toMatchObject({
      pattern: 'hold_changed',
      data: { transaction: { operation: 'release', amount: '0.40', held: '-0.40' } },
    });
  });
});

describe('the lines of holds', () => {
  beforeAll(async () => {
    const recorder = createRecorder(lines.db, log);
    const projection = createProjection(
      ...([lines.db, 'q', recorder, undefined, undefined, undefined, ['reference']] as const),
    );
    const handled = await projection.handle(heard.map(overTheWire));
    expect(new Set(handled.map(({ kind }) => kind))).toEqual(new Set(['done']));
  });

  it('lines that came as JSON are those of the ledger, without a divergence', async () => {
    expect(await lines.query('SELECT * FROM divergences')).toEqual([]);
    expect(await findDifferences()).toEqual([]);
    expect((await readStored()).map(({ operation }) => operation)).toEqual([
      ...['deposit', 'hold', 'deposit', 'hold', 'capture', 'release', 'hold', 'capture'],
      ...['capture', 'hold', 'release', 'withdraw', 'reversal'],
    ]);
  });

  it('a rebuild makes the same lines from the ledger', async () => {
    const stored = await readStored();
    await lines.query('DELETE FROM statement_lines WHERE seq > 1');
    const parts = [];
    for await (const part of rebuild(rebuildOptions(), undefined, 'test')) parts.push(part);
    expect(parts.at(-1)).toMatchObject({ repaired: 12, isDone: true });
    expect(await readStored()).toEqual(stored);
    expect(await findDifferences()).toEqual([]);
  });

  it('a dead letter of a hold is replayed only if the ledger has exactly that hold', async () => {
    const message = heard.map(overTheWire).find(({ body }) => {
      return (body as Sent).pattern === 'hold_changed';
    })!;
    const plan = createReplayPlan({
      projection: createProjection(lines.db, 'q', createRecorder(lines.db, log)),
      requests: { handle: () => Promise.reject(new Error('not of an export')) },
      ...{ readLedger, trail: { recordDenial: () => undefined } },
    });
    const ask = (change: Readonly<Record<string, unknown>>) => {
      const { pattern, data } = message.body as Sent;
      const transaction = { ...data.transaction, ...change };
      const body = { pattern, data: { ...data, transaction } };
      const replay = { letter: { id: 'l' }, isChanged: true, message: { ...message, body } };
      return plan([replay as unknown as Replay], statementContextOf(userOf('operator')), false);
    };
    const taken = await ask({});
    if (!taken.ok) throw new Error(taken.rejection.message);
    expect(await taken.value.run()).toMatchObject([{ kind: 'done', result: 'ok' }]);
    const forged = await ask({ amount: '1.00', held: '1.00' });
    expect(forged).toMatchObject({ rejection: { metadata: { fields: 'more' } } });
  });
});
