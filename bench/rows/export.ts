import { createReadStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { walletIdOf } from '../../core/ids.ts';
import { runWallet } from '../../scripts/product.ts';
import { fill } from '../support/fill.ts';
import { watchClient } from '../support/generator.ts';
import { forgetPeak, readMemory, watchPeak } from '../../tests/support/processes/memory.ts';
import { startProduct, userIdOf, type Product } from '../support/product.ts';
import { runRounds, type Measure } from '../support/rounds.ts';
import { evaluate, evaluateGrowth, toMiB } from '../support/row.ts';
import type { Bench, ResultRow, Row } from '../support/row.ts';
import { runTool } from '../support/tools.ts';

const lineCount = 1_000_000;
const quickLineCount = 20_000;
const smallLineCount = 1_000;
const days = 365;
/** Both write times on this clock, so that both have to convert. */
const timezone = 'America/Sao_Paulo';

type Run = {
  readonly measure: Measure;
  readonly daemonGrowth: number;
  readonly cliPeak: number;
};

/**
 * A wallet's year in a CSV file: by `wallet statement export`, beside psql's \copy of the same
 * rows.
 */
export const exportRow: Row = {
  id: 'export',
  run: async (bench) => {
    const lines = bench.isQuick ? quickLineCount : lineCount;
    const product = await startProduct(bench.server, 'export', { users: 2 });
    try {
      await fill(bench.server, product, {
        wallets: 2,
        entriesOf: (n) => (n === 0 ? lines : smallLineCount),
        daysOf: () => days,
      });
      const folder = join(bench.server.folder, 'exports');
      await mkdir(folder, { recursive: true, mode: 0o777 });
      return await measure(bench, product, folder, lines);
    } finally {
      await product.stop();
    }
  },
};

async function measure(
  bench: Bench,
  product: Product,
  folder: string,
  lines: number,
): Promise<ResultRow[]> {
  // What a small one takes is what the programs need anyway.
  const small = await exportOnce(bench, product, join(folder, 'small.csv'), 1, smallLineCount);
  const runs: Run[] = [];
  const measured = await runRounds(
    bench.rounds,
    () => copyOnce(bench, product, join(folder, 'copied.csv'), lines),
    async (round) => {
      const run = await exportOnce(bench, product, join(folder, 'exported.csv'), 0, lines);
      runs.push(run);
      bench.note(
        `export ${round}: ${run.measure.value.toFixed(2)} s, daemon +${toMiB(run.daemonGrowth)} MiB, ` +
          `command line +${toMiB(run.cliPeak - small.cliPeak)} MiB`,
      );
      return run.measure;
    },
  );
  const { busyPercent } = measured;
  const what = `${lines.toLocaleString('en')} lines to CSV through the command line`;
  return [
    evaluate({ id: 'export', what, unit: 's' }, measured, { atMost: 2.2 }),
    evaluateGrowth(
      {
        id: 'export-daemon-memory',
        what: 'the daemon’s memory meanwhile, above what it was',
        busyPercent,
      },
      runs.map(({ daemonGrowth }) => daemonGrowth),
    ),
    evaluateGrowth(
      {
        id: 'export-cli-memory',
        what: `the command line’s peak, above that of ${smallLineCount.toLocaleString('en')} lines`,
        busyPercent,
      },
      runs.map(({ cliPeak }) => cliPeak - small.cliPeak),
    ),
  ];
}

const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
const rangeOf = () => {
  const dayMs = 24 * 60 * 60_000;
  return { from: dayOf(Date.now() - (days + 7) * dayMs), to: dayOf(Date.now() + dayMs) };
};

/** From the start of the command until it has ended, with the file on the disk. */
async function exportOnce(
  { server }: Bench,
  product: Product,
  file: string,
  user: number,
  lines: number,
): Promise<Run> {
  await waitUntilWritten(server, product, file);
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: server.folder,
    WALLET_SERVER: product.address,
    WALLET_TOKEN: await product.signIn(),
  };
  const { from, to } = rangeOf();
  const args = ['statement', 'export', '--user', userIdOf(user), '--currency', 'BRL'];
  const range = ['--from', from, '--to', to, '--timezone', timezone];
  await forgetPeak(product.pid);
  const before = (await readMemory(product.pid)).now;
  let peakOf = (): number => 0;
  const readCosts = await watchClient(product, lines);
  const done = await runWallet([...args, ...range, '--file', file, '--json'], {
    env,
    onStart: (pid) => (peakOf = watchPeak(pid)),
  });
  const measure = await readCosts();
  const cliPeak = peakOf();
  const daemonGrowth = (await readMemory(product.pid)).peak - before;
  if (done.code !== 0)
    throw new Error(`the export ended with ${String(done.code)}: ${done.stderr}`);
  await checkFile(file, lines);
  return { measure, daemonGrowth, cliPeak };
}

/** The same columns in the same order, by the database's own means. */
async function copyOnce(
  { server }: Bench,
  product: Product,
  file: string,
  lines: number,
): Promise<Measure> {
  await waitUntilWritten(server, product, file);
  const { from, to } = rangeOf();
  const query = `SELECT occurred_at AS date, transaction_id, operation, description,
      CASE WHEN amount < 0 THEN -amount END AS debit,
      CASE WHEN amount > 0 THEN amount END AS credit, balance_after AS balance, currency
    FROM statement_lines WHERE wallet_id = '${walletIdOf(userIdOf(0), 'BRL')}'
      AND occurred_at >= '${from}' AND occurred_at < '${to}'::date + 1 ORDER BY seq`;
  const copy = `\\copy (${query.replaceAll(/\s+/g, ' ')}) TO '${file}' WITH (FORMAT csv, HEADER)`;
  const database = product.databases.nameOf('statement');
  const readCosts = await watchClient(product, lines);
  await runTool(server, 'psql', ['-X', '-q', '-d', database, '-c', copy], { PGTZ: timezone });
  return readCosts();
}

/** What earlier rounds wrote is on the disk, so that later rounds do not pay for it. */
async function waitUntilWritten(
  server: Bench['server'],
  product: Product,
  file: string,
): Promise<void> {
  await rm(file, { force: true });
  await server.query(product.databases.nameOf('statement'), 'CHECKPOINT');
}

/**
 * Every line is there, and each balance follows from the one before. Columns are never quoted here.
 */
async function checkFile(file: string, lines: number): Promise<void> {
  let count = 0;
  let balanceMinor = 0n;
  const minorOf = (text = ''): bigint => BigInt(text.replace('.', '') || '0');
  for await (const line of createInterface({ input: createReadStream(file) })) {
    count += 1;
    if (count === 1) continue;
    const [, , , , debit, credit, balance] = line.split(',');
    balanceMinor += minorOf(credit) - minorOf(debit);
    if (minorOf(balance) !== balanceMinor) throw new Error(`line ${count} of the file is wrong`);
  }
  if (count !== lines + 1) throw new Error(`the file has ${count - 1} lines instead of ${lines}`);
}
