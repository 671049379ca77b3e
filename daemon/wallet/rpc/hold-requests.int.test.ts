import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import type { Result } from '../../../core/reasons.ts';
import {
  Direction,
  GetBalanceRequest,
  HoldState,
  ListTransactionsRequest,
  Operation,
  type CreateTransactionResponse,
  type TransactionItem,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { callAs } from '../../../tests/support/grpc/calls.ts';
import { findLedgerFaults } from '../../../tests/support/ledger/faults.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { serveCalls } from '../test-support.ts';

const operatorId = randomUUID();
/** Of its own for each call: it has a deadline. */
const operator = () => callAs(operatorId, 'operator');
/** Others for each test. */
let [ana, bia] = ['', ''];
let test: TestDatabase;
let calls: ReturnType<typeof serveCalls>;

beforeAll(async () => {
  test = await createTestDatabase('wallet');
  calls = serveCalls(test);
});
beforeEach(async () => {
  [ana, bia] = [randomUUID(), randomUUID()];
  await made({ operation: Operation.DEPOSIT, amountMinor: 10_000n });
});
afterAll(async () => {
  try {
    expect(await findLedgerFaults(test)).toEqual([]);
  } finally {
    await test.drop();
  }
});

type Fields = Partial<TransactionItem>;
const ask = (fields: Fields, isDry = false): Promise<Result<CreateTransactionResponse>> =>
  calls.create({ userId: ana, idempotencyKey: randomUUID(), ...fields }, operator(), isDry);
async function made(fields: Fields, isDry = false): Promise<CreateTransactionResponse> {
  const answer = await ask(fields, isDry);
  if (!answer.ok) throw new Error(`${answer.rejection.reason}: ${answer.rejection.message}`);
  return answer.value;
}
const hold = (fields: Fields = {}): Fields => ({
  ...{ operation: Operation.HOLD, amountMinor: 5_000n, expiresInSeconds: 60n },
  ...fields,
});
const use = (operation: Operation, parentId: string, fields: Fields = {}): Fields => ({
  ...{ operation, amountMinor: undefined, parentId },
  ...fields,
});
const capture = (id: string, fields: Fields = {}) => use(Operation.CAPTURE, id, fields);
const release = (id: string, fields: Fields = {}) => use(Operation.RELEASE, id, fields);
async function place(fields: Fields = {}): Promise<string> {
  return (await made(hold(fields))).transaction?.id ?? '';
}
async function readBalance(at?: Date) {
  const request = GetBalanceRequest.fromPartial({ userId: ana, ...(at && { at }) });
  const got = await calls.balance(request, operator());
  if (!got.ok) throw new Error(got.rejection.reason);
  return got.value.wallet;
}
/** All that a refused command must leave as it is. */
const readAll = () =>
  Promise.all([
    test.query('SELECT * FROM wallets ORDER BY id'),
    test.query('SELECT * FROM transactions ORDER BY wallet_id, seq'),
    test.query('SELECT * FROM holds ORDER BY id'),
  ]);
async function expectRefused(fields: Fields, reason: string, field: string): Promise<void> {
  const before = await readAll();
  for (const isDry of [true, false]) {
    const answer = await ask(fields, isDry);
    expect(answer).toMatchObject({ ok: false, rejection: { reason, metadata: { field } } });
  }
  expect(await readAll()).toEqual(before);
}

const waiting = { timeout: 20_000 };
const dayMs = 86_400_000;
const inDays = (days: number): Date => new Date(Date.now() + days * dayMs);

describe('a hold with a bad field', () => {
  const invalid = 'INVALID_ARGUMENT';
  it.each<[name: string, fields: Fields | (() => Fields), reason: string, field: string]>([
    ['no amount', { amountMinor: undefined }, 'AMOUNT_INVALID', 'amount'],
    ['an amount of 0', { amountMinor: 0n }, 'AMOUNT_INVALID', 'amount'],
    ['an amount past the limit', { amountMinor: 10n ** 18n }, 'AMOUNT_INVALID', 'amount'],
    ['a parent', { parentId: randomUUID() }, invalid, 'parent_id'],
    ['an empty merchant', { merchant: ' ' }, invalid, 'merchant'],
    ['a merchant and a user', { merchant: 'Sol', toUserId: randomUUID() }, invalid, 'to_user_id'],
    ['a merchant and an account', { merchant: 'Sol', via: 'itau' }, invalid, 'via'],
    ['a user and an account', { toUserId: randomUUID(), via: 'itau' }, invalid, 'via'],
    ['an account that is none', { via: 'Banco Itaú' }, invalid, 'via'],
    ['a user that is no id', { toUserId: 'bia' }, invalid, 'to_user_id'],
    ['its own user', () => ({ toUserId: ana }), 'TRANSFER_TO_SELF', 'to_user_id'],
    ['0 seconds', { expiresInSeconds: 0n }, invalid, 'expires_in_seconds'],
    ['seconds below 0', { expiresInSeconds: -1n }, invalid, 'expires_in_seconds'],
    ['a second past 30 days', { expiresInSeconds: 2_592_001n }, invalid, 'expires_in_seconds'],
    ['both ends', { expiresAt: inDays(1) }, invalid, 'expires_in_seconds'],
    ['rest to keep', { keepRest: true }, invalid, 'keep_rest'],
    ['an unknown currency', { currency: 'XXX' }, 'CURRENCY_UNKNOWN', 'currency'],
    ['a reserved key', { metadata: { 'dw.expiresAt': 'never' } }, invalid, 'metadata'],
  ])('%s is refused by its field', async (_name, fields, reason, field) => {
    await expectRefused(hold(typeof fields === 'function' ? fields() : fields), reason, field);
  });

  it.each<[name: string, expiresAt: () => Date]>([
    ['the past', () => inDays(-1)],
    ['more than 30 days from now', () => inDays(30.01)],
    ['no time of a calendar', () => new Date(Number.NaN)],
    ['a year past 9999', () => new Date(Date.UTC(10_000, 1))],
  ])('an end in %s is refused', async (_name, expiresAt) => {
    const fields = hold({ expiresInSeconds: undefined, expiresAt: expiresAt() });
    await expectRefused(fields, invalid, 'expires_at');
  });

  it.each<[name: string, fields: Fields, field: string]>([
    ['an end', { expiresAt: inDays(1) }, 'expires_at'],
    ['seconds', { expiresInSeconds: 60n }, 'expires_in_seconds'],
    ['rest to keep', { keepRest: true }, 'keep_rest'],
    ['force', { force: true }, 'force'],
  ])('a deposit with %s is refused', async (_name, fields, field) => {
    const deposit = { operation: Operation.DEPOSIT, amountMinor: 1n, ...fields };
    await expectRefused(deposit, invalid, field);
  });
});

describe('a use of a hold with a bad field', () => {
  const operations = [Operation.CAPTURE, Operation.RELEASE];

  it.each(operations)('operation %s is refused by the field', async (operation) => {
    const id = await place();
    const cases: readonly [Fields, string, string][] = [
      [{ parentId: undefined }, 'INVALID_ARGUMENT', 'parent_id'],
      [{ parentId: 'no id' }, 'INVALID_ARGUMENT', 'parent_id'],
      [{ amountMinor: 0n }, 'AMOUNT_INVALID', 'amount'],
      [{ merchant: 'Sol' }, 'INVALID_ARGUMENT', 'merchant'],
      [{ toUserId: bia }, 'INVALID_ARGUMENT', 'to_user_id'],
      [{ via: 'itau' }, 'INVALID_ARGUMENT', 'via'],
      [{ expiresAt: inDays(1) }, 'INVALID_ARGUMENT', 'expires_at'],
      [{ expiresInSeconds: 1n }, 'INVALID_ARGUMENT', 'expires_in_seconds'],
      [{ force: true }, 'INVALID_ARGUMENT', 'force'],
      [{ parentId: randomUUID() }, 'HOLD_NOT_FOUND', 'parent_id'],
      [{ userId: bia }, 'HOLD_NOT_FOUND', 'parent_id'],
      [{ currency: 'EUR' }, 'HOLD_NOT_FOUND', 'parent_id'],
      [{ amountMinor: 5_001n }, 'CAPTURE_EXCEEDS_HOLD', 'amount'],
    ];
    for (const [fields, reason, field] of cases) {
      await expectRefused(use(operation, id, fields), reason, field);
    }
    await made(release(id));
    await expectRefused(use(operation, id), 'HOLD_CLOSED', 'parent_id');
    await expectRefused(use(operation, id, { amountMinor: 1n }), 'HOLD_CLOSED', 'parent_id');
  });

  it('a deposit is no hold, and only a capture keeps the rest', async () => {
    const deposit = await made({ operation: Operation.DEPOSIT, amountMinor: 1n });
    const id = await place();
    await expectRefused(capture(deposit.transaction?.id ?? ''), 'HOLD_NOT_FOUND', 'parent_id');
    await expectRefused(release(id, { keepRest: true }), 'INVALID_ARGUMENT', 'keep_rest');
  });

  it('nothing is undone of a hold or a release', async () => {
    const id = await place();
    const { transaction } = await made(release(id, { amountMinor: 1n }));
    for (const parentId of [id, transaction?.id ?? '']) {
      const undo = use(Operation.REVERSAL, parentId);
      await expectRefused(undo, 'PARENT_NOT_UNDOABLE', 'parent_id');
    }
  });
});

describe('holds', () => {
  it('a hold is placed, captured in parts and released, and each answer has the hold after it', async () => {
    const placed = await made(hold({ merchant: 'Hotel Sol' }));
    const id = placed.transaction?.id ?? '';
    expect(placed.transaction).toMatchObject({
      ...{ amountMinor: 5_000n, direction: Direction.NONE, balanceAfterMinor: 10_000n },
      ...{ heldMinor: 5_000n, heldAfterMinor: 5_000n, contraAccount: 'merchant:Hotel Sol' },
    });
    expect(placed.hold).toMatchObject({ id, state: HoldState.OPEN, leftMinor: 5_000n });
    const part = await made(capture(id, { amountMinor: 2_000n, keepRest: true }));
    expect(part.transaction).toMatchObject({
      ...{ amountMinor: 2_000n, direction: Direction.DEBIT, balanceAfterMinor: 8_000n },
      ...{ heldMinor: -2_000n, heldAfterMinor: 3_000n, parentId: id },
    });
    expect(part.hold).toMatchObject({ capturedMinor: 2_000n, leftMinor: 3_000n });
    const rest = await made(capture(id, { amountMinor: 1_000n }));
    expect(rest.transaction).toMatchObject({ heldMinor: -3_000n, heldAfterMinor: 0n });
    expect(rest.hold).toMatchObject({ state: HoldState.CAPTURED, capturedMinor: 3_000n });
    expect(rest.hold).toMatchObject({ leftMinor: 0n, closedAt: expect.any(Date) as Date });
  });

  it('a replay gets the transaction again, and the hold as it is now', async () => {
    const key = { idempotencyKey: 'k1' };
    const first = await made(hold(key));
    const id = first.transaction?.id ?? '';
    await made(capture(id, { amountMinor: 2_000n, keepRest: true }));
    const again = await made(hold(key));
    expect(again).toMatchObject({ replayed: true, transaction: { id } });
    expect(again.hold).toMatchObject({ capturedMinor: 2_000n, leftMinor: 3_000n });
  });

  it('of a dry run nothing is there', async () => {
    const before = await readAll();
    const dry = await made(hold(), true);
    expect(dry.hold).toMatchObject({ leftMinor: 5_000n, state: HoldState.OPEN });
    expect(await readAll()).toEqual(before);
  });

  it('a capture takes its currency from the hold, and pays the user that the hold is for', async () => {
    await made({ operation: Operation.DEPOSIT, amountMinor: 10_000n, currency: 'EUR' });
    const id = await place({ currency: 'EUR', toUserId: bia });
    const paid = await made(capture(id, { amountMinor: 4_000n }));
    expect(paid.transaction).toMatchObject({ currency: 'EUR', counterpartyUserId: bia });
    const request = GetBalanceRequest.fromPartial({ userId: bia, currency: 'EUR' });
    expect(await calls.balance(request, operator())).toMatchObject({
      value: { wallet: { balanceMinor: 4_000n } },
    });
    const undo = use(Operation.REVERSAL, paid.transaction?.id ?? '', { amountMinor: 1_000n });
    await made(undo);
    const list = ListTransactionsRequest.fromPartial({ userId: ana, currency: 'EUR' });
    const listed = await calls.list({ ...list, undone: true }, operator());
    expect(listed).toMatchObject({
      value: { transactions: [{ operation: Operation.CAPTURE, undoneMinor: 1_000n }] },
    });
  });

  it('a hold lasts the usual days where nothing is said, and as long as is said', async () => {
    const lastsMs = async (fields: Fields): Promise<number> => {
      const { hold: placed } = await made(hold({ amountMinor: 1n, ...fields }));
      return (placed?.expiresAt?.getTime() ?? 0) - (placed?.placedAt?.getTime() ?? 0);
    };
    expect(await lastsMs({ expiresInSeconds: undefined })).toBe(7 * dayMs);
    expect(await lastsMs({ expiresInSeconds: 2_592_000n })).toBe(30 * dayMs);
    const expiresAt = inDays(3);
    const { hold: placed } = await made(hold({ expiresInSeconds: undefined, expiresAt }));
    expect(placed?.expiresAt).toEqual(expiresAt);
  });
});

describe('a balance', () => {
  it('a balance says what is held and what can be spent, now and in lists', async () => {
    expect(await readBalance()).toMatchObject({ heldMinor: undefined, availableMinor: 10_000n });
    await place();
    await test.query(
      'UPDATE wallets SET overdraft_limit = 700, floor = -700, terms_no = 1 WHERE user_id = $1',
      [ana],
    );
    const shown = { balanceMinor: 10_000n, heldMinor: 5_000n, availableMinor: 5_700n };
    expect(await readBalance()).toMatchObject({ ...shown, overdraftLimitMinor: 700n });
    const ofUser = await calls.wallets({ userId: ana, pageSize: 10, pageToken: '' }, operator());
    expect(ofUser).toMatchObject({ value: { wallets: [shown] } });
    const all = await calls.wallets({ userId: '', pageSize: 100, pageToken: '' }, operator());
    const listed = all.ok ? all.value.wallets.find(({ userId }) => userId === ana) : undefined;
    expect(listed).toMatchObject(shown);
  });

  it('of a hold whose time is over nothing is held, though nothing has released it', async () => {
    const id = await place({ expiresInSeconds: 1n });
    await expect.poll(async () => (await readBalance())?.availableMinor, waiting).toBe(10_000n);
    expect(await readBalance()).toMatchObject({ heldMinor: undefined });
    const rows = await test.query('SELECT state FROM holds WHERE id = $1', [id]);
    expect(rows).toEqual([{ state: 'open' }]);
    // The refused command releases it: that much it changes.
    expect(await ask(capture(id))).toMatchObject({
      rejection: { reason: 'HOLD_EXPIRED', metadata: { field: 'parent_id' } },
    });
    expect(await readBalance()).toMatchObject({ balanceMinor: 10_000n, availableMinor: 10_000n });
  });

  it('a balance as of a time says what was held then, before and after the release is entered', async () => {
    const kept = await made(hold({ amountMinor: 100n }));
    const short = await made(hold({ amountMinor: 40n, expiresInSeconds: 1n }));
    const beforeEnd = new Date((short.hold?.expiresAt?.getTime() ?? 0) - 1);
    const atEnd = short.hold?.expiresAt;
    await expect.poll(async () => (await readBalance())?.heldMinor, waiting).toBe(100n);
    const read = async () => [
      (await readBalance(beforeEnd))?.heldMinor,
      (await readBalance(atEnd))?.heldMinor,
    ];
    expect(await read()).toEqual([140n, 100n]);
    await made(release(kept.transaction?.id ?? '', { amountMinor: 30n }));
    const over = [short.transaction?.id];
    const rows = await test.query('SELECT state FROM holds WHERE id = $1', over);
    expect(rows).toEqual([{ state: 'expired' }]);
    expect(await read()).toEqual([140n, 100n]);
    expect(await readBalance()).toMatchObject({ heldMinor: 70n, availableMinor: 9_930n });
    expect(await readBalance(new Date(0))).toMatchObject({ heldMinor: undefined, seq: 0n });
  });
});
