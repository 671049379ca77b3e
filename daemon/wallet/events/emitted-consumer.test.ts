import { randomUUID } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import type { Operation } from '../../../core/operations.ts';
import { succeed } from '../../../core/reasons.ts';
import type { Db } from '../../platform/db/db.ts';
import { createKnownUsers } from '../requests/users.ts';
import { createEmittedConsumer, findEffectId } from './emitted-consumer.ts';
import {
  ana,
  bia,
  create,
  decision,
  messageOf,
  refusalOf,
  transientOf,
  unknown,
  type Commit,
} from './test-support.ts';

const doAll: Commit = (commands) => commands.map(() => succeed(decision));

describe('the consumer of transaction_emitted', () => {
  it('each message gets its own handling, in the order of the messages', async () => {
    const { committed, handle } = create();
    const poison = { ...messageOf(ana), body: undefined };
    const kinds = await handle(messageOf(ana), poison, messageOf(unknown), messageOf(bia));
    expect(kinds).toEqual(['done', 'dead', 'dead', 'done']);
    // In any order: they are of two wallets.
    expect(committed.map(({ wallet }) => wallet.userId).sort()).toEqual([ana, bia].sort());
  });

  it('a message that cannot be read keeps its own reason', async () => {
    const { consumer } = create({ allowed: [] });
    const [handling] = await consumer.handle([{ ...messageOf(ana), body: undefined }]);
    expect(handling).toEqual({ kind: 'dead', reason: 'NOT_JSON', field: 'body' });
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

  it('a currency that the undo names is taken, whatever its parent has', async () => {
    const { committed, handle } = create({ parentCurrency: 'JPY' });
    const change = { operation: 'reversal', amount: null, id: randomUUID(), currency: 'EUR' };
    expect(await handle(messageOf(ana, change))).toEqual(['done']);
    expect(committed.map(({ wallet }) => wallet.currency)).toEqual(['EUR']);
  });

  it('an undo whose parent is not in the ledger has the default currency', async () => {
    const { committed, emitted } = create();
    const db = { read: () => Promise.resolve(new Map()) } as unknown as Db;
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
    ['data.transaction.description', 'INVALID_FIELD', { description: 'x'.repeat(1_001) }],
    ['data.transaction.id', 'INVALID_FIELD', { operation: 'reversal', amount: null }],
    ['data.transaction.amount', 'AMOUNT_INVALID', { amount: undefined }],
    ['data.transaction.amount', 'AMOUNT_INVALID', { amount: '1.001' }],
    ['data.transaction.currency', 'CURRENCY_UNKNOWN', { currency: 'XXX' }],
  ])('a message that is wrong in %s names that field: %s', async (field, reason, transaction) => {
    const { committed, consumer } = create();
    const [handling] = await consumer.handle([messageOf(ana, transaction)]);
    expect(handling).toEqual({ kind: 'dead', reason, field });
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
