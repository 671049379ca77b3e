import { setTimeout as sleep } from 'node:timers/promises';

import { connect } from 'amqplib';

import { toBody } from '../../tests/support/broker/producer.ts';
import { startRabbitMq } from '../../tests/support/broker/rabbitmq.ts';
import { checkLedger, waitUntilDrained, waitUntilEmpty } from '../support/check.ts';
import { perTransaction, watchBusy } from '../support/cpu.ts';
import { fund } from '../support/generator.ts';
import { startListener, type Listener } from '../support/events/listener.ts';
import { startProduct, userIdOf, type Product } from '../support/product.ts';
import { runRounds } from '../support/rounds.ts';
import { evaluate, type Bench, type Row } from '../support/row.ts';

const wallets = 10_000;
const queue = 'wallet_queue';
/** Enough that the drain lasts for seconds. */
const messagesPerSecond = 5_000;

type Setup = {
  readonly id: string;
  readonly product: Product;
  readonly url: string;
  readonly listener: Listener | undefined;
};

/**
 * Messages that wait in `wallet_queue` while no daemon runs, and then one does. With a listener
 * each of their events is a message of its own, too.
 */
const createEventsInRow = (id: string, hasListener: boolean): Row => ({
  id,
  run: async (bench) => {
    const rabbitmq = await startRabbitMq();
    try {
      const env = { RABBITMQ_URL: rabbitmq.url() };
      const product = await startProduct(bench.server, id, {
        ...{ users: wallets, env, brokerPid: rabbitmq.pid() },
      });
      try {
        await fund(product, wallets);
        await waitUntilEmpty(bench.server, product);
        const url = rabbitmq.url();
        const listener = hasListener ? await startListener(url) : undefined;
        try {
          return [await measure(bench, { id, product, url, listener })];
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

export const eventsInRow = createEventsInRow('events-in', false);
export const eventsInListenerRow = createEventsInRow('events-in-listener', true);

async function measure(bench: Bench, { id, product, url, listener }: Setup) {
  const pgbench = await bench.pgbench();
  const count = bench.isQuick ? 2_000 : messagesPerSecond * bench.seconds;
  let expected = wallets;
  const measured = await runRounds(
    bench.rounds,
    () => pgbench.measure(bench.seconds),
    async (round) => {
      await waitUntilDrained(bench.server, product);
      await product.stop();
      await emit(url, `events ${round}`, count);
      const database = product.databases.nameOf('wallet');
      const since = await readClock(bench, database);
      await product.start();
      // What the start itself takes is no cost of a message.
      const cpuBefore = await product.systemCpuMicros();
      const readBusy = await watchBusy();
      expected += count;
      await waitForEntries(bench, database, expected);
      const busyPercent = await readBusy();
      const rate = await readRate(bench, database, since);
      bench.note(`${id} ${round}: ${Math.round(rate)}/s`);
      await waitUntilEmpty(bench.server, product);
      await listener?.waitFor(expected - wallets);
      const cpuMicros = perTransaction(cpuBefore, await product.systemCpuMicros(), count);
      await checkLedger(bench.server, product, BigInt(expected));
      return { value: rate, cpuMicros, busyPercent };
    },
  );
  const beside = listener ? ', one listener' : '';
  const what = `${count.toLocaleString('en')} messages that wait in ${queue}${beside}`;
  return evaluate({ id, what, unit: 'messages/s' }, measured, { atLeast: 3.2 });
}

/** Persistent messages, all confirmed: half deposits, half withdrawals. */
async function emit(url: string, prefix: string, count: number): Promise<void> {
  const connection = await connect(url);
  const channel = await connection.createConfirmChannel();
  for (let n = 0; n < count; n += 1) {
    const body = toBody({
      userId: userIdOf((n * 7_919) % wallets),
      operation: n % 2 === 0 ? 'deposit' : 'withdraw',
      amount: '1.00',
    });
    channel.sendToQueue(queue, Buffer.from(body), {
      persistent: true,
      messageId: `${prefix} ${n}`,
    });
    if (n % 2_000 === 1_999) await channel.waitForConfirms();
  }
  await channel.waitForConfirms();
  await connection.close();
}

async function readClock({ server }: Bench, database: string): Promise<string> {
  const text = 'SELECT clock_timestamp()::text AS now';
  const [row] = await server.query<{ now: string }>(database, text);
  return row?.now ?? '';
}

async function waitForEntries({ server }: Bench, database: string, count: number): Promise<void> {
  const connection = await server.connect(database);
  try {
    for (;;) {
      const text = 'SELECT coalesce(sum(seq), 0) AS n FROM wallets';
      const [row] = await connection.query<{ n: bigint }>(text);
      if (Number(row?.n ?? 0) >= count) return;
      await sleep(200);
    }
  } finally {
    await connection.close();
  }
}

/**
 * From the first commit to the last, by the database's clock, without the first commit's own: the
 * start of the daemon is not what is measured.
 */
async function readRate({ server }: Bench, database: string, since: string): Promise<number> {
  type Sums = { seconds: number; entries: bigint };
  const [row] = await server.query<Sums>(
    database,
    `WITH since AS (SELECT occurred_at AS at FROM transactions WHERE occurred_at >= $1),
       first AS (SELECT min(at) AS at FROM since)
     SELECT extract(epoch FROM max(s.at) - min(first.at))::float8 AS seconds,
       count(*) FILTER (WHERE s.at > first.at) AS entries
     FROM since s, first`,
    [since],
  );
  return Number(row?.entries ?? 0) / (row?.seconds ?? NaN);
}
