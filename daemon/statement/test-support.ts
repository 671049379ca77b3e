import { randomUUID } from 'node:crypto';

import { chainHash, genesisHash, toChainedMore, toMoreColumns } from '../../core/chain.ts';
import { walletIdOf } from '../../core/ids.ts';
import { operationTable } from '../../core/operations.ts';
import { succeed, type Result } from '../../core/reasons.ts';
import type { Role } from '../../core/roles.ts';
import type { StatementFileLine } from '../../core/statement-format/index.ts';
import { Direction, type Transaction } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { TestDatabase } from '../../tests/support/postgres/database.ts';
import { makeLines } from '../../tests/support/ledger/statement-model.ts';
import type { UserPrincipal } from '../platform/access/access.ts';
import type { VerifiedKey } from '../platform/access/api-keys.ts';
import { createLocalBroker } from '../platform/broker/local.ts';
import type { Broker, InboundMessage, OutboundMessage } from '../platform/broker/broker.ts';
import type { CallContext } from '../platform/grpc/calls.ts';
import { createLog } from '../platform/log.ts';
import type { Mailer } from '../platform/mail/mail.ts';
import type { Line } from './domain.ts';
import type { KnownUser } from './exports/peers.ts';
import { createStatement } from './index.ts';
import { insertLines } from './store.ts';
import { createRecorder } from './witness/record.ts';

export const startMs = Date.parse('2026-01-10T12:00:00Z');

export const userOf = (role: Role = 'customer', change: Partial<UserPrincipal> = {}) =>
  ({
    kind: 'user',
    userId: randomUUID(),
    role,
    sessionId: undefined,
    apiKey: undefined,
    ...change,
  }) satisfies UserPrincipal;

/** The principal by an API key of theirs that is for one wallet. */
export const withKey = (owner: UserPrincipal, walletId: string): UserPrincipal => ({
  ...owner,
  apiKey: {
    ...{ keyId: randomUUID(), userId: owner.userId, role: owner.role, hasOwnerTotp: false },
    ...{ scopes: ['statements:read'], walletId, operations: [], expiresAtMs: Infinity },
  } satisfies VerifiedKey,
});

export const contextOf = (principal: CallContext['principal']): CallContext => ({
  requestId: randomUUID(),
  principal,
  source: '127.0.0.1',
  deadlineMs: Infinity,
  isCancelled: () => false,
});

/** Lines of a model, as the projection holds them. */
export const toLines = (
  userId: string,
  currency: string,
  model: readonly StatementFileLine[],
): Line[] => {
  const walletId = walletIdOf(userId, currency);
  const of = { walletId, userId, currency, parentId: undefined };
  return chainLines(
    model.map(({ heldMinor: held, heldAfterMinor: heldAfter, ...line }) => ({
      ...line,
      ...of,
      source: 'grpc',
      actor: userId,
      metadata: {},
      more: toChainedMore({ held, heldAfter, parentUsed: undefined, groupId: undefined }),
    })),
  );
};

/** Lines of one wallet from its first on, with their hashes. */
export function chainLines(lines: readonly Omit<Line, 'hash' | 'previousHash'>[]): Line[] {
  const [first] = lines;
  if (!first) return [];
  let hash = genesisHash(first.walletId, first.userId, first.currency);
  return lines.map((line) => {
    const previousHash = hash;
    hash = chainHash(previousHash, { ...line, id: line.transactionId });
    return { ...line, previousHash, hash };
  });
}

/** The message that brings a line. */
export function toMessage(line: Line): InboundMessage {
  const wallet = { id: line.walletId, userId: line.userId, currency: line.currency, exponent: 2 };
  const event = { ...line, id: line.transactionId, wallet };
  return { messageId: undefined, body: undefined, text: '', userId: undefined, headers: {}, event };
}

/** What the ledger says of these lines. */
export const toLedger = (lines: readonly Line[]): Transaction[] => lines.map(toTransaction);

const sizeOf = (minor: bigint): bigint => (minor < 0n ? -minor : minor);

/** On the wire a hold or release has what it reserved or released as its amount, and no direction. */
function toTransaction(line: Line): Transaction {
  const { held, heldAfter, parentUsed, groupId } = toMoreColumns(line.more ?? noMore);
  const isHold = line.amountMinor === 0n;
  return {
    id: line.transactionId,
    walletId: line.walletId,
    userId: line.userId,
    currency: line.currency,
    seq: line.seq,
    operation: operationTable[line.operation].wireNumber,
    amountMinor: sizeOf(isHold ? (held ?? 0n) : line.amountMinor),
    direction: isHold ? Direction.NONE : line.amountMinor < 0n ? 2 : 1,
    balanceAfterMinor: line.balanceAfterMinor,
    contraAccount: line.contraAccount,
    parentId: line.parentId,
    description: line.description,
    merchant: undefined,
    metadata: { ...line.metadata },
    actor: line.actor,
    source: line.source,
    occurredAt: new Date(line.occurredAtMs),
    hash: Buffer.from(line.hash, 'hex'),
    ...{ heldMinor: held, heldAfterMinor: heldAfter, parentUsedMinor: parentUsed, groupId },
  };
}

const noMore = { heldMinor: 0n, heldAfterMinor: 0n, parentUsedMinor: 0n, groupId: undefined };

type LastEntry = { readonly seq: bigint; readonly hash: string | undefined };

export type StatementWorld = ReturnType<typeof createStatementWorld>;

/** The statement service over a database of its own, with the other two as tables in memory. */
export function createStatementWorld(database: TestDatabase) {
  const users = new Map<string, KnownUser>();
  const lastEntries = new Map<string, LastEntry>();
  const ledger: Line[] = [];
  const published: OutboundMessage[] = [];
  const state = { isWalletAway: false, isAuthAway: false };
  const peers = createPeers(users, lastEntries, ledger, state);
  const know = (principal: UserPrincipal, change: Partial<KnownUser> = {}): UserPrincipal => {
    const { role, userId } = principal;
    users.set(userId, {
      ...{ email: `${userId}@example.com`, role, isEmailVerified: true, isDisabled: false },
      ...change,
    });
    return principal;
  };
  const localBroker = createLocalBroker();
  const start = (mailer?: Pick<Mailer, 'send'>, broker: Broker = localBroker) =>
    startStatement(database, peers, mailer, broker, published);
  return {
    users,
    published,
    state,
    peers,
    reporter: createRecorder(database.db, createLog('silent')),
    know,
    start,
    /** A wallet with so many random lines, and the head that goes with them. */
    fill: async (
      userId: string,
      count: number,
      {
        currency = 'BRL',
        missing = 0,
        stepMs = 3_600_000,
        make = makeLines,
        change = (line: StatementFileLine) => line,
        complete = (line: Line) => line,
      } = {},
    ) => {
      const model = make(count, count, startMs, stepMs).map(change);
      const lines = chainLines(toLines(userId, currency, model).map(complete));
      const { hash } = lines.at(-1) ?? { hash: undefined };
      lastEntries.set(walletIdOf(userId, currency), { seq: BigInt(count), hash });
      lines.forEach((line) => ledger.push(line));
      const there = lines.slice(0, count - missing);
      await storeLines(database, there);
      return { model, lines };
    },
  };
}

/** The service with a broker; `published` gets what it sends. */
async function startStatement(
  { db }: TestDatabase,
  peers: ReturnType<typeof createPeers>,
  mailer: Pick<Mailer, 'send'> | undefined,
  broker: Broker,
  published: OutboundMessage[],
) {
  const statement = createStatement({
    ...{ db, workDb: db, peers, mailer, log: createLog('silent') },
    broker: {
      publish: (messages, audience) => {
        if (audience === 'own') published.push(...messages);
        return broker.publish(messages, audience);
      },
    },
    config: {
      ...{ defaultCurrency: 'BRL', inlineDays: 15, queue: 'q', exportQueue: 'e' },
      ...{ exportRetentionDays: 30, searchKeys: ['reference', 'order'] },
    },
  });
  await broker.start(statement.consumers);
  statement.start();
  return statement;
}

async function storeLines({ db }: TestDatabase, lines: readonly Line[]): Promise<void> {
  for (let i = 0; i < lines.length; i += 5_000) {
    await db.tx((tx) => insertLines(tx, lines.slice(i, i + 5_000)));
  }
}

/** The other two services, as far as they are not away. */
function createPeers(
  users: ReadonlyMap<string, KnownUser>,
  lastEntries: ReadonlyMap<string, LastEntry>,
  ledger: readonly Line[],
  state: { readonly isWalletAway: boolean; readonly isAuthAway: boolean },
) {
  return {
    readHead: (userId: string, currency: string, alsoSeq?: bigint) => {
      if (state.isWalletAway) return Promise.reject(new Error('the wallet service is unavailable'));
      const walletId = walletIdOf(userId, currency);
      const head = lastEntries.get(walletId) ?? { seq: 0n, hash: undefined };
      const also = ledger.find((line) => line.walletId === walletId && line.seq === alsoSeq);
      return Promise.resolve(succeed({ ...head, asOfMs: startMs + 400 * 86_400_000, also }));
    },
    findUser: (userId: string) =>
      state.isAuthAway
        ? Promise.reject(new Error('the auth service is unavailable'))
        : Promise.resolve(users.get(userId)),
    readLedger: async function* (
      walletId: string | undefined,
      after: { readonly seq: bigint },
    ): AsyncGenerator<readonly Transaction[], void> {
      await Promise.resolve();
      yield toLedger(
        ledger.filter((line) => line.walletId === walletId && line.seq > after.seq).slice(0, 1_000),
      );
    },
  };
}

/** The value of a result that must be one. */
export function valueOf<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(`${result.rejection.reason}: ${result.rejection.message}`);
  return result.value;
}

export const reasonOf = (result: Result<unknown>): string =>
  result.ok ? 'ok' : result.rejection.reason;
