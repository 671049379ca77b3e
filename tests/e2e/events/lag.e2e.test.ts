import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';

import {
  Operation,
  WalletServiceService,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { findFreePort } from '../../support/free-port.ts';
import { connect, item } from '../../support/grpc/client.ts';
import { waitUntil } from '../../support/ledger/ledger.ts';
import { signUp } from '../../support/broker/producer.ts';
import { startRabbitMq, type RabbitMq } from '../../support/broker/rabbitmq.ts';
import { createWorld, type World } from '../../support/processes/world.ts';

const metricsListen = `127.0.0.1:${await findFreePort()}`;
let broker: RabbitMq;
let world: World;

beforeAll(async () => {
  broker = await startRabbitMq();
  world = await createWorld();
});
afterEach(() => world.stop());
afterAll(async () => {
  await world.dispose();
  await broker.dispose();
});

async function deposit(token: string): Promise<void> {
  const client = connect(world.daemon().address);
  const wanted = item({ operation: Operation.DEPOSIT, amountMinor: 100n });
  const request = { item: wanted, dryRun: false };
  const answer = await client.call(WalletServiceService.createTransaction, request, token);
  client.close();
  expect(answer.ok).toBe(true);
}

/** What the two histograms have counted: how often, and seconds in all. */
async function readLags() {
  const text = await (await fetch(`http://${metricsListen}/metrics`)).text();
  const value = (name: string): number => {
    const found = new RegExp(`^${name} (\\S+)$`, 'm').exec(text);
    if (!found) throw new Error(`there is no ${name}`);
    return Number(found[1]);
  };
  const read = (name: string) => ({ count: value(`${name}_count`), sum: value(`${name}_sum`) });
  return {
    confirm: read('walletd_event_confirm_seconds'),
    line: read('walletd_projection_lag_seconds'),
  };
}

/** `others` are confirmed events that are no transactions: that of the first checkpoint. */
const untilCounted = (count: number, others = 0) =>
  waitUntil(
    `${count} events confirmed and projected`,
    async () => {
      const { confirm, line } = await readLags();
      return confirm.count === count + others && line.count === count;
    },
    30_000,
  );

it('metrics measure the delay of events and lines, also during a broker outage', async () => {
  const url = broker.url(await broker.createVhost());
  await world.start({ RABBITMQ_URL: url, WALLETD_METRICS_LISTEN: metricsListen });
  const ana = await signUp(world.daemon().address, 'ana');
  await untilCounted(0, 1);
  await deposit(ana.token);
  await untilCounted(1, 1);
  const before = await readLags();
  const outageMs = 3_000;
  await broker.stopApp();
  await deposit(ana.token);
  await sleep(outageMs);
  expect(await readLags()).toEqual(before);
  await broker.start();
  await untilCounted(2, 1);
  const after = await readLags();
  for (const which of ['confirm', 'line'] as const) {
    const seconds = after[which].sum - before[which].sum;
    expect(seconds, which).toBeGreaterThanOrEqual(outageMs / 1_000);
    // Neither the seconds of one clock taken for milliseconds, nor two clocks that do not meet.
    expect(seconds, which).toBeLessThan(300);
  }
});

it('metrics measure the delay of events and lines without a broker', async () => {
  await world.start({ WALLETD_METRICS_LISTEN: metricsListen });
  const bia = await signUp(world.daemon().address, 'bia');
  await deposit(bia.token);
  await untilCounted(1);
  const { confirm, line } = await readLags();
  expect(confirm.sum).toBeLessThan(30);
  expect(line.sum).toBeGreaterThan(0);
});
