import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { operations } from '../core/operations.ts';
import { walletIdOf } from '../core/ids.ts';
import { createStatement } from '../daemon/statement/index.ts';
import { chainLines, startMs, toMessage } from '../daemon/statement/test-support.ts';
import type { Consumer, Handling, InboundMessage } from '../daemon/platform/broker/broker.ts';
import { createLocalBroker } from '../daemon/platform/broker/local.ts';
import { createDb, type Db } from '../daemon/platform/db/db.ts';
import { createLog } from '../daemon/platform/log.ts';
import { explainDefects } from '../daemon/wallet/commit/alarms.ts';
import { createGroupCommit } from '../daemon/wallet/commit/group-commit.ts';
import { createOptimisticCommit } from '../daemon/wallet/commit/optimistic-commit.ts';
import { createEmittedConsumer } from '../daemon/wallet/events/emitted-consumer.ts';
import type { AuditedCommand, AuditedDecision } from '../daemon/wallet/requests/audited-command.ts';
import { createKnownUsers } from '../daemon/wallet/requests/users.ts';
import { breakages, type Breakage } from './support/postgres/breakages.ts';
import { startCommitCutter, type CommitCutter } from './support/postgres/commit-cutter.ts';
import { createTestDatabase, type TestDatabase } from './support/postgres/database.ts';

const log = createLog('silent');
const userIds: readonly string[] = Array.from({ length: 6 }, () => randomUUID());

/** A consumer of the product: its messages, one for each user in a round, and what they leave. */
type Subject = {
  readonly service: 'wallet' | 'statement';
  readonly table: string;
  /** How many effects each user has. */
  readonly effectsSql: string;
  create(db: Db): Consumer;
  messageOf(userId: string, round: number): InboundMessage;
};

const messageWith = (userId: string, round: number, body: object): InboundMessage => ({
  ...{ messageId: `${userId} ${round}`, body, text: JSON.stringify(body) },
  ...{ userId: undefined, headers: {} },
});

const createStatementService = (db: Db) => {
  const known = { role: 'customer' as const, isEmailVerified: true, isDisabled: false };
  const broker = createLocalBroker();
  return createStatement({
    ...{ db, workDb: db, log, broker, mailer: { send: () => Promise.resolve() } },
    peers: {
      readHead: () => Promise.reject(new Error('the wallet service is unavailable')),
      findUser: (userId) => Promise.resolve({ ...known, email: `${userId}@example.com` }),
      readLedger: async function* () {
        yield await Promise.resolve([]);
      },
    },
    config: {
      ...{ defaultCurrency: 'BRL', inlineDays: 15, searchKeys: [], queue: 'q', exportQueue: 'e' },
      exportRetentionDays: 30,
    },
  });
};

const perUser = (table: string): string =>
  `SELECT user_id, count(*)::int AS n FROM ${table} GROUP BY user_id`;

/** The lines of each user's wallet, one for a round. */
const linesOf = new Map(
  userIds.map((userId) => [
    userId,
    chainLines(
      [1, 2].map((seq) => ({
        ...{ walletId: walletIdOf(userId, 'BRL'), userId, currency: 'BRL', seq: BigInt(seq) },
        ...{ transactionId: randomUUID(), operation: 'deposit' as const, amountMinor: 100n },
        ...{ balanceAfterMinor: BigInt(seq) * 100n, contraAccount: 'external:cash' },
        ...{ parentId: undefined, description: undefined, source: 'message', actor: 'amqp' },
        ...{ metadata: {}, more: undefined, occurredAtMs: startMs + seq },
      })),
    ),
  ]),
);

const subjects: Readonly<Record<string, Subject>> = {
  transaction_emitted: {
    service: 'wallet',
    table: 'transactions',
    effectsSql: perUser('transactions t JOIN wallets w ON w.id = t.wallet_id'),
    create: (db) =>
      createEmittedConsumer({
        ...{ db, defaultCurrency: 'BRL', queue: 'q', allowedOperations: new Set(operations) },
        groupCommit: createGroupCommit<AuditedCommand, AuditedDecision>({
          keysOf: (command) => [command.wallet.id],
          maxCommits: 2,
          log,
          explain: explainDefects(log),
          commit: createOptimisticCommit(db),
        }),
        users: createKnownUsers((ids) => Promise.resolve(new Set(ids))),
        isOutboxFull: () => false,
      }),
    messageOf: (userId, round) => {
      const transaction = { operation: 'deposit', amount: '1.00' };
      const data = { userId, transaction };
      return messageWith(userId, round, { pattern: 'transaction_emitted', data });
    },
  },
  transaction_created: {
    service: 'statement',
    table: 'statement_lines',
    effectsSql: perUser('statement_lines'),
    create: (db) => createStatementService(db).consumers[0]!,
    messageOf: (userId, round) => toMessage(linesOf.get(userId)![round - 1]!),
  },
  statement_requested: {
    service: 'statement',
    table: 'exports',
    effectsSql: perUser('exports'),
    create: (db) => createStatementService(db).consumers[1]!,
    messageOf: (userId, round) =>
      messageWith(userId, round, {
        pattern: 'statement_requested',
        data: { userId, maxDate: '2026-01-20' },
      }),
  },
};

let database: TestDatabase;
let cutter: CommitCutter;
let db: Db;

describe.each(Object.entries(subjects))('the consumer of %s', (_name, subject) => {
  let consumer: Consumer;
  const roundOf = (round: number) => userIds.map((userId) => subject.messageOf(userId, round));

  beforeEach(async () => {
    database = await createTestDatabase(subject.service);
    cutter = await startCommitCutter(database.url);
    db = createDb({ url: cutter.url, name: subject.service, maxConnections: 4, log });
    consumer = subject.create(db);
    // Wallets are open and statements prepared before anything breaks.
    expect(await consumer.handle(roundOf(1))).toEqual(userIds.map(() => ({ kind: 'done' })));
    expect(await countEffects()).toEqual(userIds.map(() => 1));
  });

  afterEach(async () => {
    await db.close();
    await cutter.stop();
    await database.drop();
  });

  async function countEffects(): Promise<number[]> {
    const rows = await database.query<{ user_id: string; n: number }>(subject.effectsSql);
    return userIds.map((userId) => rows.find((row) => row.user_id === userId)?.n ?? 0);
  }

  /** What becomes of the messages; `rejected` where the consumer says nothing of them. */
  const handle = (messages: readonly InboundMessage[]): Promise<readonly Handling['kind'][]> =>
    consumer.handle(messages).then(
      (handlings) => handlings.map(({ kind }) => kind),
      () => messages.map(() => 'held' as const),
    );

  async function handleBroken({ begin }: Breakage): Promise<readonly Handling['kind'][]> {
    const { during, heal } = await begin({ database, cutter, table: subject.table });
    try {
      const handled = handle(roundOf(2));
      await during?.();
      return await handled;
    } finally {
      await heal();
    }
  }

  it.each(breakages)('$name acknowledges no message without its effect', async (breakage) => {
    const kinds = await handleBroken(breakage);
    const effects = await countEffects();
    // None is poison: the messages are not to blame.
    expect(kinds).not.toContain('dead');
    if (!breakage.mayBeDone) {
      expect(kinds).toEqual(userIds.map(() => 'held'));
      expect(effects).toEqual(userIds.map(() => 1));
    }
    const isLost = kinds.map((kind, i) => kind === 'done' && effects[i] !== 2);
    expect(isLost).toEqual(userIds.map(() => false));
    // What was not acknowledged comes again, all of it.
    let again: readonly string[] = [];
    for (let tries = 0; again.some((kind) => kind !== 'done') || tries === 0; tries += 1) {
      expect(tries).toBeLessThan(5);
      again = await handle(roundOf(2));
    }
    expect(await countEffects()).toEqual(userIds.map(() => 2));
  });

  it('dead letters that cannot be stored are rejected, and stored later', async () => {
    const letter = {
      ...{ id: randomUUID(), queue: 'q', messageId: 'm', reason: 'NOT_JSON', field: 'body' },
      ...{ text: '{', deliveryId: randomUUID() },
    };
    const letters = () => database.query('SELECT 1 FROM dead_letters');
    await database.query('ALTER TABLE dead_letters RENAME TO dead_letters_elsewhere');
    await expect(consumer.storeDeadLetters([letter])).rejects.toThrow();
    await database.query('ALTER TABLE dead_letters_elsewhere RENAME TO dead_letters');
    expect(await letters()).toHaveLength(0);
    await consumer.storeDeadLetters([letter]);
    expect(await letters()).toHaveLength(1);
  });
});
