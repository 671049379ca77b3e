import { randomBytes, randomUUID } from 'node:crypto';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { buildCommand } from '../support/ledger/build-command.ts';
import { guessLimit, maxMailDelayMs } from '../../daemon/auth/domain.ts';
import {
  hashTypedCode,
  isCodePastBound,
  isCodeValid,
  keepCode,
} from '../../daemon/auth/mails/codes.ts';
import { appendMail, claimMail, correctMailTimes } from '../../daemon/auth/mails/store.ts';
import { takeAttempt } from '../../daemon/auth/throttling/store.ts';
import { readClock, type Db } from '../../daemon/platform/db/db.ts';
import { createLog } from '../../daemon/platform/log.ts';
import { createLease } from '../../daemon/platform/outbox/lease.ts';
import { createExport } from '../../daemon/statement/exports/create.ts';
import { claimExport, correctExportTimes } from '../../daemon/statement/exports/store-work.ts';
import { contextOf, userOf, valueOf } from '../../daemon/statement/test-support.ts';
import { createInDoubtCommits } from '../../daemon/wallet/commit/in-doubt-commits.ts';
import { noDefaultLimits } from '../../daemon/wallet/store/rare-states.ts';
import { commitLocked } from '../../daemon/wallet/commit/locked-commit.ts';
import { createWalletOpenings } from '../../daemon/wallet/commit/wallet-openings.ts';
import { getBalance } from '../../daemon/wallet/rpc/reads.ts';
import { createKnownUsers } from '../../daemon/wallet/requests/users.ts';
import { startSteppedPostgres, type SteppedPostgres } from '../support/postgres/stepped-clock.ts';

const dayS = 86_400;
let server: SteppedPostgres;
let wallet: Db;
let auth: Db;
let statement: Db;

beforeAll(async () => {
  server = await startSteppedPostgres();
  wallet = await server.open('wallet');
  auth = await server.open('auth');
  statement = await server.open('statement');
}, 120_000);
afterAll(() => server.stop());

const deposit = (userId: string, key: string) => buildCommand(userId, { key, amountMinor: 500n });

const commitContextOf = (db: Db) => ({
  ...{
    db,
    openings: createWalletOpenings(),
    inDoubt: createInDoubtCommits(),
    defaultLimits: noDefaultLimits,
  },
});

async function balanceAt(userId: string, at: Date): Promise<bigint | undefined> {
  const users = createKnownUsers((ids) => Promise.resolve(new Set(ids)));
  const options = { db: wallet, users, defaultCurrency: 'BRL' };
  const principal = {
    ...{ kind: 'user' as const, userId, role: 'customer' as const },
    ...{ sessionId: randomUUID(), apiKey: undefined },
  };
  const answer = await getBalance(
    options,
    { userId: '', currency: '', at },
    {
      ...{ requestId: 'r', principal, source: '127.0.0.1', deadlineMs: Infinity },
      isCancelled: () => false,
    },
  );
  if (!answer.ok) throw new Error(answer.rejection.reason);
  return answer.value.wallet?.balanceMinor;
}

it('the test server steps the clock of its database while it runs', async () => {
  for (const offsetS of [0, dayS, -dayS]) {
    await server.clock.step(offsetS);
    const clockMs = await wallet.read(readClock);
    expect(Math.abs(clockMs - Date.now() - offsetS * 1_000)).toBeLessThan(60_000);
  }
  await server.clock.step(0);
});

it.each([2, 600, dayS])(
  'a balance as of a time stays the same when the clock steps by %d s',
  async (s) => {
    for (const offsets of [
      [0, -s],
      [0, s],
      [s, 0],
    ]) {
      const userId = randomUUID();
      await server.clock.step(offsets[0]!);
      await commitLocked(commitContextOf(wallet), [deposit(userId, 'a')]);
      await new Promise((resolve) => setTimeout(resolve, 10));
      const at = new Date((await wallet.read(readClock)) - 1);
      expect(await balanceAt(userId, at)).toBe(500n);
      await server.clock.step(offsets[1]!);
      const { answers } = await commitLocked(commitContextOf(wallet), [deposit(userId, 'b')]);
      const [answer] = answers;
      if (typeof answer !== 'string' && answer?.ok === false) {
        expect(answer.rejection.reason).toBe('WALLET_CLOCK_AHEAD');
        expect(offsets[0]! - offsets[1]!).toBeGreaterThan(300);
      }
      expect(await balanceAt(userId, at)).toBe(500n);
      await server.clock.step(0);
      expect(await balanceAt(userId, at)).toBe(500n);
    }
  },
);

it.each([2, 600, dayS])(
  'a balance of 0 of a wallet that was never opened stays when the clock steps by %d s',
  async (s) => {
    const userId = randomUUID();
    await server.clock.step(s);
    const at = new Date((await wallet.read(readClock)) - 1);
    expect(await balanceAt(userId, at)).toBe(0n);
    await server.clock.step(0);
    const open = () => commitLocked(commitContextOf(wallet), [deposit(userId, 'a')]);
    expect((await open()).answers).toMatchObject([
      s > 300 ? { ok: false, rejection: { reason: 'WALLET_CLOCK_AHEAD' } } : { ok: true },
    ]);
    expect(await balanceAt(userId, at)).toBe(0n);
    await server.clock.step(s);
    expect((await open()).answers).toMatchObject([{ ok: true }]);
    expect(await balanceAt(userId, at)).toBe(0n);
  },
);

it.each([600, dayS])('a relay lease from a clock %d s ahead is taken over', async (s) => {
  await server.clock.step(s);
  const log = createLog('silent');
  expect(await createLease(wallet, log).hold()).toBeDefined();
  await server.clock.step(0);
  const next = createLease(wallet, log);
  expect(await next.hold()).toBeDefined();
  await next.release();
});

it('attempts while the clock is 40 days ahead block no caller afterwards', async () => {
  const bucket = randomBytes(32);
  const take = () => auth.tx((tx) => takeAttempt(tx, bucket, guessLimit));
  await server.clock.step(40 * dayS);
  for (let i = 1; i <= 5; i += 1) expect(await take()).toBe(i);
  expect(await take()).toBeUndefined();
  await server.clock.step(0);
  expect(await take()).toBe(1);
});

it('an account mail claimed while the clock was a day ahead is due once corrected', async () => {
  await auth.tx((tx) => appendMail(tx, { kind: 'any', recipient: 'ana@example.com' }));
  await server.clock.step(dayS);
  const first = await auth.tx((tx) => claimMail(tx, 60_000));
  await server.clock.step(0);
  expect(await auth.tx((tx) => claimMail(tx, 60_000))).toBeUndefined();
  expect(await auth.tx((tx) => correctMailTimes(tx, maxMailDelayMs))).toBe(1);
  expect(await auth.tx((tx) => claimMail(tx, 60_000))).toMatchObject({ id: first!.id, attempt: 2 });
});

it('a mailed code from a clock a day ahead is invalid, and recognised as such', async () => {
  await server.clock.step(dayS);
  const recipient = 'ana@example.com';
  const text = '0123-4567-89AB-CDEF-GHJK-MNPQ';
  const code = { text, mailId: randomUUID(), purpose: 'sign-up' as const, subject: recipient };
  await auth.tx((tx) => keepCode(tx, code));
  const hash = hashTypedCode(text)!;
  const isValid = () => auth.read((tx) => isCodeValid(tx, hash, 'sign-up', recipient));
  const isPastBound = () => auth.read((tx) => isCodePastBound(tx, hash, 'sign-up'));
  expect([await isValid(), await isPastBound()]).toEqual([true, false]);
  await server.clock.step(0);
  expect([await isValid(), await isPastBound()]).toEqual([false, true]);
});

it('an export claimed while the clock was a day ahead is due once corrected', async () => {
  const away = () => Promise.reject(new Error('away'));
  const readLedger = () => {
    throw new Error('away');
  };
  const options = {
    ...{
      db: statement,
      peers: { readHead: away, findUser: away, readLedger },
      defaultCurrency: 'BRL',
    },
    ...{ inlineDays: 15, canMail: false, onQueued: () => undefined },
    reporter: { report: () => Promise.resolve('') },
  };
  const asked = {
    ...{ userId: '', currency: '', fromMs: 0, toMs: 60 * dayS * 1_000, timezone: 'UTC' },
    ...{ locale: '', format: 'csv' as const, shallMail: false, hasByteOrderMark: false },
    hasHolds: false,
    ...{ idempotencyKey: '', isDryRun: false, canReuse: false },
  };
  const { made } = valueOf(await createExport(options, asked, contextOf(userOf())));
  await server.clock.step(dayS);
  expect(await statement.tx((tx) => claimExport(tx, 15_000))).toMatchObject({ id: made.id });
  await server.clock.step(0);
  expect(await statement.tx((tx) => claimExport(tx, 15_000))).toBeUndefined();
  expect(await statement.tx((tx) => correctExportTimes(tx, 120_000))).toBe(1);
  const again = await statement.tx((tx) => claimExport(tx, 15_000));
  expect(again).toMatchObject({ id: made.id, attempt: 2 });
});
