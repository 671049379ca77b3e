import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { walletIdOf } from '../../../core/ids.ts';
import type { GivenLetter } from '../../support/broker/letters.ts';
import { forgeCreated, withWrongHash } from '../../support/ledger/forged-created.ts';
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
  const replayLine = (letter: GivenLetter, change: { body?: string; dryRun: boolean }) =>
    letters.replay(letter, change, letters.admin.accessToken, 'statement');
  const linesOf = (userId: string) =>
    queryService<{ amount: string }>(
      letters.stage.world.dataDir,
      'statement',
      'SELECT amount FROM statement_lines WHERE wallet_id = $1',
      [walletIdOf(userId, 'BRL')],
    );

  it.each([
    ['a right hash', (body: string) => body],
    ['a wrong hash', withWrongHash],
  ])(
    'a replay of a forged statement line with %s is refused, stored or as a changed body',
    async (_which, forge) => {
      const customer = await letters.newCustomer();
      const forged = forge(forgeCreated(customer.userId, 1));
      const stored = await letters.bury(forged, {}, 'statement');
      const other = await letters.bury('x', {}, 'statement');
      for (const dryRun of [true, false]) {
        expect((await replayLine(stored, { dryRun })).reason).toBe('INVALID_ARGUMENT');
        const changed = await replayLine(other, { body: forged, dryRun });
        expect(changed.reason).toBe('INVALID_ARGUMENT');
      }
      expect(await linesOf(customer.userId)).toEqual([]);
    },
  );

  it('a replay of a forged line in place of a known transaction is refused', async () => {
    const customer = await letters.newCustomer();
    const paid = await letters.bury(deposit(customer.userId, '3.00'));
    expect((await letters.replay(paid)).code).toBe(0);
    const forged = await letters.bury(forgeCreated(customer.userId, 1), {}, 'statement');
    expect(await replayLine(forged, { dryRun: false })).toMatchObject({
      reason: 'INVALID_ARGUMENT',
      metadata: { field: 'body' },
    });
    const altered = (await linesOf(customer.userId)).filter(({ amount }) => amount !== '300');
    expect(altered).toEqual([]);
  });
});
