import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { walletIdOf } from '../../core/ids.ts';
import {
  Operation,
  type TransactionItem,
} from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { callAs } from '../../tests/support/grpc/calls.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/support/postgres/database.ts';
import { serveCalls, verdictOf } from './test-support.ts';

const operatorId = randomUUID();
const operator = callAs(operatorId, 'operator');
let test: TestDatabase;

beforeEach(async () => {
  test = await createTestDatabase('wallet');
});
afterEach(() => test.drop());

const serve = () => serveCalls(test);

describe('transfers', () => {
  const [ana, bia, eva] = [randomUUID(), randomUUID(), randomUUID()] as const;
  const to = (toUserId: string, fields: Partial<TransactionItem> = {}) => ({
    ...{ operation: Operation.TRANSFER, amountMinor: 100n, toUserId, idempotencyKey: randomUUID() },
    ...fields,
  });
  const undoOf = (parentId: string, userId: string) => ({
    ...{ operation: Operation.REVERSAL, amountMinor: undefined, parentId, userId },
    idempotencyKey: randomUUID(),
  });

  it('customers pay from their own wallet only, and take no transfer back', async () => {
    const { create } = serve();
    await create({}, callAs(ana));
    const paid = await create(to(bia), callAs(ana));
    expect(paid).toMatchObject({ value: { transaction: { userId: ana, amountMinor: 100n } } });
    expect(verdictOf(await create(to(ana, { userId: bia }), callAs(ana)))).toBe(
      'USER_NOT_FOUND, denied',
    );
    const id = paid.ok ? (paid.value.transaction?.id ?? '') : '';
    for (const owner of [ana, bia]) {
      expect(verdictOf(await create(undoOf(id, ''), callAs(owner)))).toBe('PARENT_NOT_UNDOABLE');
    }
  });

  it('customers and their API keys force nothing', async () => {
    const { create } = serve();
    const deposit = await create({}, callAs(ana));
    const id = deposit.ok ? (deposit.value.transaction?.id ?? '') : '';
    await create({ operation: Operation.WITHDRAW, idempotencyKey: randomUUID() }, callAs(ana));
    const forced = { ...undoOf(id, ''), force: true };
    const key = { keyId: 'k', scopes: ['transactions:write'], operations: [], walletId: undefined };
    for (const caller of [callAs(ana), callAs(ana, 'customer', key)]) {
      for (const isDry of [true, false]) {
        const verdict = verdictOf(await create(forced, caller, isDry));
        expect(verdict).toBe('OPERATION_NOT_ALLOWED, denied');
      }
    }
    const owner = { ...undoOf(id, ana), force: true };
    expect(verdictOf(await create(owner, operator))).toBe('ok');
  });

  it('staff pay between any two wallets, neither of which is theirs', async () => {
    const { create } = serve();
    const staff = callAs(eva, 'operator');
    await create({ userId: ana }, operator);
    await create({ userId: eva }, operator);
    const own = 'STAFF_OWN_WALLET, denied';
    for (const isDry of [true, false]) {
      expect(verdictOf(await create(to(bia, { userId: ana }), staff, isDry))).toBe('ok');
      expect(verdictOf(await create(to(eva, { userId: ana }), staff, isDry))).toBe(own);
      expect(verdictOf(await create(to(ana, { userId: eva }), staff, isDry))).toBe(own);
    }
    const fieldOf = async (item: Parameters<typeof create>[0]) => {
      const refused = await create(item, staff);
      return refused.ok ? 'none' : refused.rejection.metadata['field'];
    };
    expect(await fieldOf(to(eva, { userId: ana }))).toBe('to_user_id');
    expect(await fieldOf(to(ana, { userId: eva }))).toBe('user_id');
    // An undo that would pay the staff member, and one that would take from them.
    for (const [from, payee] of [
      [eva, ana],
      [ana, eva],
    ] as const) {
      const paid = await create(to(payee, { userId: from }), operator);
      const id = paid.ok ? (paid.value.transaction?.id ?? '') : '';
      for (const owner of [from, payee]) {
        expect(verdictOf(await create(undoOf(id, owner), staff, true))).toBe(own);
        expect(verdictOf(await create(undoOf(id, owner), staff))).toBe(own);
        expect(await fieldOf(undoOf(id, owner))).toBe(owner === eva ? 'user_id' : 'parent_id');
      }
      expect(verdictOf(await create(undoOf(id, from), operator))).toBe('ok');
    }
  });

  it('a key for one wallet pays from it to any, and takes nothing from others', async () => {
    const { create } = serve();
    for (const userId of [ana, bia]) await create({ userId }, operator);
    const key = callAs(operatorId, 'operator', { walletId: walletIdOf(ana, 'BRL') });
    const denied = 'PERMISSION_DENIED, denied';
    expect(verdictOf(await create(to(bia, { userId: ana }), key))).toBe('ok');
    expect(verdictOf(await create(to(eva, { userId: ana }), key))).toBe('ok');
    expect(verdictOf(await create(to(ana, { userId: bia }), key))).toBe(denied);
    const [out, back] = [
      await create(to(bia, { userId: ana }), operator),
      await create(to(ana, { userId: bia }), operator),
    ];
    const idOf = (made: typeof out) => (made.ok ? (made.value.transaction?.id ?? '') : '');
    // What it paid stays paid, and what it got it can give back.
    expect(verdictOf(await create(undoOf(idOf(out), ana), key))).toBe(denied);
    expect(verdictOf(await create(undoOf(idOf(back), ana), key))).toBe('ok');
    const deposits = callAs(operatorId, 'operator', { operations: ['deposit'] });
    expect(verdictOf(await create(to(bia, { userId: ana }), deposits))).toBe(
      'OPERATION_NOT_ALLOWED, denied',
    );
  });

  it('one answer hides why a wallet cannot be paid, in a dry run too', async () => {
    const { create, freeze } = serve();
    await create({}, callAs(ana));
    await create({}, callAs(bia));
    const answers: unknown[] = [];
    for (const debitsOnly of [false, true]) {
      const request = { userId: bia, currency: 'BRL', note: '', dryRun: false, debitsOnly };
      await freeze(request, operator);
      for (const isDry of [true, false]) answers.push(await create(to(bia), callAs(ana), isDry));
    }
    const [first, second, third, fourth] = answers as Awaited<ReturnType<typeof create>>[];
    expect(first).toMatchObject({ rejection: { reason: 'RECIPIENT_UNAVAILABLE' } });
    expect(second).toEqual(first);
    // Its debits alone are frozen.
    expect([third?.ok, fourth?.ok]).toEqual([true, true]);
    const frozen = { userId: bia, currency: 'BRL', note: '', dryRun: false, debitsOnly: false };
    await freeze(frozen, operator);
    expect(verdictOf(await create(to(bia, { userId: ana }), operator))).toBe('WALLET_FROZEN');
    // Without the money nothing is learnt of the payee.
    const tooMuch = to(bia, { amountMinor: 100_000n });
    expect(verdictOf(await create(tooMuch, callAs(ana), true))).toBe('INSUFFICIENT_FUNDS');
  });
});
