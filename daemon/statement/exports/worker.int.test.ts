import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import type { UserPrincipal } from '../../platform/access/access.ts';
import type { Db } from '../../platform/db/db.ts';
import { createLog } from '../../platform/log.ts';
import {
  contextOf,
  createStatementWorld,
  startMs,
  userOf,
  valueOf,
  type StatementWorld,
} from '../test-support.ts';
import { insertLines } from '../store.ts';
import { readExtent } from '../store-extent.ts';
import { createExport } from './create.ts';
import { maxAttempts, type Export } from './export-domain.ts';
import { readFile } from './read-file.ts';
import { holdTransactions } from './test-support.ts';
import * as work from './store-work.ts';
import * as store from './export-store.ts';
import { createExportWorker, type ExportWorker } from './worker.ts';
import { abandoned, writeFile } from './write-file.ts';

const log = createLog('silent');
let database: TestDatabase;
let world: StatementWorld;
let ana: UserPrincipal;
let workers: ExportWorker[];

beforeEach(async () => {
  database = await createTestDatabase('statement');
  world = createStatementWorld(database);
  ana = world.know(userOf());
  workers = [];
});

afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.stop()));
  await database.drop();
});

type Peers = Parameters<typeof createExportWorker>[0]['peers'];

function startWorker(
  peers: Peers = world.peers,
  leaseMs = 60_000,
  db: Db = database.db,
): ExportWorker {
  const worker = createExportWorker({
    ...{ db, peers, mailer: undefined, retentionDays: 30, log, leaseMs },
    reporter: world.reporter,
    pollMs: 30,
    onReady: () => undefined,
  });
  workers.push(worker);
  worker.start();
  return worker;
}

const dayMs = 86_400_000;
async function order(principal = ana, userId = ''): Promise<Export> {
  const options = {
    ...{ db: database.db, peers: world.peers, reporter: world.reporter },
    ...{ defaultCurrency: 'BRL', inlineDays: 15 },
    ...{ canMail: false, onQueued: () => undefined },
  };
  const asked = {
    ...{ userId, currency: '', fromMs: startMs, toMs: startMs + 365 * dayMs, timezone: 'UTC' },
    ...{ locale: '', format: 'csv' as const, shallMail: false, hasByteOrderMark: false },
    hasHolds: false,
    ...{ idempotencyKey: '', isDryRun: false, canReuse: false },
  };
  return valueOf(await createExport(options, asked, contextOf(principal))).made;
}

const find = async (id: string): Promise<Export> =>
  (await database.db.read((tx) => store.findExport(tx, id)))!;
const until = (id: string, status: Export['status']) =>
  vi.waitFor(async () => expect((await find(id)).status).toBe(status), {
    timeout: 20_000,
    interval: 20,
  });
const chunkAttempts = async (id: string) =>
  (
    await database.query<{ attempt: number }>(
      'SELECT DISTINCT attempt FROM export_chunks WHERE export_id = $1',
      [id],
    )
  ).map(({ attempt }) => attempt);

async function checkFile(made: Export): Promise<void> {
  const hash = createHash('sha256');
  let bytes = 0n;
  for await (const chunk of readFile(database.db, made)) {
    hash.update(chunk);
    bytes += BigInt(chunk.length);
  }
  expect(bytes).toBe(made.byteCount);
  expect(hash.digest().equals(made.sha256!)).toBe(true);
}

describe('superseded attempts', () => {
  it('an export attempt that was taken over writes no chunk and no end, however late', async () => {
    await world.fill(ana.userId, 10);
    const { id } = await order();
    const { db } = database;
    const old = (await db.tx((tx) => work.claimExport(tx, 0)))!;
    expect(old).toMatchObject({ id, attempt: 1, status: 'running' });
    const fresh = (await db.tx((tx) => work.claimExport(tx, 60_000)))!;
    expect(fresh.attempt).toBe(2);
    // Held by the new one: no other worker takes it.
    expect(await db.tx((tx) => work.claimExport(tx, 60_000))).toBeUndefined();
    const file = { rows: 1n, bytes: 1n, sha256: randomBytes(32) };
    expect(await db.tx((tx) => work.renewExport(tx, old, 60_000, 5n))).toBe(false);
    expect(
      await db.tx((tx) => work.pinExport(tx, old, { throughSeq: 3n, range: old.range }, 3n)),
    ).toBe(false);
    expect(await db.tx((tx) => work.finishExport(tx, old, file, 30))).toBe(false);
    expect(await db.tx((tx) => work.failExport(tx, old, 'late', 'failed'))).toBe(false);
    await db.tx((tx) => work.releaseExport(tx, old, 'late', 0));
    const extent = await db.snapshot((tx) => readExtent(tx, old.walletId, old.range, 10n));
    const written = await writeFile({ db, leaseMs: 60_000, isWanted: () => true }, old, extent);
    expect(written).toBe(abandoned);
    expect(await chunkAttempts(id)).toEqual([]);
    expect(await find(id)).toMatchObject({ status: 'running', attempt: 2, rowsDone: 0n });
  });

  it('an export of a silent worker is taken over, and its late end changes nothing', async () => {
    await world.fill(ana.userId, 20_000, { stepMs: 60_000 });
    const { id } = await order();
    // Stands still in the middle of its work, with its lease running out: what a freeze looks like.
    let thaw: () => void = () => undefined;
    const frozen = new Promise<void>((resolve) => (thaw = resolve));
    const { db } = database;
    let reads = 0;
    const whenThawed = () => (reads > 2 ? frozen : Promise.resolve());
    const freezing: Db = {
      ...db,
      tx: async (run) => {
        await whenThawed();
        return db.tx(run);
      },
      read: async (run) => {
        reads += 1;
        await whenThawed();
        return db.read(run);
      },
    };
    const slow = createExportWorker({
      ...{
        db: freezing,
        peers: world.peers,
        reporter: world.reporter,
        mailer: undefined,
        retentionDays: 30,
        log,
      },
      ...{ pollMs: 10_000, leaseMs: 400, onReady: () => undefined },
    });
    workers.push(slow);
    slow.start();
    await vi.waitFor(async () => expect(await chunkAttempts(id)).toEqual([1]), { timeout: 20_000 });
    expect((await find(id)).status).toBe('running');
    startWorker();
    await until(id, 'done');
    const done = await find(id);
    expect(done).toMatchObject({ attempt: 2, rowCount: 20_000n, rowsDone: 20_000n });
    expect(await chunkAttempts(id)).toEqual([2]);
    thaw();
    await slow.stop();
    expect(await find(id)).toEqual(done);
    expect(await chunkAttempts(id)).toEqual([2]);
    await checkFile(done);
  });

  it('four workers make each of twelve exports once', async () => {
    await world.fill(ana.userId, 50);
    const ids = [];
    for (let i = 0; i < 12; i += 1) ids.push((await order()).id);
    for (let i = 0; i < 4; i += 1) startWorker();
    for (const id of ids) {
      await until(id, 'done');
      expect(await find(id)).toMatchObject({ attempt: 1, rowsDone: 50n });
    }
  });
});

describe('export worker', () => {
  it('an export worker that stops releases its exports, and another one makes them', async () => {
    await world.fill(ana.userId, 30_000, { stepMs: 60_000 });
    const { id } = await order();
    // Gets no further than its first chunk before it is stopped.
    const isFirst = async () => (await chunkAttempts(id)).length > 0;
    const { db: slowDb, release } = holdTransactions(database.db, isFirst);
    const first = startWorker(world.peers, 60_000, slowDb);
    await vi.waitFor(async () => expect(await chunkAttempts(id)).toEqual([1]), {
      timeout: 20_000,
      interval: 5,
    });
    const stopped = first.stop();
    release();
    await stopped;
    expect(await find(id)).toMatchObject({ status: 'queued', attempt: 1 });
    startWorker();
    await until(id, 'done');
    expect(await find(id)).toMatchObject({ attempt: 2, rowsDone: 30_000n });
    expect(await chunkAttempts(id)).toEqual([2]);
    await checkFile(await find(id));
  });

  it('an export worker waits for the projection, reports its lag, and then goes on', async () => {
    const { lines } = await world.fill(ana.userId, 100, { missing: 7 });
    const { id } = await order();
    startWorker();
    await vi.waitFor(
      async () =>
        expect((await find(id)).failure).toBe('incomplete: the statement is 7 transactions behind'),
      { timeout: 20_000 },
    );
    expect((await find(id)).status).toBe('queued');
    await database.db.tx((tx) => insertLines(tx, lines.slice(93)));
    await database.query(`UPDATE exports SET due_at = 'epoch'`);
    await until(id, 'done');
    expect(await find(id)).toMatchObject({ rowCount: 100n, failure: undefined });
  });

  it('an export worker gives up after the last attempt, with the reason', async () => {
    await world.fill(ana.userId, 10, { missing: 1 });
    const { id } = await order();
    await database.query('UPDATE exports SET attempt = $1', [maxAttempts - 1]);
    startWorker();
    await until(id, 'failed');
    expect((await find(id)).failure).toBe('incomplete: the statement is 1 transactions behind');
    expect(await chunkAttempts(id)).toEqual([]);
  });

  it('an export worker waits while auth and the ledger are unavailable', async () => {
    world.state.isWalletAway = true;
    const { id } = await order();
    expect((await find(id)).throughSeq).toBeUndefined();
    startWorker();
    const inTheWay = (what: string) =>
      vi.waitFor(async () => expect((await find(id)).failure).toBe(what), { timeout: 20_000 });
    await inTheWay('the wallet service is unavailable');
    world.state.isAuthAway = true;
    await database.query(`UPDATE exports SET due_at = 'epoch'`);
    await inTheWay('the auth service is unavailable');
    Object.assign(world.state, { isWalletAway: false, isAuthAway: false });
    await world.fill(ana.userId, 5);
    await database.query(`UPDATE exports SET due_at = 'epoch'`);
    await until(id, 'done');
    expect(await find(id)).toMatchObject({ throughSeq: 5n, rowCount: 5n });
  });

  it.each([
    ['the account that asked for it is disabled', { isDisabled: true }],
    ['who asked for it is no longer staff', { role: 'customer' as const }],
  ])('an export fails where %s', async (failure, change) => {
    const operator = world.know(userOf('operator'));
    const { id } = await order(operator, ana.userId);
    world.know(operator, change);
    startWorker();
    await until(id, 'failed');
    expect(await find(id)).toMatchObject({ failure });
  });

  it.each([
    ['balance_after = balance_after + 1', 'is not what its hash says'],
    ['user_id = wallet_id', "is not one of the wallet's owner"],
  ])('an export is inconsistent if a line was edited: %s', async (edit, text) => {
    await world.fill(ana.userId, 50);
    const { id } = await order();
    await database.query(`UPDATE statement_lines SET ${edit} WHERE seq = 20`);
    startWorker();
    await until(id, 'inconsistent');
    const { failure } = await find(id);
    expect(failure).toContain(`line 20 ${text}; `);
    expect(failure).toContain('walletd statements rebuild --wallet');
    expect(await chunkAttempts(id)).toEqual([]);
  });

  it('an export worker deletes a file when its retention is over', async () => {
    await world.fill(ana.userId, 50);
    const { id } = await order();
    startWorker();
    await until(id, 'done');
    const { finishedAtMs, expiresAtMs } = await find(id);
    expect(expiresAtMs! - finishedAtMs!).toBe(30 * dayMs);
    await sleep(100);
    expect((await find(id)).status).toBe('done');
    await database.query('UPDATE exports SET expires_at = clock_timestamp()');
    await until(id, 'expired');
    expect(await chunkAttempts(id)).toEqual([]);
  });
});
