import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { walletIdOf } from '../../../../core/ids.ts';
import type { Result } from '../../../../core/reasons.ts';
import {
  SetWalletTermsRequest,
  type WalletTerms,
} from '../../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { callAs, createTestTrail, readAudit } from '../../../../tests/support/grpc/calls.ts';
import { buildCommand } from '../../../../tests/support/ledger/build-command.ts';
import { findLedgerFaults } from '../../../../tests/support/ledger/faults.ts';
import {
  createTestDatabase,
  type TestDatabase,
} from '../../../../tests/support/postgres/database.ts';
import { createOptimisticCommit } from '../../commit/optimistic-commit.ts';
import type { Command } from '../../domain.ts';
import { createKnownUsers } from '../../requests/users.ts';
import type { DefaultLimits } from '../../store/rare-states.ts';
import { listWallets } from '../../store/reads.ts';
import { createWalletCache } from '../../store/wallet-cache.ts';
import { changeStatus } from '../change-status.ts';
import { getWalletTerms } from './get-terms.ts';
import { setWalletTerms } from './set-terms.ts';

const [userId, operatorId, adminId, stranger] = [
  ...[randomUUID(), randomUUID()],
  ...[randomUUID(), randomUUID()],
] as [string, string, string, string];
const noId = '00000000-0000-0000-0000-000000000000';
const operator = callAs(operatorId, 'operator');
const admin = callAs(adminId, 'admin');
let test: TestDatabase;
let defaultLimits: DefaultLimits;
let isTermsForAdmins: boolean;

beforeEach(async () => {
  test = await createTestDatabase('wallet');
  defaultLimits = new Map();
  isTermsForAdmins = false;
});
afterEach(async () => {
  try {
    expect(await findLedgerFaults(test)).toEqual([]);
  } finally {
    await test.drop();
  }
});

const options = () => ({
  ...{ db: test.db, commitDb: test.db, defaultLimits, isTermsForAdmins, defaultCurrency: 'BRL' },
  trail: createTestTrail(test),
  users: createKnownUsers((ids) => Promise.resolve(new Set(ids.filter((id) => id !== stranger)))),
});
const set = (fields: Parameters<typeof SetWalletTermsRequest.fromPartial>[0], by = operator) =>
  setWalletTerms(options(), SetWalletTermsRequest.fromPartial({ userId, ...fields }), by);
const get = (by = operator, of = userId) =>
  getWalletTerms(options(), { userId: of, currency: '' }, by);
const limitsOf = (fields: Partial<NonNullable<WalletTerms['limits']>>) => ({
  ...{ rolling: [], timezone: '' },
  ...fields,
});

const reasonOf = (result: Result<unknown>): string =>
  result.ok
    ? 'ok'
    : `${result.rejection.reason} ${result.rejection.metadata['field'] ?? ''}`.trim();

const book = async (...commands: Command[]): Promise<string[]> => {
  const commit = createOptimisticCommit(test.db, createWalletCache(), undefined, defaultLimits);
  const answers = await commit(commands);
  return answers.map((answer) => (typeof answer === 'string' ? answer : reasonOf(answer)));
};
const withdraw = (amountMinor: bigint): Command =>
  buildCommand(userId, { operation: 'withdraw', amountMinor });

const readRow = async () => {
  const [row] = await test.query<Record<string, unknown>>(
    'SELECT terms_no, overdraft_limit, floor, limits, seq FROM wallets WHERE id = $1',
    [walletIdOf(userId, 'BRL')],
  );
  return row;
};

describe('SetWalletTerms', () => {
  it('a wallet that does not exist is opened, and can then be overdrawn', async () => {
    expect(await set({ overdraftLimitMinor: 500n, note: 'n' })).toMatchObject({
      value: { terms: { number: 1, overdraftLimitMinor: 500n, isDefault: false, uses: [] } },
    });
    expect(await readRow()).toMatchObject({ terms_no: 1, overdraft_limit: '500', floor: '-500' });
    expect(await book(withdraw(500n), withdraw(1n))).toEqual(['ok', 'INSUFFICIENT_FUNDS amount']);
  });

  it('a wallet that was opened by its terms is listed, frozen and closed as others are', async () => {
    const list = () =>
      test.db.read((tx) =>
        listWallets(tx, 'opened', { afterId: noId, onlyId: undefined, limit: 9 }),
      );
    const change = async (to: 'freeze' | 'close') =>
      reasonOf(
        await changeStatus(
          options(),
          to,
          { userId, currency: '', note: '', dryRun: false },
          operator,
        ),
      );
    expect([await change('freeze'), await list()]).toEqual(['WALLET_NOT_FOUND', []]);
    await set({ overdraftLimitMinor: 500n });
    expect((await list()).map(({ id }) => id)).toEqual([walletIdOf(userId, 'BRL')]);
    expect(await change('freeze')).toBe('ok');
    expect(await book(withdraw(1n))).toEqual(['WALLET_FROZEN']);
    expect(await change('close')).toBe('ok');
    expect(await book(withdraw(1n))).toEqual(['WALLET_CLOSED']);
  });

  it('the old and the new terms are recorded in the same commit', async () => {
    await set({ overdraftLimitMinor: 500n });
    await set({ limits: limitsOf({ dayMinor: 1_000n }), note: 'lower' });
    const lines = (await readAudit(test)).filter(({ action }) => action === 'wallet.terms');
    expect(lines.map(({ details }) => details)).toMatchObject([
      { number: '1', overdraftLimit: '5.00', previousOverdraftLimit: '0.00', limits: 'default' },
      {
        ...{ number: '2', note: 'lower', previousLimits: 'default', overdraftLimit: '5.00' },
        limits: '{"day":"1000","timezone":"UTC"}',
      },
    ]);
  });

  it('what is absent stays, and what is so already keeps its number', async () => {
    await set({ overdraftLimitMinor: 500n, limits: limitsOf({ dayMinor: 7n, timezone: 'UTC' }) });
    const same = await set({ overdraftLimitMinor: 500n });
    expect(same).toMatchObject({ value: { terms: { number: 1, limits: { dayMinor: 7n } } } });
    const cleared = await set({ clearLimits: true });
    expect(cleared).toMatchObject({
      value: { terms: { number: 2, limits: undefined, overdraftLimitMinor: 500n } },
    });
    expect(await readRow()).toMatchObject({ terms_no: 2, limits: null });
  });

  it('a number that is not the current one changes nothing', async () => {
    await set({ overdraftLimitMinor: 1n, expectedNumber: 0 });
    expect(reasonOf(await set({ overdraftLimitMinor: 2n, expectedNumber: 0 }))).toBe(
      'TERMS_CHANGED expected_number',
    );
    expect(reasonOf(await set({ overdraftLimitMinor: 2n, expectedNumber: 1 }))).toBe('ok');
    expect(await readRow()).toMatchObject({ terms_no: 2, overdraft_limit: '2' });
  });

  it('a dry run shows the terms, and neither changes nor opens anything', async () => {
    const dry = await set({ overdraftLimitMinor: 500n, dryRun: true });
    expect(dry).toMatchObject({ value: { terms: { number: 1, overdraftLimitMinor: 500n } } });
    expect(await readRow()).toBeUndefined();
    expect((await readAudit(test)).map(({ action }) => action)).toEqual(['wallet.get_terms']);
  });

  it('lowering an overdraft limit below the debt keeps the debt', async () => {
    await set({ overdraftLimitMinor: 500n });
    await book(withdraw(400n));
    expect(reasonOf(await set({ overdraftLimitMinor: 100n }))).toBe('ok');
    expect(await readRow()).toMatchObject({ overdraft_limit: '100', floor: '-500' });
    expect(await book(withdraw(1n), buildCommand(userId, { amountMinor: 350n }))).toEqual([
      'INSUFFICIENT_FUNDS amount',
      'ok',
    ]);
    expect(await book(withdraw(51n), withdraw(50n))).toEqual(['INSUFFICIENT_FUNDS amount', 'ok']);
  });

  it.each([
    ['overdraft_limit_minor', { overdraftLimitMinor: -1n }],
    ['overdraft_limit_minor', { overdraftLimitMinor: 10n ** 18n }],
    ['limits', {}],
    ['clear_limits', { clearLimits: true, limits: limitsOf({}) }],
    ['limits.day_minor', { limits: limitsOf({ dayMinor: -1n }) }],
    ['limits.per_transaction_minor', { limits: limitsOf({ perTransactionMinor: -5n }) }],
    ['limits.timezone', { limits: limitsOf({ timezone: 'Mars/Olympus' }) }],
    ['limits.rolling[0].hours', { limits: limitsOf({ rolling: [{ hours: 0, amountMinor: 1n }] }) }],
    [
      'limits.rolling[0].amount_minor',
      { limits: limitsOf({ rolling: [{ hours: 1, amountMinor: -1n }] }) },
    ],
    [
      'limits.rolling[1].hours',
      {
        limits: limitsOf({
          rolling: [
            { hours: 24, amountMinor: 1n },
            { hours: 24, amountMinor: 2n },
          ],
        }),
      },
    ],
    ['note', { overdraftLimitMinor: 1n, note: 'a \0' }],
    ['currency', { overdraftLimitMinor: 1n, currency: 'XXQ' }],
  ] as const)('refuses a wrong %s, and changes nothing', async (field, fields) => {
    const refused = await set(fields);
    const reason = field === 'currency' ? 'CURRENCY_UNKNOWN' : 'INVALID_ARGUMENT';
    expect(reasonOf(refused)).toBe(`${reason} ${field}`);
    expect(await test.query('SELECT FROM wallets')).toEqual([]);
  });

  it('staff set terms of wallets of others, and only admins if so set', async () => {
    const own = await set({ userId: operatorId, overdraftLimitMinor: 1n });
    const metadata = { field: 'user_id' };
    expect(own).toMatchObject({
      rejection: { reason: 'STAFF_OWN_WALLET', metadata, isDenial: true },
    });
    expect(reasonOf(await set({ userId: stranger, overdraftLimitMinor: 1n }))).toBe(
      'USER_NOT_FOUND user_id',
    );
    isTermsForAdmins = true;
    const denied = await set({ overdraftLimitMinor: 1n });
    expect(denied).toMatchObject({ rejection: { reason: 'PERMISSION_DENIED', isDenial: true } });
    expect(reasonOf(await set({ overdraftLimitMinor: 1n }, admin))).toBe('ok');
  });
});

describe('GetWalletTerms', () => {
  it('each limit shows what was used and is left, holds included', async () => {
    const limits = {
      ...{ perTransactionMinor: 500n, dayMinor: 1_000n },
      ...{ rolling: [{ hours: 24, amountMinor: 300n }], timezone: 'America/Sao_Paulo' },
    };
    await set({ limits });
    const placed = buildCommand(userId, {
      ...{ operation: 'hold', amountMinor: 30n, merchant: 'shop', callerClass: 'staff' },
      more: { expiresInMs: 3_600_000 },
    });
    const deposit = buildCommand(userId, { amountMinor: 900n });
    expect(await book(deposit, withdraw(250n), placed)).toEqual(['ok', 'ok', 'ok']);
    const shown = await get();
    if (!shown.ok) throw new Error(shown.rejection.message);
    const { terms, asOf } = shown.value;
    expect(terms).toMatchObject({ number: 1, limits, isDefault: false });
    const day = terms?.uses.find(({ name }) => name === 'day');
    expect(terms?.uses).toMatchObject([
      { name: 'perTransaction', limitMinor: 500n, usedMinor: 0n, leftMinor: 500n },
      { name: 'day', limitMinor: 1_000n, usedMinor: 280n, leftMinor: 720n },
      { name: 'rolling-24h', limitMinor: 300n, usedMinor: 280n, leftMinor: 20n },
    ]);
    expect(day?.resetsAt?.getTime()).toBeGreaterThan(asOf?.getTime() ?? Infinity);
    expect(await book(withdraw(21n), withdraw(20n))).toEqual(['LIMIT_EXCEEDED amount', 'ok']);
  });

  it('a wallet without limits of its own, or that does not exist, shows the default ones', async () => {
    defaultLimits = new Map([['BRL', { dayMinor: 100n, timezone: 'UTC' }]]);
    expect(await get()).toMatchObject({
      value: {
        terms: {
          ...{ number: 0, isDefault: true, overdraftLimitMinor: 0n },
          limits: { dayMinor: 100n, rolling: [], timezone: 'UTC' },
          uses: [{ name: 'day', usedMinor: 0n, leftMinor: 100n }],
        },
      },
    });
    await set({ limits: limitsOf({ dayMinor: 5n }) });
    expect(await get()).toMatchObject({ value: { terms: { isDefault: false } } });
  });

  it('customers see their own terms only', async () => {
    expect(reasonOf(await get(callAs(userId)))).toBe('ok');
    expect(await get(callAs(randomUUID()))).toMatchObject({
      rejection: { reason: 'USER_NOT_FOUND', isDenial: true },
    });
  });
});
