import { setTimeout as sleep } from 'node:timers/promises';

import { startRabbitMq } from '../../tests/support/broker/rabbitmq.ts';
import { checkLedger, waitUntilDrained, waitUntilEmpty } from '../support/check.ts';
import { fund, generate, readCost, type Measured } from '../support/generator.ts';
import { startListener, type Listener } from '../support/events/listener.ts';
import { createProbe } from '../support/events/probe.ts';
import { startProduct, type Product } from '../support/product.ts';
import { median, medianOfKnown, percentile, runRounds, type Measure } from '../support/rounds.ts';
import { evaluate, evaluateTime, type Bench, type ResultRow, type Row } from '../support/row.ts';

const wallets = 10_000;
/** A user of its own, whose lines tell the lag. */
const probe = wallets;
/** How much longer than other measurements this one lasts: a minute with 10 s. */
const longer = 6;
const maxLagMs = 1_000;
/** Transactions a second, and how much longer than other measurements. */
const lowRate = 200;
const lowLonger = 2;
const maxLowLagMs = 150;

type Setup = {
  readonly bench: Bench;
  readonly product: Product;
  readonly listener: Listener | undefined;
  entries: number;
};
type Round = { readonly load: Measured; readonly visible: number; readonly lagMs: number };

/**
 * Sent, confirmed by RabbitMQ, visible as a statement line: how many, and how late at that rate.
 * With a listener each event is a message of its own, too.
 */
const createPipelineRow = (id: string, hasListener: boolean): Row => ({
  id,
  run: async (bench) => {
    const rabbitmq = await startRabbitMq();
    try {
      const env = { RABBITMQ_URL: rabbitmq.url() };
      const users = wallets + 1;
      const brokerPid = rabbitmq.pid();
      const product = await startProduct(bench.server, id, { users, env, brokerPid });
      try {
        await fund(product, wallets);
        await waitUntilSettled(bench, product, wallets);
        const listener = hasListener ? await startListener(rabbitmq.url()) : undefined;
        try {
          return await measure(id, { bench, product, listener, entries: wallets });
        } finally {
          await listener?.stop();
        }
      } finally {
        await product.stop();
      }
    } finally {
      await rabbitmq.dispose();
    }
  },
});

export const pipelineRow = createPipelineRow('pipeline', false);
export const pipelineListenerRow = createPipelineRow('pipeline-listener', true);

async function measure(id: string, setup: Setup): Promise<ResultRow[]> {
  const { bench, listener } = setup;
  const pgbench = await bench.pgbench();
  const lags: number[] = [];
  const measured = await runRounds(
    bench.rounds,
    () => pgbench.measure(bench.seconds),
    async (round) => {
      const { load, visible, lagMs } = await runLoad(setup, `${id} ${round}`, longer);
      lags.push(lagMs);
      return { value: visible / load.seconds, ...(await finish(setup, load)) };
    },
  );
  const text = `lag <= ${maxLagMs} ms`;
  const condition = { text, isMet: median(lags) <= maxLagMs };
  const beside = listener ? ', one listener' : '';
  const what = `posted, confirmed, visible as a line${beside}`;
  const { cpuMicros, busyPercent } = measured;
  const lag = {
    ...{ id: `${id}-lag`, what: `from answer to line at that rate, p99${beside}` },
    ...{ cpuMicros, busyPercent },
  };
  const rows = [
    evaluate({ id, what, unit: 'lines/s' }, measured, { atLeast: 5 }, [condition]),
    evaluateTime(lag, lags, maxLagMs),
  ];
  return listener ? rows : [...rows, await measureLowLag(setup)];
}

/** The lag of a machine with little to do. */
async function measureLowLag(setup: Setup): Promise<ResultRow> {
  const lags: number[] = [];
  const costs: Pick<Measure, 'cpuMicros' | 'busyPercent'>[] = [];
  for (let round = 0; round < setup.bench.rounds; round += 1) {
    const { load, lagMs } = await runLoad(setup, `low ${round}`, lowLonger, lowRate);
    lags.push(lagMs);
    costs.push(await finish(setup, load));
  }
  const row = {
    ...{ id: 'pipeline-lag-low', what: `from answer to line at ${lowRate}/s, p99` },
    cpuMicros: medianOfKnown(costs.map(({ cpuMicros }) => cpuMicros)),
    busyPercent: medianOfKnown(costs.map(({ busyPercent }) => busyPercent ?? null)),
  };
  return evaluateTime(row, lags, maxLowLagMs);
}

/**
 * A stream beside the probe. `visible` are the lines that became visible while the load lasted;
 * what came later does not count. The lag is that of the probe, p99.
 */
async function runLoad(setup: Setup, prefix: string, times: number, rate?: number): Promise<Round> {
  const { bench, product, listener } = setup;
  const seconds = bench.isQuick ? bench.seconds : bench.seconds * times;
  await waitUntilSettled(bench, product, setup.entries);
  await listener?.waitFor(setup.entries - wallets);
  await waitUntilDrained(bench.server, product);
  const before = setup.entries;
  const probing = await createProbe(bench, product, probe);
  const job = { kind: 'stream', prefix, wallets, seconds, ...(rate && { rate }) } as const;
  let lags: number[];
  let load: Measured;
  let visible: number;
  try {
    load = await generate(product, job, { onStart: probing.start });
    visible = (await countLines(bench, product)) - before;
  } finally {
    lags = await probing.end();
  }
  const lagMs = percentile(lags, 0.99);
  bench.note(
    `${prefix}: posted ${Math.round(load.done / load.seconds)}/s, ` +
      `visible ${Math.round(visible / load.seconds)}/s; lag of ${lags.length} probes: ` +
      `p50 ${Math.round(median(lags))} ms, p99 ${Math.round(lagMs)} ms`,
  );
  const done = load.done + lags.length;
  setup.entries += done;
  return { load: { ...load, done }, visible, lagMs };
}

/** Waits until all of the load is dealt with, and gives what it has cost. */
async function finish(
  { bench, product, listener, entries }: Setup,
  load: Measured,
): Promise<Pick<Measure, 'cpuMicros' | 'busyPercent'>> {
  await waitUntilEmpty(bench.server, product);
  await waitForHeads(bench, product);
  await listener?.waitFor(entries - wallets);
  const cpuMicros = await readCost(product, load);
  await waitUntilSettled(bench, product, entries);
  await checkLedger(bench.server, product, BigInt(entries));
  return { cpuMicros, busyPercent: load.busyPercent };
}

async function countLines({ server }: Bench, product: Product): Promise<number> {
  const text = 'SELECT count(*) AS n FROM statement_lines';
  const [row] = await server.query<{ n: bigint }>(product.databases.nameOf('statement'), text);
  return Number(row?.n ?? 0);
}

/**
 * Until the newest entries of some wallets have their lines: to count all lines again and again
 * would be the larger part of what is measured.
 */
async function waitForHeads({ server }: Bench, product: Product): Promise<void> {
  type Head = { id: string; seq: bigint };
  const text = 'SELECT id, seq FROM wallets ORDER BY id LIMIT 200';
  const heads = await server.query<Head>(product.databases.nameOf('wallet'), text);
  const values = [heads.map(({ id }) => id), heads.map(({ seq }) => seq)];
  const lines = await server.connect(product.databases.nameOf('statement'));
  try {
    for (;;) {
      const [row] = await lines.query<{ n: bigint }>(
        `SELECT count(*) AS n FROM unnest($1::uuid[], $2::bigint[]) AS head (id, seq)
         JOIN statement_lines l ON l.wallet_id = head.id AND l.seq = head.seq`,
        values,
      );
      if (Number(row?.n ?? 0) === heads.length) return;
      await sleep(200);
    }
  } finally {
    await lines.close();
  }
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
