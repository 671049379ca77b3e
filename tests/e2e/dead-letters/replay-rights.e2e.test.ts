import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { transactionIdOf, walletIdOf } from '../../../core/ids.ts';
import { StatementServiceService } from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { WalletServiceService } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { bearer, setStage, type Person, type Stage } from '../../access-matrix/people.ts';
import type { AnyMethod, Outcome } from '../../support/any-call.ts';
import { queryService, waitUntil } from '../../support/ledger.ts';
import { buryIn, letterOf, type GivenLetter } from '../../support/letters.ts';
import { toBody } from '../../support/producer.ts';

let stage: Stage;
let ana: Person;
let bia: Person;
let operator: Person;
let admin: Person;

beforeAll(async () => {
  stage = await setStage();
  ana = await stage.person('ana', 'customer');
  bia = await stage.person('bia', 'customer');
  operator = await stage.person('otto', 'operator');
  admin = await stage.person('ada', 'admin');
});
afterAll(() => stage.dispose());

const deposit = (userId: string, amount = '1.00', more: object = {}): string =>
  toBody({ userId, operation: 'deposit', amount, ...more });

async function bury(
  body: string,
  fields: Partial<GivenLetter> = {},
  service: 'wallet' | 'statement' = 'wallet',
): Promise<GivenLetter> {
  const letter = letterOf(body, fields);
  await buryIn(stage.world.dataDir, service, [letter]);
  return letter;
}

type Change = { body?: string; messageId?: string; dryRun?: boolean };

function replay(
  { id }: GivenLetter,
  change: Change = {},
  credential = operator.accessToken,
  service: 'wallet' | 'statement' = 'wallet',
): Promise<Outcome> {
  const methods = { wallet: WalletServiceService, statement: StatementServiceService };
  const method = methods[service].replayDeadLetters as unknown as AnyMethod;
  const request = { deadLetterIds: [id], dryRun: false, ...change };
  return stage.call(method, request, bearer(credential));
}

type Entry = {
  id: string;
  actor: string;
  source: number;
  amount: string;
  metadata: Record<string, string> | null;
};
const entriesOf = (userId: string, currency = 'BRL'): Promise<Entry[]> =>
  queryService<Entry>(
    stage.world.dataDir,
    'wallet',
    'SELECT id, actor, source, amount, metadata FROM transactions WHERE wallet_id = $1 ORDER BY seq',
    [walletIdOf(userId, currency)],
  );

type Line = { actor: string; result: string; action: string; details: Record<string, string> };
const linesOf = (letterId: string, service = 'wallet'): Promise<Line[]> =>
  queryService<Line>(
    stage.world.dataDir,
    service,
    'SELECT actor, action, result, details FROM audit_log WHERE target = $1 ORDER BY occurred_at',
    [letterId],
  );

async function stateOf({ id }: GivenLetter, service = 'wallet'): Promise<string | undefined> {
  const text = 'SELECT state FROM dead_letters WHERE id = $1';
  const [row] = await queryService<{ state: string }>(stage.world.dataDir, service, text, [id]);
  return row?.state;
}

const newCustomer = (): Promise<Person> => stage.person(`c${randomUUID().slice(0, 8)}`, 'customer');

describe('a changed body is an action of the person who replays', () => {
  it.each([true, false])(
    'staff pay nothing into a wallet of their own; dry run %s',
    async (dryRun) => {
      const letter = await bury(deposit(randomUUID()));
      for (const currency of ['BRL', 'EUR']) {
        const body = deposit(operator.userId, '1000000.00', { currency });
        const outcome = await replay(letter, { body, dryRun });
        expect(outcome).toMatchObject({ code: 7, reason: 'STAFF_OWN_WALLET' });
        expect(await entriesOf(operator.userId, currency)).toEqual([]);
      }
      expect(await stateOf(letter)).toBe('pending');
      await waitUntil(
        'a line for each denial',
        async () => (await linesOf(letter.id)).length === 2,
      );
      for (const line of await linesOf(letter.id)) {
        expect(line).toMatchObject({
          actor: operator.userId,
          action: 'denied replayDeadLetters',
          result: 'STAFF_OWN_WALLET',
          details: { userId: operator.userId, operation: 'deposit', amount: '1000000.00' },
        });
      }
    },
  );

  it('staff name themselves in no other letters either', async () => {
    const letter = await bury(deposit(randomUUID()));
    const body = deposit(operator.userId.toUpperCase(), '5.00');
    expect(await replay(letter, { body })).toMatchObject({ reason: 'INVALID_ARGUMENT' });
    expect(await entriesOf(operator.userId)).toEqual([]);
  });

  it('an API key needs transactions:write, its wallet and its operations', async () => {
    const bound = walletIdOf(ana.userId, 'BRL');
    const both = ['dead-letters:write', 'transactions:write'];
    const cases = [
      { bounds: { scopes: ['dead-letters:write'] }, reason: 'PERMISSION_DENIED' },
      { bounds: { scopes: ['dead-letters:write'], walletId: bound }, reason: 'PERMISSION_DENIED' },
      { bounds: { scopes: both, walletId: bound }, reason: 'PERMISSION_DENIED' },
      { bounds: { scopes: both, operations: ['withdraw'] }, reason: 'OPERATION_NOT_ALLOWED' },
      { bounds: { scopes: both, operations: ['deposit'] }, reason: '' },
    ];
    for (const { bounds, reason } of cases) {
      const key = await stage.keyOf(operator, bounds);
      const letter = await bury(deposit(randomUUID()));
      const customer = await newCustomer();
      const change = { body: deposit(customer.userId, '7.00') };
      expect((await replay(letter, change, key?.secret)).reason).toBe(reason);
      expect(await entriesOf(customer.userId)).toHaveLength(reason === '' ? 1 : 0);
    }
  });

  it('is theirs in the ledger and in the audit log', async () => {
    const letter = await bury(deposit(randomUUID()));
    const customer = await newCustomer();
    const body = deposit(customer.userId, '12.34');
    expect(await replay(letter, { body })).toMatchObject({ code: 0 });
    const [entry] = await entriesOf(customer.userId);
    expect(entry).toMatchObject({
      actor: operator.userId,
      source: 2,
      amount: '1234',
      metadata: { deadLetterId: letter.id },
    });
    const wallet = walletIdOf(customer.userId, 'BRL');
    expect(entry?.id).toBe(transactionIdOf(wallet, 'message', letter.messageId ?? ''));
    expect(await linesOf(letter.id)).toMatchObject([
      {
        actor: operator.userId,
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

  it('refused by the ledger, it is on record with the reason', async () => {
    const letter = await bury(deposit(randomUUID()));
    const customer = await newCustomer();
    const body = toBody({ userId: customer.userId, operation: 'withdraw', amount: '5.00' });
    const outcome = await replay(letter, { body });
    expect(outcome.messages).toMatchObject([{ deadLetters: [{ result: 'INSUFFICIENT_FUNDS' }] }]);
    expect(await linesOf(letter.id)).toMatchObject([
      { result: 'INSUFFICIENT_FUNDS', details: { operation: 'withdraw', amount: '5.00' } },
    ]);
  });

  it('a key that was added is one as well', async () => {
    const letter = await bury(deposit(operator.userId), { messageId: undefined });
    const outcome = await replay(letter, { messageId: randomUUID() });
    expect(outcome.reason).toBe('STAFF_OWN_WALLET');
    expect(await entriesOf(operator.userId)).toEqual([]);
  });

  it('a frozen wallet takes it no more than the message', async () => {
    const customer = await newCustomer();
    const open = await bury(deposit(customer.userId));
    expect((await replay(open)).code).toBe(0);
    const freeze = WalletServiceService.freezeWallet as unknown as AnyMethod;
    const request = { userId: customer.userId, currency: 'BRL', note: '', dryRun: false };
    await stage.call(freeze, request, bearer(admin.accessToken));
    const [paid] = await entriesOf(customer.userId);
    const letter = await bury(deposit(randomUUID()));
    const body = toBody({ userId: customer.userId, operation: 'reversal', id: paid?.id ?? '' });
    await replay(letter, { body });
    expect(await entriesOf(customer.userId)).toHaveLength(1);
    expect(await linesOf(letter.id)).toMatchObject([{ result: 'WALLET_FROZEN' }]);
  });
});

describe('an unchanged replay stays the producer’s', () => {
  it.each([
    ['without a body', () => ({})],
    ['with the same body', (body: string) => ({ body })],
    ['with the same JSON in other words', (body: string) => ({ body: reword(body) })],
  ])('%s', async (_name, change) => {
    const customer = await newCustomer();
    const letter = await bury(deposit(customer.userId, '2.00'));
    expect(await replay(letter, change(letter.body))).toMatchObject({ code: 0 });
    expect(await entriesOf(customer.userId)).toMatchObject([{ actor: 'amqp', source: 2 }]);
    expect(await linesOf(letter.id)).toMatchObject([
      {
        actor: operator.userId,
        action: 'dead_letter.replay',
        result: 'ok',
        details: { changed: 'false', userId: customer.userId, amount: '2.00' },
      },
    ]);
  });

  it('and cannot be had where values were taken out of the body', async () => {
    const customer = await newCustomer();
    const redacted = deposit(customer.userId).replace('{', '{"token":"[redacted]",');
    const letter = await bury(redacted);
    const text = 'UPDATE dead_letters SET is_altered = true WHERE id = $1';
    await queryService(stage.world.dataDir, 'wallet', text, [letter.id]);
    for (const dryRun of [true, false]) {
      const outcome = await replay(letter, { dryRun });
      expect(outcome).toMatchObject({ reason: 'INVALID_ARGUMENT', metadata: { field: 'body' } });
    }
    expect(await replay(letter, { body: redacted })).toMatchObject({ code: 0 });
    expect(await entriesOf(customer.userId)).toMatchObject([{ actor: operator.userId }]);
  });
});

/** The same JSON with other blanks and another order. */
function reword(body: string): string {
  const { pattern, data } = JSON.parse(body) as { pattern: string; data: object };
  return JSON.stringify({ data, pattern }, undefined, 2);
}

describe('a message that took effect is never paid again', () => {
  it('into another wallet, by a changed body', async () => {
    const customer = await newCustomer();
    const letter = await bury(deposit(customer.userId, '3.00'));
    expect((await replay(letter)).code).toBe(0);
    const again = await bury(letter.body, { messageId: letter.messageId });
    for (const more of [{ currency: 'EUR' }, {}]) {
      const other = await newCustomer();
      const body = deposit(other.userId, '3.00', more);
      expect((await replay(again, { body })).reason).toBe('IDEMPOTENCY_KEY_REUSED');
      expect(await entriesOf(other.userId)).toEqual([]);
      expect(await entriesOf(other.userId, 'EUR')).toEqual([]);
    }
  });

  it('under another key, where the body has its own', async () => {
    const customer = await newCustomer();
    const own = JSON.stringify({
      pattern: 'transaction_emitted',
      data: {
        userId: customer.userId,
        messageId: 'the key in the body',
        transaction: { operation: 'deposit', amount: '4.00' },
      },
    });
    const letter = await bury(own, { messageId: undefined });
    expect((await replay(letter, { messageId: randomUUID() })).reason).toBe('INVALID_ARGUMENT');
    const body = own.replace('the key in the body', 'another key');
    expect((await replay(letter, { body })).reason).toBe('INVALID_ARGUMENT');
    expect(await entriesOf(customer.userId)).toEqual([]);
    const named = await bury(deposit(customer.userId));
    expect((await replay(named, { messageId: randomUUID() })).reason).toBe('INVALID_ARGUMENT');
    expect(await entriesOf(customer.userId)).toEqual([]);
  });

  it('by many at once', async () => {
    const customer = await newCustomer();
    const letter = await bury(deposit(customer.userId, '3.00'));
    const bodies = [deposit(customer.userId, '3.00'), deposit(bia.userId, '3.00')];
    const before = (await entriesOf(bia.userId)).length;
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, (_, i) => replay(letter, { body: bodies[i % 2]! })),
    );
    expect(outcomes.filter(({ code }) => code === 0)).toHaveLength(1);
    const after = (await entriesOf(bia.userId)).length + (await entriesOf(customer.userId)).length;
    expect(after - before).toBe(1);
  });
});

describe('statement lines', () => {
  it('are taken from no letter that the ledger does not confirm', async () => {
    const customer = await newCustomer();
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
    const stored = await bury(body, {}, 'statement');
    const other = await bury('x', {}, 'statement');
    for (const dryRun of [true, false]) {
      const unchanged = await replay(stored, { dryRun }, operator.accessToken, 'statement');
      if (!dryRun) expect(unchanged.reason).toBe('INVALID_ARGUMENT');
      const changed = await replay(other, { body, dryRun }, admin.accessToken, 'statement');
      expect(changed.reason).toBe('INVALID_ARGUMENT');
    }
    const text = 'SELECT * FROM statement_lines WHERE wallet_id = $1';
    expect(await queryService(stage.world.dataDir, 'statement', text, [walletId])).toEqual([]);
  });
});
