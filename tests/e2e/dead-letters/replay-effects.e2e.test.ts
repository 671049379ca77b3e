import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { walletIdOf } from '../../../core/ids.ts';
import { queryService } from '../../support/ledger/ledger.ts';
import { deposit, setLetterStage, type LetterStage } from './letter-stage.ts';

let letters: LetterStage;

beforeAll(async () => {
  letters = await setLetterStage();
});
afterAll(() => letters.stage.dispose());

describe('messages that took effect', () => {
  it('a message that had an effect is not paid into another wallet by a changed body', async () => {
    const customer = await letters.newCustomer();
    const letter = await letters.bury(deposit(customer.userId, '3.00'));
    expect((await letters.replay(letter)).code).toBe(0);
    const again = await letters.bury(letter.body, { messageId: letter.messageId });
    for (const more of [{ currency: 'EUR' }, {}]) {
      const other = await letters.newCustomer();
      const body = deposit(other.userId, '3.00', more);
      expect((await letters.replay(again, { body })).reason).toBe('IDEMPOTENCY_KEY_REUSED');
      expect(await letters.entriesOf(other.userId)).toEqual([]);
      expect(await letters.entriesOf(other.userId, 'EUR')).toEqual([]);
    }
  });

  it('a dead letter with an idempotency key is not replayed under another key', async () => {
    const customer = await letters.newCustomer();
    const own = JSON.stringify({
      pattern: 'transaction_emitted',
      data: {
        userId: customer.userId,
        messageId: 'the key in the body',
        transaction: { operation: 'deposit', amount: '4.00' },
      },
    });
    const letter = await letters.bury(own, { messageId: undefined });
    expect((await letters.replay(letter, { messageId: randomUUID() })).reason).toBe(
      'INVALID_ARGUMENT',
    );
    const body = own.replace('the key in the body', 'another key');
    expect((await letters.replay(letter, { body })).reason).toBe('INVALID_ARGUMENT');
    expect(await letters.entriesOf(customer.userId)).toEqual([]);
    const named = await letters.bury(deposit(customer.userId));
    expect((await letters.replay(named, { messageId: randomUUID() })).reason).toBe(
      'INVALID_ARGUMENT',
    );
    expect(await letters.entriesOf(customer.userId)).toEqual([]);
  });

  it('of 10 concurrent replays of one dead letter exactly one has an effect', async () => {
    const customer = await letters.newCustomer();
    const letter = await letters.bury(deposit(customer.userId, '3.00'));
    const other = await letters.newCustomer();
    const bodies = [deposit(customer.userId, '3.00'), deposit(other.userId, '3.00')];
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, (_, i) => letters.replay(letter, { body: bodies[i % 2]! })),
    );
    expect(outcomes.filter(({ code }) => code === 0)).toHaveLength(1);
    const paid = [customer, other].map(({ userId }) => letters.entriesOf(userId));
    expect((await Promise.all(paid)).flat()).toHaveLength(1);
  });
});

describe('statement lines', () => {
  it('a replay of a forged statement line is refused, stored or as a changed body', async () => {
    const customer = await letters.newCustomer();
    const walletId = walletIdOf(customer.userId, 'BRL');
    const forged = {
      pattern: 'transaction_created',
      data: {
        userId: customer.userId,
        walletId,
        currency: 'BRL',
        transaction: {
          ...{ id: randomUUID(), seq: 1, operation: 'deposit', amount: '9.00' },
          ...{ direction: 'credit', balanceAfter: '9.00', contraAccount: 'external:cash' },
          ...{ occurredAt: new Date().toISOString(), hash: '0'.repeat(64) },
        },
      },
    };
    const body = JSON.stringify(forged);
    const stored = await letters.bury(body, {}, 'statement');
    const other = await letters.bury('x', {}, 'statement');
    for (const dryRun of [true, false]) {
      const unchanged = await letters.replay(
        stored,
        { dryRun },
        letters.operator.accessToken,
        'statement',
      );
      if (!dryRun) expect(unchanged.reason).toBe('INVALID_ARGUMENT');
      const changed = await letters.replay(
        other,
        { body, dryRun },
        letters.admin.accessToken,
        'statement',
      );
      expect(changed.reason).toBe('INVALID_ARGUMENT');
    }
    const text = 'SELECT * FROM statement_lines WHERE wallet_id = $1';
    expect(await queryService(letters.stage.world.dataDir, 'statement', text, [walletId])).toEqual(
      [],
    );
  });
});
