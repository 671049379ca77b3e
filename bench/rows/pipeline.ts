import { setTimeout as sleep } from 'node:timers/promises';

import {
  Operation,
  WalletServiceService,
} from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { connect, item } from '../../tests/support/grpc/client.ts';
import { startRabbitMq } from '../../tests/support/broker/rabbitmq.ts';
import { checkLedger, waitUntilDrained, waitUntilEmpty } from '../support/check.ts';
import { fund, generate, readCost } from '../support/generator.ts';
import { startProduct, userIdOf, type Product } from '../support/product.ts';
import { median, percentile, runRounds, type Measure } from '../support/rounds.ts';
import { evaluate, type Bench, type ResultRow, type Row } from '../support/row.ts';

const wallets = 10_000;
/** A user of its own, whose lines tell the lag. */
const probe = wallets;
/** How much longer than other measurements this one lasts: a minute with 10 s. */
const longer = 6;
const maxLagMs = 1_000;

/**
 * Sent, confirmed by RabbitMQ, visible as a statement line: how many, and how late at half that.
 */
export const pipelineRow: Row = {
  id: 'pipeline',
  run: async (bench) => {
    const rabbitmq = await startRabbitMq();
    try {
      const env = { RABBITMQ_URL: rabbitmq.url() };
      const users = wallets + 1;
      const brokerPid = rabbitmq.pid();
      const product = await startProduct(bench.server, 'pipeline', { users, env, brokerPid });
      try {
        await fund(product, wallets);
        return await measure(bench, product);
      } finally {
        await product.stop();
      }
    } finally {
      await rabbitmq.dispose();
    }
  },
};

async function measure(bench: Bench, product: Product): Promise<ResultRow[]> {
  const pgbench = await bench.pgbench();
  const state = { entries: wallets };
  const measured = await runRounds(
    bench.rounds,
    () => pgbench.measure(bench.seconds),
    (round) => measureRate(bench, product, round, state),
  );
  const lags: number[] = [];
  for (let round = 0; round < bench.rounds; round += 1) {
    lags.push(await measureLag(bench, product, round, measured.value / 2, state));
  }
  const what = 'posted, confirmed, visible as a line';
  const lag = median(lags);
  return [
    evaluate({ id: 'pipeline', what, unit: 'lines/s' }, measured, { atLeast: 5 }),
    {
      id: 'pipeline-lag',
      what: 'from answer to line at half that rate, p99',
      unit: 'ms',
      value: lag,
      baseline: null,
      ratio: null,
      target: `<= ${maxLagMs} ms`,
      met: lag <= maxLagMs,
    },
  ];
}

/** Lines that became visible while the load lasted, a second; what came later does not count. */
async function measureRate(
  bench: Bench,
  product: Product,
  round: number,
  state: { entries: number },
): Promise<Measure> {
  const seconds = bench.isQuick ? bench.seconds : bench.seconds * longer;
  await waitUntilSettled(bench, product, state.entries);
  await waitUntilDrained(bench.server, product);
  const before = state.entries;
  const job = { kind: 'stream', prefix: `pipeline ${round}`, wallets, seconds } as const;
  const load = await generate(product, job);
  const visible = (await countLines(bench, product)) - before;
  state.entries += load.done;
  bench.note(
    `pipeline ${round}: posted ${Math.round(load.done / load.seconds)}/s, ` +
      `visible ${Math.round(visible / load.seconds)}/s`,
  );
  await waitUntilSettled(bench, product, state.entries);
  const cpuMicros = await readCost(product, load);
  await checkLedger(bench.server, product, BigInt(state.entries));
  return { value: visible / load.seconds, cpuMicros };
}

/** Milliseconds from a probe's answer until its line can be read, p99, under an even load. */
async function measureLag(
  bench: Bench,
  product: Product,
  round: number,
  rate: number,
  state: { entries: number },
): Promise<number> {
  const seconds = bench.isQuick ? bench.seconds : bench.seconds * longer;
  let isOver = false;
  const prefix = `lag ${round}`;
  const job = { kind: 'stream', prefix, wallets, seconds, rate: Math.max(100, rate) } as const;
  const loading = generate(product, job).finally(() => (isOver = true));
  const lags = await probeLag(bench, product, () => isOver);
  const load = await loading;
  state.entries += load.done + lags.length;
  const p99 = percentile(lags, 0.99);
  bench.note(
    `${prefix}: ${Math.round(load.done / load.seconds)}/s, ${lags.length} probes, ` +
      `p50 ${Math.round(median(lags))} ms, p99 ${Math.round(p99)} ms`,
  );
  await waitUntilSettled(bench, product, state.entries);
  await checkLedger(bench.server, product, BigInt(state.entries));
  return p99;
}

async function probeLag(
  { server }: Bench,
  product: Product,
  isOver: () => boolean,
): Promise<number[]> {
  const client = connect(product.address);
  const token = await product.signIn();
  const lags: number[] = [];
  try {
    while (!isOver() || lags.length === 0) {
      const asked = item({
        userId: userIdOf(probe),
        operation: Operation.DEPOSIT,
        amountMinor: 1n,
      });
      const request = { item: asked, dryRun: false };
      const answer = await client.call(WalletServiceService.createTransaction, request, token);
      if (!answer.ok) throw new Error(`a probe was refused: ${answer.reason}`);
      const startedAt = performance.now();
      const { walletId, seq } = answer.value.transaction ?? {};
      const text = 'SELECT 1 FROM statement_lines WHERE wallet_id = $1 AND seq = $2';
      const database = product.databases.nameOf('statement');
      while ((await server.query(database, text, [walletId, seq])).length === 0) await sleep(5);
      lags.push(performance.now() - startedAt);
      await sleep(50);
    }
  } finally {
    client.close();
  }
  return lags;
}

async function countLines({ server }: Bench, product: Product): Promise<number> {
  const text = 'SELECT count(*) AS n FROM statement_lines';
  const [row] = await server.query<{ n: bigint }>(product.databases.nameOf('statement'), text);
  return Number(row?.n ?? 0);
}

/** Until every entry has its line: throws if there are more lines than entries. */
async function waitUntilSettled(bench: Bench, product: Product, entries: number): Promise<void> {
  await waitUntilEmpty(bench.server, product);
  for (;;) {
    const lines = await countLines(bench, product);
    if (lines > entries) throw new Error(`${lines} lines for ${entries} entries`);
    if (lines === entries) return;
    await sleep(200);
  }
}
