import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { transactionIdOf, walletIdOf } from '../../../core/ids.ts';
import { WalletServiceService } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { bearer } from '../../access-matrix/people.ts';
import type { AnyMethod } from '../../support/grpc/any-call.ts';
import { queryService, waitUntil } from '../../support/ledger/ledger.ts';
import { toBody } from '../../support/broker/producer.ts';
import { deposit, setLetterStage, type LetterStage } from './letter-stage.ts';

let letters: LetterStage;

beforeAll(async () => {
  letters = await setLetterStage();
});
afterAll(() => letters.stage.dispose());

describe('changed replays', () => {
  it.each([true, false])(
    'staff cannot pay into their own wallet by a changed letter; dry run %s',
    async (dryRun) => {
      const letter = await letters.bury(deposit(randomUUID()));
      for (const currency of ['BRL', 'EUR']) {
        const body = deposit(letters.operator.userId, '1000000.00', { currency });
        const outcome = await letters.replay(letter, { body, dryRun });
        expect(outcome).toMatchObject({ code: 7, reason: 'STAFF_OWN_WALLET' });
        expect(await letters.entriesOf(letters.operator.userId, currency)).toEqual([]);
      }
      expect(await letters.stateOf(letter)).toBe('pending');
      await waitUntil(
        'a line for each denial',
        async () => (await letters.linesOf(letter.id)).length === 2,
      );
      for (const line of await letters.linesOf(letter.id)) {
        expect(line).toMatchObject({
          actor: letters.operator.userId,
          action: 'denied replayDeadLetters',
          result: 'STAFF_OWN_WALLET',
          details: { userId: letters.operator.userId, operation: 'deposit', amount: '1000000.00' },
        });
      }
    },
  );

  it('staff cannot pay into their own wallet by their user id in upper case', async () => {
    const letter = await letters.bury(deposit(randomUUID()));
    const body = deposit(letters.operator.userId.toUpperCase(), '5.00');
    expect(await letters.replay(letter, { body })).toMatchObject({ reason: 'STAFF_OWN_WALLET' });
    expect(await letters.entriesOf(letters.operator.userId)).toEqual([]);
  });

  it('an API key replays a changed letter only with transactions:write in its bounds', async () => {
    const bound = walletIdOf((await letters.newCustomer()).userId, 'BRL');
    const both = ['dead-letters:write', 'transactions:write'];
    const cases = [
      { bounds: { scopes: ['dead-letters:write'] }, reason: 'PERMISSION_DENIED' },
      { bounds: { scopes: ['dead-letters:write'], walletId: bound }, reason: 'PERMISSION_DENIED' },
      { bounds: { scopes: both, walletId: bound }, reason: 'PERMISSION_DENIED' },
      { bounds: { scopes: both, operations: ['withdraw'] }, reason: 'OPERATION_NOT_ALLOWED' },
      { bounds: { scopes: both, operations: ['deposit'] }, reason: '' },
    ];
    for (const { bounds, reason } of cases) {
      const key = await letters.stage.keyOf(letters.operator, bounds);
      const letter = await letters.bury(deposit(randomUUID()));
      const customer = await letters.newCustomer();
      const change = { body: deposit(customer.userId, '7.00') };
      expect((await letters.replay(letter, change, key?.secret)).reason).toBe(reason);
      expect(await letters.entriesOf(customer.userId)).toHaveLength(reason === '' ? 1 : 0);
    }
  });

  it('a replay with a changed body has the caller as actor in ledger and audit log', async () => {
    const letter = await letters.bury(deposit(randomUUID()));
    const customer = await letters.newCustomer();
    const body = deposit(customer.userId, '12.34');
    expect(await letters.replay(letter, { body })).toMatchObject({ code: 0 });
    const [entry] = await letters.entriesOf(customer.userId);
    expect(entry).toMatchObject({
      actor: letters.operator.userId,
      source: 2,
      amount: '1234',
      metadata: { deadLetterId: letter.id },
    });
    const wallet = walletIdOf(customer.userId, 'BRL');
    expect(entry?.id).toBe(transactionIdOf(wallet, 'message', letter.messageId ?? ''));
    expect(await letters.linesOf(letter.id)).toMatchObject([
      {
        actor: letters.operator.userId,
        action: 'dead_letter.replay',
        result: 'ok',
        details: {
          userId: customer.userId,
          operation: 'deposit',
          amount: '12.34',
          currency: 'BRL',
          transactionId: entry?.id,
        },
      },
    ]);
  });

  it('a changed replay that the ledger rejects is audited with the reason', async () => {
    const letter = await letters.bury(deposit(randomUUID()));
    const customer = await letters.newCustomer();
    const body = toBody({ userId: customer.userId, operation: 'withdraw', amount: '5.00' });
    const outcome = await letters.replay(letter, { body });
    expect(outcome.messages).toMatchObject([{ deadLetters: [{ result: 'INSUFFICIENT_FUNDS' }] }]);
    expect(await letters.linesOf(letter.id)).toMatchObject([
      { result: 'INSUFFICIENT_FUNDS', details: { operation: 'withdraw', amount: '5.00' } },
    ]);
  });

  it('a replay with an added key counts as changed', async () => {
    const letter = await letters.bury(deposit(letters.operator.userId), { messageId: undefined });
    const outcome = await letters.replay(letter, { messageId: randomUUID() });
    expect(outcome.reason).toBe('STAFF_OWN_WALLET');
    expect(await letters.entriesOf(letters.operator.userId)).toEqual([]);
  });

  it('a changed replay on a frozen wallet has no effect, audited as WALLET_FROZEN', async () => {
    const customer = await letters.newCustomer();
    const open = await letters.bury(deposit(customer.userId));
    expect((await letters.replay(open)).code).toBe(0);
    const freeze = WalletServiceService.freezeWallet as unknown as AnyMethod;
    const request = { userId: customer.userId, currency: 'BRL', note: '', dryRun: false };
    await letters.stage.call(freeze, request, bearer(letters.admin.accessToken));
    const [paid] = await letters.entriesOf(customer.userId);
    const letter = await letters.bury(deposit(randomUUID()));
    const body = toBody({ userId: customer.userId, operation: 'reversal', id: paid?.id ?? '' });
    await letters.replay(letter, { body });
    expect(await letters.entriesOf(customer.userId)).toHaveLength(1);
    expect(await letters.linesOf(letter.id)).toMatchObject([{ result: 'WALLET_FROZEN' }]);
  });
});

describe('unchanged replays', () => {
  it.each([
    ['without a body', () => ({})],
    ['with the same body', (body: string) => ({ body })],
    ['with the same JSON in other words', (body: string) => ({ body: reword(body) })],
  ])('an unchanged replay %s keeps the producer as actor', async (_name, change) => {
    const customer = await letters.newCustomer();
    const letter = await letters.bury(deposit(customer.userId, '2.00'));
    expect(await letters.replay(letter, change(letter.body))).toMatchObject({ code: 0 });
    expect(await letters.entriesOf(customer.userId)).toMatchObject([{ actor: 'amqp', source: 2 }]);
    expect(await letters.linesOf(letter.id)).toMatchObject([
      {
        actor: letters.operator.userId,
        action: 'dead_letter.replay',
        result: 'ok',
        details: { changed: 'false', userId: customer.userId, amount: '2.00' },
      },
    ]);
  });

  it('a dead letter with redacted values is replayed only as a changed one', async () => {
    const customer = await letters.newCustomer();
    const redacted = deposit(customer.userId).replace('{', '{"token":"[redacted]",');
    const letter = await letters.bury(redacted);
    const text = 'UPDATE dead_letters SET is_altered = true WHERE id = $1';
    await queryService(letters.stage.world.dataDir, 'wallet', text, [letter.id]);
    for (const dryRun of [true, false]) {
      const outcome = await letters.replay(letter, { dryRun });
      expect(outcome).toMatchObject({ reason: 'INVALID_ARGUMENT', metadata: { field: 'body' } });
    }
    expect(await letters.replay(letter, { body: redacted })).toMatchObject({ code: 0 });
    expect(await letters.entriesOf(customer.userId)).toMatchObject([
      { actor: letters.operator.userId },
    ]);
  });
});

/** The same JSON with other blanks and another order. */
function reword(body: string): string {
  const { pattern, data } = JSON.parse(body) as { pattern: string; data: object };
  return JSON.stringify({ data, pattern }, undefined, 2);
}
