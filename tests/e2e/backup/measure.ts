import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { Operation } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { signUp } from '../../support/broker/producer.ts';
import { item } from '../../support/grpc/client.ts';
import { openStream } from '../../support/grpc/stream.ts';
import { createWorld, expectCode, type World } from '../../support/processes/world.ts';

// `npx tsx tests/e2e/backup/measure.ts --transactions 100000`, after a build: makes so many
// transactions over streams that go on, backs up meanwhile, restores, verifies, and prints times.

const users = 8;
const itemsPerMessage = 100;
/** Messages of a stream: it ends before its access token does. */
const messages = 40;

const deposit = () =>
  item({
    ...{ currency: 'BRL', operation: Operation.DEPOSIT, amountMinor: 100n },
    idempotencyKey: randomUUID(),
  });

/** Streams of deposits until they are stopped. */
async function startStreams(address: string) {
  const state = { done: 0, isStopped: false };
  const isRunning = (): boolean => !state.isStopped;
  const run = async (token: string): Promise<void> => {
    while (isRunning()) {
      const stream = openStream(address, token);
      for (let sent = 0; sent < messages && isRunning(); sent += 1) {
        stream.send(Array.from({ length: itemsPerMessage }, deposit));
        await stream.waitFor((sent - 2) * itemsPerMessage);
      }
      stream.halfClose();
      await stream.ended;
      const created = stream.results.filter(({ outcome }) => outcome?.$case === 'created');
      if (created.length < stream.results.length) throw new Error('a deposit was refused');
      state.done += created.length;
      stream.close();
    }
  };
  const tokens = [];
  for (let n = 0; n < users; n += 1) tokens.push((await signUp(address, `user${n}`)).token);
  const running = Promise.all(tokens.map(run));
  return {
    state,
    stop: async () => {
      state.isStopped = true;
      await running;
    },
  };
}

/** What a command says at its end. */
async function measure(world: World, args: readonly string[]): Promise<void> {
  const begunAt = performance.now();
  const done = await world.walletd(args);
  expectCode(done, 0);
  const seconds = ((performance.now() - begunAt) / 1000).toFixed(1);
  const lines = done.stderr
    .split('\n')
    .filter((line) => !/ so far$|data folder| (copied|checked)$/.test(line));
  console.log(`walletd ${args[0] ?? ''}: ${seconds} s; ${lines.join(' ')}${done.stdout}`);
}

const { values } = parseArgs({ options: { transactions: { type: 'string', default: '100000' } } });
const world = await createWorld();
try {
  const daemon = await world.start();
  const streams = await startStreams(daemon.address);
  while (streams.state.done < Number(values.transactions)) await sleep(100);
  const place = join(world.folder, 'backups');
  await mkdir(place, { mode: 0o700 });
  console.log(`after ${streams.state.done} transactions, while more are made:`);
  await measure(world, ['backup', '--out', join(place, 'busy'), '--json']);
  await streams.stop();
  console.log(`after ${streams.state.done} transactions, without load:`);
  await measure(world, ['backup', '--out', join(place, 'quiet'), '--json']);
  const dataDir = join(world.folder, 'restored', 'data');
  await mkdir(join(dataDir, '..'), { mode: 0o711 });
  await measure(world, ['restore', '--from', join(place, 'busy'), '--data-dir', dataDir, '--json']);
  await measure(world, ['verify', '--data-dir', dataDir]);
} finally {
  await world.dispose();
}
