import { randomUUID } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { operations, type Operation } from '../../../core/operations.ts';
import {
  reasonCodes,
  refuse,
  succeed,
  type Reason,
  type Rejection,
  type Result,
} from '../../../core/reasons.ts';
import type { InboundMessage } from '../../platform/broker/broker.ts';
import type { Db } from '../../platform/db/db.ts';
import { createLog } from '../../platform/log.ts';
import { findTransientRejection } from '../../platform/transient-rejection.ts';
import type { Busy } from '../commit/commit-items.ts';
import { createGroupCommit } from '../commit/group-commit.ts';
import type { Entry } from '../domain.ts';
import type { AuditedCommand, AuditedDecision } from '../requests/audited-command.ts';
import { createKnownUsers } from '../requests/users.ts';
import { createEmittedConsumer, findEffectId, toHandling } from './emitted-consumer.ts';

const [ana, bia, unknown] = [randomUUID(), randomUUID(), randomUUID()];
const log = createLog('silent');
const decision: AuditedDecision = { entry: { seq: 1n } as Entry, isReplayed: false };
const allReasons = Object.keys(reasonCodes) as Reason[];
const refusalOf = (reason: Reason): Result<never> => refuse(reason, `because ${reason}`);

/** Reasons of refusals that keep a message, or all of them, waiting. */
const waits: readonly Reason[] = [
  ...(['OVERLOADED', 'OUTBOX_FULL', 'THROTTLED', 'STREAM_IDLE', 'UNIMPLEMENTED'] as const),
  ...(['DATABASE_UNAVAILABLE', 'DATABASE_BUSY', 'AUTH_UNAVAILABLE', 'SHUTTING_DOWN'] as const),
  ...(['WALLET_UNAVAILABLE', 'STATEMENT_UNAVAILABLE', 'WALLET_BUSY', 'INTERNAL'] as const),
  ...(['OUTCOME_UNKNOWN', 'DEADLINE_EXCEEDED', 'CANCELLED'] as const),
  ...allReasons.filter((reason) => reasonCodes[reason] === 'UNAUTHENTICATED'),
];

/** What a result makes of its message; `all wait` where it holds the others, too. */
function handlingOf(result: Result<AuditedDecision> | undefined): string {
  try {
    return toHandling(result).kind;
  } catch (err) {
    return findTransientRejection(err) ? 'all wait' : 'defect';
  }
}

describe('what becomes of a message', () => {
  it.each(allReasons)(
    'a message that is refused with %s is acknowledged only if final',
    (reason) => {
      const handling = handlingOf(refusalOf(reason));
      if (waits.includes(reason)) expect(['held', 'all wait']).toContain(handling);
      else expect(['done', 'dead']).toContain(handling);
    },
  );

  it('a refusal of one wallet holds its message, and others go on', () => {
    expect(handlingOf(refusalOf('WALLET_BUSY'))).toBe('held');
    expect(handlingOf(refusalOf('INTERNAL'))).toBe('held');
  });

  it.each(['OUTCOME_UNKNOWN', 'DATABASE_UNAVAILABLE', 'DATABASE_BUSY', 'OUTBOX_FULL'] as const)(
    'a refusal with %s holds all messages, with that reason',
    (reason) => {
      expect(() => toHandling(refusalOf(reason))).toThrow(`because ${reason}`);
      expect(handlingOf(refusalOf(reason))).toBe('all wait');
    },
  );

  it.each(['WALLET_CLOCK_AHEAD', 'WALLET_CORRUPT'] as const)(
    'a refusal with %s is a dead letter for operators',
    (reason) => {
      const letter = { kind: 'dead', reason, field: 'data.userId' };
      expect(toHandling(refusalOf(reason))).toEqual(letter);
    },
  );

  it('content that the database refuses is a dead letter', () => {
    const result = refuse('INTERNAL', 'bad', { cause: 'content' });
    expect(toHandling(result)).toEqual({ kind: 'dead', reason: 'INTERNAL', field: 'body' });
  });

  it('an answer is done, and a missing one is a defect', () => {
    expect(handlingOf(succeed(decision))).toBe('done');
    expect(handlingOf(undefined)).toBe('defect');
  });
});

type Commit = (commands: readonly AuditedCommand[]) => readonly (Result<AuditedDecision> | Busy)[];

const doAll: Commit = (commands) => commands.map(() => succeed(decision));

/** The consumer before a commit that is a function, and all commands that reached it. */
function create(
  options: {
    readonly commit?: Commit;
    readonly allowed?: readonly Operation[];
    readonly isOutboxFull?: boolean;
    readonly isAuthAway?: boolean;
    /** The currency of a parent that is in the ledger. */
    readonly parentCurrency?: string;
  } = {},
) {
  const committed: AuditedCommand[] = [];
  const { commit = doAll, allowed = operations } = options;
  const { parentCurrency } = options;
  const read = () =>
    parentCurrency === undefined
      ? Promise.reject(new Error('the database is not needed'))
      : Promise.resolve(parentCurrency);
  const emitted: Parameters<typeof createEmittedConsumer>[0] = {
    db: { read } as unknown as Db,
    groupCommit: createGroupCommit<AuditedCommand, AuditedDecision>({
      laneKey: (command) => command.wallet.id,
      laneCount: 2,
      log,
      explain: (err) => refuse('INTERNAL', (err as Error).message).rejection,
      commit: (commands) => {
        const answers = commit(commands);
        committed.push(...commands.filter((_command, i) => answers[i] !== 'busy'));
        return Promise.resolve(answers);
      },
    }),
    users: createKnownUsers((ids) =>
      options.isAuthAway
        ? Promise.reject(new Error('auth is unavailable'))
        : Promise.resolve(new Set(ids.filter((id) => id !== unknown))),
    ),
    defaultCurrency: 'BRL',
    queue: 'wallet_queue',
    allowedOperations: new Set(allowed),
    isOutboxFull: () => options.isOutboxFull === true,
  };
  const consumer = createEmittedConsumer(emitted);
  const handle = async (...messages: readonly InboundMessage[]): Promise<string[]> =>
    (await consumer.handle(messages)).map(({ kind }) => kind);
  return { consumer, committed, emitted, handle };
}

const messageOf = (userId: string, transaction: object = {}): InboundMessage => {
  const sent = { operation: 'deposit', amount: '1.00', ...transaction };
  const body = { pattern: 'transaction_emitted', data: { userId, transaction: sent } };
  const text = JSON.stringify(body);
  return { messageId: randomUUID(), body, text, userId: undefined, headers: {} };
};

const transientOf = async (handled: Promise<unknown>): Promise<Rejection | undefined> =>
  handled.then(
    () => undefined,
    (err: unknown) => findTransientRejection(err),
  );

describe('the consumer of transaction_emitted', () => {
  it('each message gets its own handling, in the order of the messages', async () => {
    const { committed, handle } = create();
    const poison = { ...messageOf(ana), body: undefined };
    const kinds = await handle(messageOf(ana), poison, messageOf(unknown), messageOf(bia));
    expect(kinds).toEqual(['done', 'dead', 'dead', 'done']);
    expect(committed.map(({ wallet }) => wallet.userId)).toEqual([ana, bia]);
  });

  it('a message for an unknown user names that field, and has no effect', async () => {
    const { committed, consumer } = create();
    expect(await consumer.handle([messageOf(unknown)])).toEqual([
      { kind: 'dead', reason: 'USER_NOT_FOUND', field: 'data.userId' },
    ]);
    expect(committed).toEqual([]);
  });

  it('an operation that messages may not ask for is a dead letter, and has no effect', async () => {
    const { committed, consumer } = create({ allowed: ['deposit'] });
    const withdraw = messageOf(ana, { operation: 'withdraw' });
    expect(await consumer.handle([withdraw, messageOf(ana)])).toEqual([
      { kind: 'dead', reason: 'OPERATION_NOT_ALLOWED', field: 'data.transaction.operation' },
      { kind: 'done' },
    ]);
    expect(committed.map(({ operation }) => operation)).toEqual(['deposit']);
  });

  it('while the outbox is full all messages wait, and nothing is done', async () => {
    const { committed, consumer } = create({ isOutboxFull: true });
    const rejection = await transientOf(consumer.handle([messageOf(ana)]));
    expect(rejection?.reason).toBe('OUTBOX_FULL');
    expect(committed).toEqual([]);
  });

  it('while the auth service is unavailable all messages wait, and nothing is done', async () => {
    const { committed, consumer } = create({ isAuthAway: true });
    const rejection = await transientOf(consumer.handle([messageOf(ana)]));
    expect(rejection?.reason).toBe('AUTH_UNAVAILABLE');
    expect(committed).toEqual([]);
  });

  it('one message of unknown outcome among others leaves all of them unacknowledged', async () => {
    const commit: Commit = (commands) =>
      commands.map(({ wallet }) =>
        wallet.userId === bia ? refusalOf('OUTCOME_UNKNOWN') : succeed(decision),
      );
    const { consumer } = create({ commit });
    const handled = consumer.handle([messageOf(ana), messageOf(bia), messageOf(ana)]);
    expect((await transientOf(handled))?.reason).toBe('OUTCOME_UNKNOWN');
  });

  it('a message on a locked wallet is held, and so is every later one on that wallet', async () => {
    let isLocked = true;
    const commit: Commit = (commands) =>
      commands.map(({ wallet }) =>
        isLocked && wallet.userId === ana ? 'busy' : succeed(decision),
      );
    const { committed, handle } = create({ commit });
    const messages = [messageOf(ana), messageOf(bia), messageOf(ana), messageOf(bia)];
    expect(await handle(...messages)).toEqual(['held', 'done', 'held', 'done']);
    expect(committed.map(({ wallet }) => wallet.userId)).toEqual([bia, bia]);
    isLocked = false;
    expect(await handle(messages[0]!, messages[2]!)).toEqual(['done', 'done']);
    const keys = committed.filter(({ wallet }) => wallet.userId === ana).map(({ key }) => key);
    expect(keys).toEqual([messages[0]?.messageId, messages[2]?.messageId]);
  });

  it('nothing overtakes a message that failed on its wallet, and others go on', async () => {
    const messages = [messageOf(ana), messageOf(bia), messageOf(ana)];
    let isBroken = true;
    const commit: Commit = (commands) => {
      const failed = commands.some(({ key }) => isBroken && key === messages[0]?.messageId);
      if (failed) throw new Error('a defect');
      return doAll(commands);
    };
    const { committed, handle } = create({ commit });
    expect(await handle(...messages)).toEqual(['held', 'done', 'held']);
    expect(committed.map(({ wallet }) => wallet.userId)).toEqual([bia]);
    isBroken = false;
    expect(await handle(messages[0]!, messages[2]!)).toEqual(['done', 'done']);
  });

  it('a business refusal is an answer: its message is done', async () => {
    const commit: Commit = (commands) => commands.map(() => refusalOf('INSUFFICIENT_FUNDS'));
    expect(await create({ commit }).handle(messageOf(ana))).toEqual(['done']);
  });

  it('an undo has the currency of a parent that comes in the same batch', async () => {
    const { committed, handle } = create();
    const parent = messageOf(ana, { currency: 'USD' });
    await handle(parent);
    const [{ transactionId } = { transactionId: '' }] = committed.splice(0);
    const undo = messageOf(ana, { operation: 'reversal', amount: null, id: transactionId });
    expect(await handle(parent, undo)).toEqual(['done', 'done']);
    expect(committed.map(({ wallet }) => wallet.currency)).toEqual(['USD', 'USD']);
  });

  it('an undo has the currency of a parent that is in the ledger', async () => {
    const { committed, handle } = create({ parentCurrency: 'JPY' });
    const undo = messageOf(ana, { operation: 'reversal', amount: null, id: randomUUID() });
    expect(await handle(undo)).toEqual(['done']);
    expect(committed.map(({ wallet }) => wallet.currency)).toEqual(['JPY']);
  });

  it('a currency that the undo names is taken, and nothing is looked up', async () => {
    const { committed, handle } = create();
    const change = { operation: 'reversal', amount: null, id: randomUUID(), currency: 'EUR' };
    expect(await handle(messageOf(ana, change))).toEqual(['done']);
    expect(committed.map(({ wallet }) => wallet.currency)).toEqual(['EUR']);
  });

  it('an undo whose parent is not in the ledger has the default currency', async () => {
    const { committed, emitted } = create();
    const db = { read: () => Promise.resolve(undefined) } as unknown as Db;
    const consumer = createEmittedConsumer({ ...emitted, db });
    const undo = messageOf(ana, { operation: 'reversal', amount: null, id: randomUUID() });
    expect(await consumer.handle([undo])).toEqual([{ kind: 'done' }]);
    expect(committed.map(({ wallet }) => wallet.currency)).toEqual(['BRL']);
  });

  it('a user is asked for once, however many messages name them', async () => {
    const asked: string[][] = [];
    const { emitted } = create();
    const users = createKnownUsers((ids) => {
      asked.push([...ids]);
      return Promise.resolve(new Set(ids));
    });
    const consumer = createEmittedConsumer({ ...emitted, users });
    const poison = { ...messageOf(ana), body: undefined };
    await consumer.handle([messageOf(ana), poison, messageOf(bia), messageOf(ana)]);
    expect(asked).toEqual([[ana, bia]]);
  });

  it('a batch of poison asks for no user, and begins no commit', async () => {
    const asked: (readonly string[])[] = [];
    const { committed, emitted } = create();
    const findUnknown = (ids: readonly string[]) => {
      asked.push(ids);
      return Promise.resolve(new Set<string>());
    };
    const users = { ...emitted.users, findUnknown };
    const consumer = createEmittedConsumer({ ...emitted, users });
    const poison = { ...messageOf(ana), body: undefined };
    expect((await consumer.handle([poison])).map(({ kind }) => kind)).toEqual(['dead']);
    expect([asked, committed]).toEqual([[[]], []]);
  });

  it('where a lost auth service is the cause, the failure keeps it', async () => {
    const { consumer } = create({ isAuthAway: true });
    const failed = await consumer.handle([messageOf(ana)]).catch((err: unknown) => err);
    expect(failed).toMatchObject({ cause: { message: 'auth is unavailable' } });
  });

  it.each([
    ['data.transaction.description', { description: 'x'.repeat(1_001) }],
    ['data.transaction.id', { operation: 'reversal', amount: null }],
    ['data.transaction.amount', { amount: undefined }],
  ])('a message that is wrong in %s names that field', async (field, transaction) => {
    const { committed, consumer } = create();
    const [handling] = await consumer.handle([messageOf(ana, transaction)]);
    expect(handling).toMatchObject({ kind: 'dead', field });
    expect(committed).toEqual([]);
  });

  it('a message is known by the id of its transaction, whatever is allowed by now', async () => {
    const { committed, emitted, handle } = create();
    const message = messageOf(ana);
    await handle(message);
    const [{ transactionId } = { transactionId: '' }] = committed;
    const forbidden = { ...emitted, allowedOperations: new Set<Operation>() };
    expect(await findEffectId(forbidden, message)).toBe(transactionId);
    expect(await findEffectId(forbidden, { ...message, body: undefined })).toBeUndefined();
    const wrong = messageOf(ana, { description: 'x'.repeat(1_001) });
    expect(await findEffectId(forbidden, wrong)).toBeUndefined();
  });

  it('the queue gets what is sent to it by its name, and requested transactions', () => {
    const { queue, bindings } = create().consumer;
    expect(queue).toBe('wallet_queue');
    expect(bindings).toEqual([
      { exchange: 'wallet.commands', routingKey: 'wallet_queue' },
      { exchange: 'wallet.commands', routingKey: 'transaction_emitted' },
    ]);
  });
});

describe('what is handed to the group commit', () => {
  type Waiting = Parameters<ReturnType<typeof create>['emitted']['groupCommit']['submitMany']>[1];

  /** The consumer before a commit that only answers, and what it was handed. */
  function createRecorder(results: readonly Result<AuditedDecision>[]) {
    const handed: { readonly atMs: number; readonly waiting: Waiting }[] = [];
    const { emitted } = create();
    const submitMany = (_commands: readonly AuditedCommand[], waiting: Waiting) => {
      handed.push({ atMs: performance.now(), waiting });
      return Promise.resolve({ completed: Promise.resolve(results) });
    };
    const groupCommit = { ...emitted.groupCommit, submitMany } as typeof emitted.groupCommit;
    return { handed, consumer: createEmittedConsumer({ ...emitted, groupCommit }) };
  }

  it('a message waits 200 ms for a locked wallet, and its commit 25 s', async () => {
    const { handed, consumer } = createRecorder([succeed(decision)]);
    const beforeMs = performance.now();
    await consumer.handle([messageOf(ana)]);
    const [{ atMs, waiting } = { atMs: 0, waiting: undefined as never }] = handed;
    expect(waiting.busyAfterMs).toBe(200);
    expect(waiting.deadlineMs).toBeGreaterThanOrEqual(beforeMs + 25_000);
    expect(waiting.deadlineMs).toBeLessThanOrEqual(atMs + 25_000);
  });

  it('what was held back behind a failure has the reason of that failure', async () => {
    const results = [refusalOf('CANCELLED'), refusalOf('CANCELLED')];
    const { handed, consumer } = createRecorder(results);
    const { emitted } = create();
    const submitMany = (commands: readonly AuditedCommand[], waiting: Waiting) => {
      handed.push({ atMs: 0, waiting });
      // Of one wallet the first failure counts, and another wallet has none.
      waiting.onGivenUp?.(refusalOf('WALLET_BUSY').rejection, commands[0]!);
      waiting.onGivenUp?.(refusalOf('DATABASE_UNAVAILABLE').rejection, commands[0]!);
      expect(commands.map((command) => waiting.isCancelled(command))).toEqual([true, false]);
      return Promise.resolve({ completed: Promise.resolve([results[0]!, succeed(decision)]) });
    };
    const groupCommit = { ...emitted.groupCommit, submitMany } as typeof emitted.groupCommit;
    const held = createEmittedConsumer({ ...emitted, groupCommit });
    const handlings = await held.handle([messageOf(ana), messageOf(bia)]);
    expect(handlings.map(({ kind }) => kind)).toEqual(['held', 'done']);
    // Without a failure before it, it was cancelled for another reason: all wait.
    const cancelled = consumer.handle([messageOf(ana), messageOf(bia)]);
    expect((await transientOf(cancelled))?.reason).toBe('CANCELLED');
  });

  it('another refusal on a wallet that was given up keeps its own reason', async () => {
    const { emitted } = create();
    const submitMany = (commands: readonly AuditedCommand[], waiting: Waiting) => {
      waiting.onGivenUp?.(refusalOf('WALLET_BUSY').rejection, commands[0]!);
      const results = [refusalOf('WALLET_BUSY'), refusalOf('WALLET_CORRUPT')];
      return Promise.resolve({ completed: Promise.resolve(results) });
    };
    const groupCommit = { ...emitted.groupCommit, submitMany } as typeof emitted.groupCommit;
    const consumer = createEmittedConsumer({ ...emitted, groupCommit });
    const handlings = await consumer.handle([messageOf(ana), messageOf(ana)]);
    expect(handlings).toMatchObject([{ kind: 'held' }, { kind: 'dead', reason: 'WALLET_CORRUPT' }]);
  });

  it('a batch is as many messages as two full commits', () => {
    expect(create().consumer.maxBatch).toBe(2_048);
  });
});
