import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { walletIdOf } from '../../../core/ids.ts';
import {
  HoldState,
  ListHoldsRequest,
  type Hold,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { callAs } from '../../../tests/support/grpc/calls.ts';
import { buildCommand, walletRefOf } from '../../../tests/support/ledger/build-command.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { createOptimisticCommit } from '../commit/optimistic-commit.ts';
import type { Command } from '../domain.ts';
import { createKnownUsers } from '../requests/users.ts';
import { getHold, listHolds } from './holds.ts';

const [ana, bia] = [randomUUID(), randomUUID()] as [string, string];
const operator = callAs(randomUUID(), 'operator');
let test: TestDatabase;

beforeEach(async () => {
  test = await createTestDatabase('wallet');
});
afterEach(() => test.drop());

const options = () => ({
  ...{ db: test.db, defaultCurrency: 'BRL' },
  users: createKnownUsers((ids) => Promise.resolve(new Set(ids))),
});
const list = async (fields: Partial<ListHoldsRequest> = {}, by = operator) => {
  const listed = await listHolds(options(), ListHoldsRequest.fromPartial(fields), by);
  if (!listed.ok) throw new Error(listed.rejection.reason);
  return listed.value;
};
const get = (holdId: string, by = operator, userId = '') =>
  getHold(options(), { holdId, userId }, by);

const hold = (userId: string, expiresInMs: number, amountMinor = 10n): Command =>
  buildCommand(userId, {
    ...{ operation: 'hold', amountMinor, merchant: 'shop', callerClass: 'staff' },
    more: { expiresInMs },
  });
const use = (
  operation: 'capture' | 'release',
  { wallet, transactionId }: Command,
  fields: Partial<Command> = {},
): Command =>
  buildCommand(wallet.userId, {
    ...{ operation, amountMinor: undefined, parentId: transactionId, callerClass: 'staff' },
    ...fields,
  });

const minuteMs = 60_000;

/** Of Ana one hold in each state and two open ones; one that is over, and not released yet; Bia's. */
async function placeHolds() {
  const book = createOptimisticCommit(test.db);
  const [first, second] = [hold(ana, 10 * minuteMs), hold(ana, 20 * minuteMs)];
  const [captured, released] = [hold(ana, 5 * minuteMs), hold(ana, 15 * minuteMs)];
  const [over, other] = [hold(ana, 20, 7n), hold(bia, 12 * minuteMs)];
  await book([ana, bia].map((userId) => buildCommand(userId, { amountMinor: 1_000n })));
  await book([first, second, captured, released, other]);
  const part = use('capture', first, { amountMinor: 4n, more: { keepsRest: true } });
  await book([part, use('capture', captured), use('release', released)]);
  await book([over]);
  await vi.waitFor(
    async () => {
      const shown = await get(over.transactionId);
      expect(shown).toMatchObject({ value: { hold: { state: HoldState.EXPIRED } } });
    },
    { timeout: 20_000, interval: 10 },
  );
  return { first, second, captured, released, over, other };
}

const idsOf = (holds: readonly Hold[]): string[] => holds.map(({ id }) => id);
const named = (...commands: Command[]): string[] =>
  commands.map(({ transactionId }) => transactionId);

describe('ListHolds', () => {
  it('holds of a wallet are listed in order of expiry, by state and in pages', async () => {
    const { first, second, captured, released, over, other } = await placeHolds();
    const all = named(over, captured, first, released, second);
    expect(idsOf((await list({ userId: ana })).holds)).toEqual(all);
    for (const [state, expected] of [
      [HoldState.OPEN, named(first, second)],
      [HoldState.CAPTURED, named(captured)],
      [HoldState.RELEASED, named(released)],
      [HoldState.EXPIRED, named(over)],
    ] as const) {
      expect(idsOf((await list({ userId: ana, state })).holds)).toEqual(expected);
    }
    const paged: string[] = [];
    for (let pageToken = ''; ;) {
      const { holds, nextPageToken } = await list({ userId: ana, pageSize: 2, pageToken });
      expect(holds.length).toBeLessThanOrEqual(2);
      paged.push(...idsOf(holds));
      if (nextPageToken === '') break;
      pageToken = nextPageToken;
    }
    expect(paged).toEqual(all);
    expect(idsOf((await list({ state: HoldState.OPEN })).holds)).toEqual(
      named(first, other, second),
    );
  });

  it('staff list the holds of all wallets in a currency', async () => {
    const { first, second, other } = await placeHolds();
    const euro = buildCommand(ana, { wallet: walletRefOf(ana, 'EUR'), amountMinor: 50n });
    const held = { ...hold(ana, 11 * minuteMs), wallet: walletRefOf(ana, 'EUR') };
    const book = createOptimisticCommit(test.db);
    await book([euro]);
    await book([held]);
    const state = HoldState.OPEN;
    const inEuro = await list({ currency: 'EUR', state });
    expect(idsOf(inEuro.holds)).toEqual(named(held));
    expect(idsOf((await list({ currency: 'BRL', state })).holds)).toEqual(
      named(first, other, second),
    );
    expect(idsOf((await list({ state })).holds)).toEqual(named(first, held, other, second));
    const paged = await list({ currency: 'BRL', state, pageSize: 1 });
    const { nextPageToken: pageToken } = paged;
    expect(idsOf((await list({ currency: 'BRL', state, pageToken })).holds)).toEqual(
      named(other, second),
    );
    await expect(list({ currency: 'EUR', state, pageToken })).rejects.toThrow('PAGE_TOKEN_INVALID');
    await expect(list({ currency: 'XXX' })).rejects.toThrow('CURRENCY_UNKNOWN');
  });

  it('customers see their own holds only', async () => {
    const { other } = await placeHolds();
    expect(idsOf((await list({}, callAs(bia))).holds)).toEqual(named(other));
    await expect(list({ userId: ana }, callAs(bia))).rejects.toThrow('USER_NOT_FOUND');
  });

  it('an API key for one wallet lists the holds of that one', async () => {
    const { other } = await placeHolds();
    const key = callAs(randomUUID(), 'operator', { walletId: walletIdOf(bia, 'BRL') });
    expect(idsOf((await list({}, key)).holds)).toEqual(named(other));
    expect(idsOf((await list({ currency: 'BRL' }, key)).holds)).toEqual(named(other));
    expect(await list({ currency: 'EUR' }, key)).toMatchObject({ holds: [], nextPageToken: '' });
  });
});

describe('GetHold', () => {
  it('a hold shows what was captured and what is left', async () => {
    const { first, captured, over } = await placeHolds();
    expect(await get(first.transactionId)).toMatchObject({
      value: {
        hold: {
          ...{ userId: ana, currency: 'BRL', amountMinor: 10n, capturedMinor: 4n, leftMinor: 6n },
          ...{ state: HoldState.OPEN, contraAccount: 'merchant:shop', closedAt: undefined },
        },
      },
    });
    expect(await get(captured.transactionId)).toMatchObject({
      value: { hold: { state: HoldState.CAPTURED, capturedMinor: 10n, leftMinor: 0n } },
    });
    // Its time is over, and its release has not been entered.
    expect(await test.query("SELECT FROM holds WHERE state = 'expired'")).toEqual([]);
    expect(await get(over.transactionId)).toMatchObject({
      value: { hold: { state: HoldState.EXPIRED, capturedMinor: 0n, leftMinor: 0n } },
    });
  });

  it('a foreign hold is answered as one that does not exist', async () => {
    const { first, other } = await placeHolds();
    const notFound = { rejection: { reason: 'HOLD_NOT_FOUND' } };
    expect(await get(first.transactionId, callAs(bia))).toMatchObject(notFound);
    expect(await get(randomUUID(), callAs(bia))).toMatchObject(notFound);
    expect((await get(other.transactionId, callAs(bia))).ok).toBe(true);
    expect(await get(first.transactionId, operator, bia)).toMatchObject(notFound);
    const key = callAs(randomUUID(), 'operator', { walletId: walletIdOf(bia, 'BRL') });
    expect(await get(first.transactionId, key)).toMatchObject(notFound);
    expect(await get('x')).toMatchObject({ rejection: { reason: 'INVALID_ARGUMENT' } });
  });
});
