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

const [ana, bia, eva] = [randomUUID(), randomUUID(), randomUUID()] as const;
const operatorId = randomUUID();
/** Of its own for each call: it has a deadline. */
const operator = () => callAs(operatorId, 'operator');
const key = (fields: Parameters<typeof callAs>[2]) => callAs(randomUUID(), 'operator', fields);
const notAllowed = 'OPERATION_NOT_ALLOWED, denied';
const own = 'STAFF_OWN_WALLET, denied';

let test: TestDatabase;
let calls: ReturnType<typeof serveCalls>;
beforeEach(async () => {
  test = await createTestDatabase('wallet');
  calls = serveCalls(test);
  for (const userId of [ana, eva]) {
    await calls.create({ userId, amountMinor: 1_000n }, operator());
  }
});
afterEach(() => test.drop());

const hold = (fields: Partial<TransactionItem> = {}) => ({
  ...{ userId: ana, operation: Operation.HOLD, amountMinor: 100n, idempotencyKey: randomUUID() },
  ...fields,
});
const use = (operation: Operation, parentId: string, userId: string = ana) => ({
  ...{ userId, operation, parentId, amountMinor: undefined, idempotencyKey: randomUUID() },
});
async function place(fields: Partial<TransactionItem> = {}): Promise<string> {
  const placed = await calls.create(hold(fields), operator());
  if (!placed.ok) throw new Error(placed.rejection.reason);
  return placed.value.transaction?.id ?? '';
}
const count = async () =>
  (await test.query<{ n: number }>('SELECT count(*)::int AS n FROM transactions'))[0]?.n;

describe('holds', () => {
  it('customers neither place nor use them, whatever is open to customers, nor force', async () => {
    const id = await place();
    const before = await count();
    for (const context of [callAs(ana), { ...callAs(ana), isLocal: true }]) {
      const ask = async (fields: Partial<TransactionItem>, isDry: boolean) =>
        verdictOf(await calls.create({ ...fields, userId: '' }, context, isDry));
      for (const isDry of [true, false]) {
        expect(await ask(hold(), isDry)).toBe(notAllowed);
        expect(await ask(use(Operation.CAPTURE, id), isDry)).toBe(notAllowed);
        expect(await ask(use(Operation.RELEASE, id), isDry)).toBe(notAllowed);
        const forced = { operation: Operation.WITHDRAW, amountMinor: 1n, force: true };
        expect(await ask(forced, isDry)).toBe(notAllowed);
      }
    }
    expect(await count()).toBe(before);
  });

  it('staff place none on a wallet of theirs, nor in their own favour', async () => {
    const staff = callAs(eva, 'operator');
    for (const isDry of [true, false]) {
      expect(verdictOf(await calls.create(hold({ userId: eva }), staff, isDry))).toBe(own);
      expect(verdictOf(await calls.create(hold({ toUserId: eva }), staff, isDry))).toBe(own);
      expect(verdictOf(await calls.create(hold({ toUserId: bia }), staff, isDry))).toBe('ok');
    }
  });

  it('staff capture none that pays them, nor use one of a wallet of theirs', async () => {
    const staff = callAs(eva, 'operator');
    const forEva = await place({ toUserId: eva });
    const ofEva = await place({ userId: eva });
    for (const isDry of [true, false]) {
      const ask = async (operation: Operation, id: string, userId: string) =>
        verdictOf(await calls.create(use(operation, id, userId), staff, isDry));
      expect(await ask(Operation.CAPTURE, forEva, ana)).toBe(own);
      expect(await ask(Operation.CAPTURE, ofEva, eva)).toBe(own);
      expect(await ask(Operation.RELEASE, ofEva, eva)).toBe(own);
    }
    expect(verdictOf(await calls.create(use(Operation.CAPTURE, forEva), operator()))).toBe('ok');
  });

  it('an API key does the operations that it is for, on the wallet that it is for', async () => {
    const id = await place();
    const captures = key({ operations: ['capture'] });
    expect(verdictOf(await calls.create(hold(), captures))).toBe(notAllowed);
    expect(verdictOf(await calls.create(use(Operation.RELEASE, id), captures))).toBe(notAllowed);
    expect(verdictOf(await calls.create(use(Operation.CAPTURE, id), captures))).toBe('ok');
    const ofBia = key({ walletId: walletIdOf(bia, 'BRL') });
    expect(verdictOf(await calls.create(hold(), ofBia))).toMatch(/, denied$/);
    // It pays others from its own wallet.
    const ofAna = key({ walletId: walletIdOf(ana, 'BRL') });
    const forBia = await calls.create(hold({ toUserId: bia }), ofAna);
    const placed = forBia.ok ? (forBia.value.transaction?.id ?? '') : '';
    expect(verdictOf(await calls.create(use(Operation.CAPTURE, placed), ofAna))).toBe('ok');
    const foreign = await place({ userId: eva });
    expect(verdictOf(await calls.create(use(Operation.CAPTURE, foreign, eva), ofAna))).toMatch(
      /, denied$/,
    );
  });
});
