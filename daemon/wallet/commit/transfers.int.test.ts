import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { Result } from '../../../core/reasons.ts';
import { brlWalletOf, buildCommand } from '../../../tests/support/ledger/build-command.ts';
import { findLedgerFaults } from '../../../tests/support/ledger/faults.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { holdWallet } from '../../../tests/support/postgres/hold-lock.ts';
import { killConnections } from '../../../tests/support/postgres/kill-connections.ts';
import { createDb, type Db } from '../../platform/db/db.ts';
import { createLog } from '../../platform/log.ts';
import { walletsOf, type Command } from '../domain.ts';
import type { AuditedCommand, AuditedDecision } from '../requests/audited-command.ts';
import { explainDefects } from './alarms.ts';
import { createGroupCommit, type GroupCommit } from './group-commit.ts';
import { createOptimisticCommit } from './optimistic-commit.ts';

const log = createLog('silent');
let test: TestDatabase;
let db: Db;
/** Lets no command wait long for a locked wallet. */
let impatientDb: Db;
let daemons: GroupCommit<AuditedCommand, AuditedDecision>[];
/** On a slow machine too, no command is given up. */
const unlimited = { patienceMs: 30_000, busyAfterMs: 60_000 };
let patience: Partial<typeof unlimited>;

beforeEach(async () => {
  test = await createTestDatabase('wallet');
  const pool = { url: test.url, name: 'commits', maxConnections: 8, isByKey: true, log };
  db = createDb(pool);
  impatientDb = createDb({ ...pool, lockTimeoutMs: 250 });
  patience = unlimited;
  daemons = [createDaemon(db), createDaemon(db), createDaemon(db)];
});

afterEach(async () => {
  for (const daemon of daemons) await daemon.drain();
  await Promise.all([db.close(), impatientDb.close()]);
  try {
    expect(await findLedgerFaults(test)).toEqual([]);
  } finally {
    await test.drop();
  }
});

const createDaemon = (database: Db) =>
  createGroupCommit<AuditedCommand, AuditedDecision>({
    keysOf: (command) => walletsOf(command).map(({ id }) => id),
    maxCommits: 2,
    log,
    explain: explainDefects(log),
    commit: createOptimisticCommit(database),
  });

const submit = (command: Command, n = 0): Promise<Result<AuditedDecision>> => {
  const waiting = { deadlineMs: performance.now() + 30_000, isCancelled: () => false };
  return daemons[n % daemons.length]!.submit(command, { ...waiting, ...patience });
};
/** One daemon, as in production: commands on a locked wallet are given up. */
const useImpatientDaemon = (): void => {
  patience = {};
  daemons = [createDaemon(impatientDb)];
};
const deposit = (userId: string, amountMinor: bigint) =>
  buildCommand(userId, { amountMinor, callerClass: 'staff' });
const transfer = (from: string, to: string, amountMinor: bigint, fields: Partial<Command> = {}) =>
  buildCommand(from, {
    ...{ operation: 'transfer', amountMinor, more: { other: brlWalletOf(to) } },
    ...fields,
  });
const reasonOf = (result: Result<AuditedDecision>): string =>
  result.ok ? 'ok' : result.rejection.reason;
const people = (count: number): string[] => Array.from({ length: count }, () => randomUUID());

async function balancesOf(userIds: readonly string[]): Promise<(bigint | undefined)[]> {
  type Row = { user_id: string; balance: string };
  const rows = await test.query<Row>('SELECT user_id, balance FROM wallets');
  const found = new Map(rows.map((row) => [row.user_id, BigInt(row.balance)]));
  return userIds.map((userId) => found.get(userId));
}

/** The ids of transactions between users of which only one side is there. */
async function findHalves(): Promise<unknown[]> {
  return test.query(
    `SELECT id FROM transactions WHERE contra_account LIKE 'user:%'
     GROUP BY id HAVING count(*) <> 2 OR sum(amount) <> 0`,
  );
}

describe('transfers', () => {
  it('both sides are in one commit, and the payee’s wallet is opened by it', async () => {
    const [ana = '', bia = ''] = people(2);
    await submit(deposit(ana, 1_000n));
    const sent = await submit(transfer(ana, bia, 300n));
    expect(reasonOf(sent)).toBe('ok');
    expect(await balancesOf([ana, bia])).toEqual([700n, 300n]);
    expect(await findHalves()).toEqual([]);
    const rows = await test.query('SELECT count(DISTINCT xmin::text)::int AS n FROM transactions');
    expect(rows).toEqual([{ n: 2 }]);
  });

  it('a transfer that is refused opens no wallet and changes none', async () => {
    const [ana = '', bia = '', cai = ''] = people(3);
    await submit(deposit(ana, 100n));
    const refused = await Promise.all([
      submit(transfer(ana, bia, 101n)),
      submit(transfer(ana, cai, 101n), 1),
      submit(transfer(bia, cai, 1n), 2),
    ]);
    expect(refused.map(reasonOf)).toEqual(Array(3).fill('INSUFFICIENT_FUNDS'));
    expect(await balancesOf([ana, bia, cai])).toEqual([100n, undefined, undefined]);
  });

  it('200 transfers in crossing directions by three daemons keep the sum, without deadlock', async () => {
    const ring = people(10);
    await Promise.all(ring.map((userId) => submit(deposit(userId, 500n))));
    const results = await Promise.all(
      Array.from({ length: 200 }, (_, i) => {
        const [from = '', to = ''] = [ring[i % 10], ring[(i * 7 + 3) % 10]];
        return submit(transfer(from, to === from ? (ring[(i + 1) % 10] ?? '') : to, 40n), i);
      }),
    );
    const reasons = new Set(results.map(reasonOf));
    reasons.delete('INSUFFICIENT_FUNDS');
    expect([...reasons]).toEqual(['ok']);
    const balances = await balancesOf(ring);
    expect(balances.reduce((all: bigint, balance) => all + (balance ?? 0n), 0n)).toBe(5_000n);
    expect(balances.every((balance) => (balance ?? -1n) >= 0n)).toBe(true);
    expect(await findHalves()).toEqual([]);
  });

  it('50 sends of one key to three daemons have one effect, on both sides', async () => {
    const [ana = '', bia = ''] = people(2);
    await submit(deposit(ana, 1_000n));
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, i) => submit(transfer(ana, bia, 10n, { key: 'one' }), i)),
    );
    expect(new Set(results.map(reasonOf))).toEqual(new Set(['ok']));
    expect(results.filter((result) => result.ok && !result.value.isReplayed)).toHaveLength(1);
    expect(await balancesOf([ana, bia])).toEqual([990n, 10n]);
  });

  it('a key for one payee is refused for another, and nothing changes', async () => {
    const [ana = '', bia = '', cai = ''] = people(3);
    await submit(deposit(ana, 1_000n));
    await submit(transfer(ana, bia, 10n, { key: 'one' }));
    const again = await submit(transfer(ana, cai, 10n, { key: 'one' }), 1);
    expect(reasonOf(again)).toBe('IDEMPOTENCY_KEY_REUSED');
    expect(await balancesOf([ana, bia, cai])).toEqual([990n, 10n, undefined]);
  });

  it('connections that are killed leave both sides or none', async () => {
    const ring = people(6);
    await Promise.all(ring.map((userId) => submit(deposit(userId, 1_000n))));
    const sent = Array.from({ length: 300 }, (_, i) =>
      submit(transfer(ring[i % 6] ?? '', ring[(i + 1 + (i % 4)) % 6] ?? '', 3n), i),
    );
    let done = 0;
    for (const each of sent) void each.then(() => (done += 1));
    const kills = killConnections(test, () => done);
    const results = await Promise.all(sent).finally(() => kills.stop());
    expect(new Set(results.map(reasonOf))).toEqual(new Set(['ok']));
    const balances = await balancesOf(ring);
    expect(balances.reduce((all: bigint, balance) => all + (balance ?? 0n), 0n)).toBe(6_000n);
    expect(await findHalves()).toEqual([]);
  });

  it('while the payee’s wallet is locked, transfers to it are busy and all others go on', async () => {
    useImpatientDaemon();
    const [ana = '', bia = '', cai = ''] = people(3);
    await Promise.all([ana, bia, cai].map((userId) => submit(deposit(userId, 100n))));
    const free = await holdWallet(test.superUrl, bia);
    const stuck = submit(transfer(ana, bia, 10n));
    const others = await Promise.all([
      submit(deposit(cai, 1n)),
      submit(transfer(cai, randomUUID(), 1n)),
    ]);
    expect(others.map(reasonOf)).toEqual(['ok', 'ok']);
    expect(reasonOf(await stuck)).toBe('WALLET_BUSY');
    await free();
    expect(reasonOf(await submit(transfer(ana, bia, 10n)))).toBe('ok');
    expect(await balancesOf([ana, bia, cai])).toEqual([90n, 110n, 100n]);
  });
});

it('behind a transfer to a locked wallet, the payer’s other commands are done', async () => {
  useImpatientDaemon();
  const [ana = '', bia = ''] = people(2);
  await Promise.all([ana, bia].map((userId) => submit(deposit(userId, 100n))));
  const free = await holdWallet(test.superUrl, bia);
  // In one batch, in this order, again and again.
  const sent: Promise<Result<AuditedDecision>>[][] = [];
  for (let i = 0; i < 5; i += 1) {
    sent.push([submit(transfer(ana, bia, 1n)), submit(deposit(ana, 1n))]);
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  const answers = (await Promise.all(sent.map((pair) => Promise.all(pair)))).flat();
  expect(answers.map(reasonOf)).toEqual(Array(5).fill(['WALLET_BUSY', 'ok']).flat());
  await free();
  expect(await balancesOf([ana, bia])).toEqual([105n, 100n]);
});

describe('undos of parts', () => {
  it('of 20 undos of 30 each of a purchase of 400, by three daemons, 13 fit', async () => {
    const [ana = ''] = people(1);
    await submit(deposit(ana, 400n));
    const bought = buildCommand(ana, { operation: 'purchase', amountMinor: 400n });
    await submit(bought);
    const part = () =>
      buildCommand(ana, {
        ...{ operation: 'cancellation', amountMinor: 30n, parentId: bought.transactionId },
      });
    const results = await Promise.all(Array.from({ length: 20 }, (_, i) => submit(part(), i)));
    expect(results.filter((result) => result.ok)).toHaveLength(13);
    expect(await balancesOf([ana])).toEqual([390n]);
    const rest = buildCommand(ana, {
      ...{ operation: 'reversal', amountMinor: undefined, parentId: bought.transactionId },
    });
    expect(reasonOf(await submit(rest, 1))).toBe('ok');
    expect(reasonOf(await submit(part(), 2))).toBe('PARENT_ALREADY_UNDONE');
    expect(await balancesOf([ana])).toEqual([400n]);
  });

  it('a transfer is undone in parts on both sides, only as far as the payee has the money', async () => {
    const [ana = '', bia = ''] = people(2);
    await submit(deposit(ana, 100n));
    const sent = transfer(ana, bia, 100n);
    await submit(sent);
    await submit(buildCommand(bia, { operation: 'withdraw', amountMinor: 70n }), 1);
    const undo = (amountMinor: bigint | undefined, isForced = false) =>
      buildCommand(ana, {
        ...{ operation: 'reversal', amountMinor, parentId: sent.transactionId },
        ...{ callerClass: 'staff', more: { other: brlWalletOf(bia), isForced } },
      });
    const refused = await submit(undo(undefined), 2);
    expect(refused).toMatchObject({
      ok: false,
      rejection: { reason: 'INSUFFICIENT_FUNDS', metadata: { walletId: brlWalletOf(bia).id } },
    });
    expect(reasonOf(await submit(undo(30n)))).toBe('ok');
    expect(await balancesOf([ana, bia])).toEqual([30n, 0n]);
    expect(reasonOf(await submit(undo(undefined, true), 1))).toBe('ok');
    expect(await balancesOf([ana, bia])).toEqual([100n, -70n]);
    const rows = await test.query(
      `SELECT parent_used, parent_amount FROM transactions
       WHERE parent_id = $1 ORDER BY wallet_id, seq`,
      [sent.transactionId],
    );
    const uses = ['30', null, '30', null].sort();
    expect(rows.map((row) => row['parent_used'] as string | null).sort()).toEqual(uses);
    // The floor has fallen to where the forced undo left it, and no further.
    await expect(
      test.query('UPDATE wallets SET balance = -71 WHERE user_id = $1', [bia]),
    ).rejects.toThrow('check constraint');
  });

  it('the database refuses a second use of the same part, and more than the parent has', async () => {
    const [ana = ''] = people(1);
    await submit(deposit(ana, 100n));
    const bought = buildCommand(ana, { operation: 'purchase', amountMinor: 60n });
    await submit(bought);
    const insert = (used: number, amount: number) =>
      test.query(
        `INSERT INTO transactions (wallet_id, seq, id, operation, amount, balance_after,
           contra_account, parent_id, source, actor, occurred_at, hash, debited_after,
           parent_used, parent_amount)
         SELECT wallet_id, 100 + $3::int, gen_random_uuid(), 4, $3::int, 0, contra_account, id,
           source, actor, occurred_at, '\\x00', 0, nullif($2::int, 0), 60
         FROM transactions WHERE id = $1`,
        [bought.transactionId, used, amount],
      );
    await insert(0, 20);
    await expect(insert(0, 21)).rejects.toThrow('transactions_uses');
    await expect(insert(20, 41)).rejects.toThrow('transactions_parent_check');
    await test.query('DELETE FROM transactions WHERE seq > 100');
  });
});
