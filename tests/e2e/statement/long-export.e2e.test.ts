import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { chainHash, genesisHash } from '../../../core/chain.ts';
import { walletIdOf } from '../../../core/ids.ts';
import { runWallet, type Finished } from '../../../scripts/product.ts';
import { readUrls } from '../../support/ledger/ledger.ts';
import { forgetPeak, readMemory, watchPeak } from '../../support/processes/memory.ts';
import { createWorld, expectCode, type Person, type World } from '../../support/processes/world.ts';
import { connectClient } from '../../support/postgres/client.ts';

// A million takes about two minutes: EXPORT_LINES=1000000 npx vitest run --project e2e
// tests/e2e/long-export
const lineCount = Number(process.env['EXPORT_LINES'] ?? 100_000);
const isLong = process.env['EXPORT_LINES'] !== undefined;
const timeoutMs = 600_000;
const maxGrowthBytes = 64 * 1024 * 1024;

type ExportJson = { id: string; status: string; rows: number; sha256: string };
type Ran = Finished & { readonly seconds: number; readonly peakBytes: number };

let world: World;
let ana: Person;
let out: string;
/** A connection past the daemon, which outlives it. */
let client: pg.Client;

beforeAll(async () => {
  world = await createWorld();
  await world.start();
  ana = await world.customer('ana');
  out = join(world.folder, 'out');
  await mkdir(out);
  client = await connectClient((await readUrls(world.dataDir)).owner('statement'));
  await fillWallet('EUR', lineCount);
  await fillWallet('USD', 1_000);
}, timeoutMs);

afterAll(async () => {
  await client.end();
  await world.dispose();
});

const batchRows = 20_000;
const startMs = Date.parse('2026-01-01T00:00:00Z');

/**
 * Lines of a wallet over January 2026, and the ledger that they are of, chained as it chains them.
 */
async function fillWallet(currency: string, count: number): Promise<void> {
  const id = walletIdOf(ana.id, currency);
  const ledger = await connectClient((await readUrls(world.dataDir)).owner('wallet'));
  let head = { hash: genesisHash(id, ana.id, currency), balanceMinor: 0n };
  for (let from = 1; from <= count; from += batchRows) {
    const rows: Row[] = [];
    for (let n = from; n < Math.min(from + batchRows, count + 1); n += 1) {
      const row = chainRow(n, head);
      rows.push(row);
      head = { hash: row.hash, balanceMinor: row.balanceAfterMinor };
    }
    await ledger.query(insertEntries, [id, ana.id, ...columnsOf(rows)]);
    await client.query(insertLines, [id, ana.id, currency, ...columnsOf(rows)]);
  }
  await ledger.query(
    `INSERT INTO wallets (id, user_id, currency, exponent, balance, seq, last_at, last_hash)
     VALUES ($1, $2, $3, 2, $4, $5, '2026-01-30T00:00:00Z', decode($6, 'hex'))`,
    [id, ana.id, currency, head.balanceMinor, count, head.hash],
  );
  await ledger.end();
  await client.query('ANALYZE statement_lines');
}

type Row = ReturnType<typeof chainRow>;

function chainRow(n: number, head: { hash: string; balanceMinor: bigint }) {
  const isDebit = n % 3 === 0;
  const amountMinor = isDebit ? -1n : BigInt((n % 1_000) + 1);
  const fields = {
    id: randomUUID(),
    seq: BigInt(n),
    operation: isDebit ? 'withdraw' : 'deposit',
    amountMinor,
    balanceAfterMinor: head.balanceMinor + amountMinor,
    contraAccount: 'external:cash',
    parentId: undefined,
    source: 'grpc',
    actor: ana.id,
    description: n % 7 === 0 ? 'a "quoted", text' : n % 7 === 1 ? `plain ${n}` : undefined,
    metadata: {},
    more: undefined,
    occurredAtMs: startMs + n * 2_000,
  } as const;
  return { ...fields, previousHash: head.hash, hash: chainHash(head.hash, fields) };
}

const columnsOf = (rows: readonly Row[]): unknown[] => [
  rows.map(({ seq }) => seq),
  rows.map(({ id }) => id),
  rows.map(({ operation }) => (operation === 'deposit' ? 1 : 2)),
  rows.map(({ amountMinor }) => amountMinor),
  rows.map(({ balanceAfterMinor }) => balanceAfterMinor),
  rows.map(({ description }) => description ?? null),
  rows.map(({ occurredAtMs }) => new Date(occurredAtMs)),
  rows.map(({ hash }) => hash),
  rows.map(({ previousHash }) => previousHash),
];

const names = 'seq, id, operation, amount, balance_after, description, occurred_at, hash, before';
const rowsFrom = (first: number): string => {
  const types = ['bigint', 'uuid', 'smallint', 'bigint', 'bigint', 'text', 'timestamptz'];
  const arrays = [...types, 'text', 'text'].map((type, i) => `$${first + i}::${type}[]`);
  return `unnest(${arrays.join(', ')}) AS r(${names})`;
};
const insertEntries = `INSERT INTO transactions
    (wallet_id, seq, id, operation, amount, balance_after, contra_account, source, actor,
     description, occurred_at, hash, debited_after)
  SELECT $1::uuid, seq, id, operation, amount, balance_after, 'external:cash', 1, $2::text,
    description, occurred_at, decode(hash, 'hex'),
    coalesce(-sum(amount) FILTER (WHERE amount < 0) OVER (ORDER BY seq), 0)
  FROM ${rowsFrom(3)}`;
const insertLines = `INSERT INTO statement_lines
    (wallet_id, seq, transaction_id, user_id, currency, operation, amount, balance_after,
     contra_account, description, occurred_at, hash, previous_hash, source, actor)
  SELECT $1::uuid, seq, id, $2::uuid, $3::text, operation, amount, balance_after, 'external:cash',
    description, occurred_at, decode(hash, 'hex'), decode(before, 'hex'), 'grpc', $2::uuid::text
  FROM ${rowsFrom(4)}`;

/** `wallet statement export` of a wallet to a file, as a process. */
async function exportTo(currency: string, file: string): Promise<Ran> {
  const range = ['--currency', currency, '--from', '2026-01-01', '--to', '2026-01-31'];
  const args = ['statement', 'export', ...range, '--timeout', '2m', '--file', file, '--json'];
  const env = { ...ana.env, WALLET_SERVER: world.daemon().address };
  let peakOf = (): number => 0;
  const startedAt = performance.now();
  const done = await runWallet(args, { env, onStart: (pid) => (peakOf = watchPeak(pid)) });
  return { ...done, seconds: (performance.now() - startedAt) / 1_000, peakBytes: peakOf() };
}

const madeBy = (ran: Finished): ExportJson => {
  expectCode(ran, 0);
  return JSON.parse(ran.stdout) as ExportJson;
};

/**
 * Stops the writer in the middle: polls until some of the lines are written, then blocks further
 * chunks with a lock and kills the daemon. False if the export was done before.
 */
async function killHalfWay(
  currency: string,
  isOver: { readonly value: boolean },
): Promise<boolean> {
  type Progress = { status: string; isHalfWay: boolean };
  const look = async (): Promise<Progress | undefined> => {
    const { rows } = await client.query<Progress>(
      `SELECT status, rows_done > row_count / 4 AND rows_done < row_count AS "isHalfWay"
       FROM exports WHERE currency = $1 ORDER BY created_at DESC LIMIT 1`,
      [currency],
    );
    return rows[0];
  };
  for (;;) {
    const progress = await look();
    if (progress?.status === 'done' || isOver.value) return false;
    if (progress?.isHalfWay !== true) {
      await sleep(1);
      continue;
    }
    await client.query('BEGIN');
    await client.query('LOCK TABLE export_chunks IN EXCLUSIVE MODE');
    const stopped = await look();
    if (stopped?.status === 'running' && stopped.isHalfWay) await world.kill();
    await client.query('ROLLBACK');
    return stopped?.status === 'running' && stopped.isHalfWay;
  }
}

/** Starts exports until one is caught half-way; what became of that one. */
async function exportWithKill(currency: string, file: string): Promise<Ran> {
  for (let attempt = 1; attempt <= 10; attempt += 1) {
    await client.query('DELETE FROM export_chunks');
    await client.query('DELETE FROM exports');
    const running = exportTo(currency, file.replace(/\.csv$/, `-${attempt}.csv`));
    const isOver = { value: false };
    void running.finally(() => (isOver.value = true));
    const wasKilled = await killHalfWay(currency, isOver);
    if (wasKilled) await world.start();
    const ran = await running;
    if (wasKilled) return ran;
  }
  throw new Error('each time it was done before it was half-way');
}

/** None of the texts here has an end of line in it. */
async function* linesOf(file: string): AsyncGenerator<string, undefined> {
  let rest = '';
  for await (const part of createReadStream(file, 'utf8')) {
    const lines = `${rest}${part as string}`.split('\r\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') throw new Error(`the file ends with ${rest}`);
  return undefined;
}

/** Throws unless the file holds every line of the wallet, in order and as the database has it. */
async function compareWithDatabase(currency: string, file: string): Promise<void> {
  const text = linesOf(file);
  const next = async () => (await text.next()).value;
  expect(await next()).toMatch(/^date,transaction_id,/);
  const query = `SELECT seq::int, transaction_id AS id, amount::int, balance_after::int AS balance
    FROM statement_lines WHERE wallet_id = $1 AND seq > $2 ORDER BY seq LIMIT 10000`;
  type Row = { seq: number; id: string; amount: number; balance: number };
  const minor = (cell = ''): number => Math.round(Number(cell) * 100);
  for (let after = 0; ;) {
    const { rows } = await client.query<Row>(query, [walletIdOf(ana.id, currency), after]);
    for (const { seq, id, amount, balance } of rows) {
      const line = (await next()) ?? '';
      const [debit, credit, shown] = line.split(',').slice(-4);
      const isRight =
        line.split(',')[1] === id &&
        minor(credit) - minor(debit) === amount &&
        minor(shown) === balance;
      if (!isRight) throw new Error(`line ${seq} of the file is ${line}`);
      after = seq;
    }
    if (rows.length === 0) break;
  }
  expect(await next()).toBeUndefined();
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of createReadStream(file)) hash.update(part as Buffer);
  return hash.digest('hex');
}

const toMiB = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;

describe(`an export of ${lineCount.toLocaleString('en')} lines`, () => {
  it(
    'an export whose daemon is killed half-way has the same bytes as an undisturbed one',
    async () => {
      const killed = await exportWithKill('EUR', join(out, 'killed.csv'));
      const made = madeBy(killed);
      const { file } = JSON.parse(killed.stdout) as { file: string };
      expect(made).toMatchObject({ rows: lineCount, sha256: await sha256Of(file) });
      const attempts = 'SELECT attempt FROM exports WHERE id = $1';
      expect((await client.query(attempts, [made.id])).rows).toEqual([{ attempt: 2 }]);
      await compareWithDatabase('EUR', file);

      const small = await exportTo('USD', join(out, 'small.csv'));
      madeBy(small);
      const { pid } = world.daemon();
      await forgetPeak(pid);
      const before = (await readMemory(pid)).now;
      const again = await exportTo('EUR', join(out, 'again.csv'));
      const growth = (await readMemory(pid)).peak - before;
      expect(madeBy(again).sha256).toBe(made.sha256);
      expect(await sha256Of(join(out, 'again.csv'))).toBe(made.sha256);
      // However many lines there are: a file in memory would be more.
      expect(growth).toBeLessThan(maxGrowthBytes);
      expect(again.peakBytes - small.peakBytes).toBeLessThan(maxGrowthBytes);
      if (isLong) {
        console.log(
          `killed half-way: ${killed.seconds.toFixed(1)} s; ` +
            `undisturbed: ${again.seconds.toFixed(1)} s, ` +
            `daemon +${toMiB(growth)}, command line +${toMiB(again.peakBytes - small.peakBytes)}`,
        );
      }
    },
    timeoutMs,
  );
});
