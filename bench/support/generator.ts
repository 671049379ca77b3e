import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { waitUntilDrained, waitUntilEmpty } from './check.ts';
import { perTransaction, readEndedCpuMicros, watchBusy } from './cpu.ts';
import type { Job, Load } from './jobs.ts';
import type { Product } from './product.ts';
import type { Measure } from './rounds.ts';
import type { Bench } from './row.ts';

/** A load as it was measured, with the processor shares of all processes meanwhile. */
export type Measured = Load & {
  /** The daemon's processor time, as a share of one core. */
  readonly daemonShare: number;
  /** Processor time of the whole system when it began. */
  readonly cpuBeforeMicros: number;
  /** The share of the machine's processors in use while it lasted. */
  readonly busyPercent: number | null;
};

type GenerateOptions = {
  /** With any reason, or with this one alone. */
  readonly mayBeRefused?: true | string;
  /** Called when it begins. */
  readonly onStart?: () => void;
};

/**
 * Runs a load against a daemon from a process of its own; it begins when all bodies are encoded.
 * Throws if any of it is refused, unless it `mayBeRefused`.
 */
export async function generate(
  product: Product,
  job: Omit<Job, 'address' | 'addresses' | 'token'>,
  { mayBeRefused, onStart }: GenerateOptions = {},
): Promise<Measured> {
  const token = await product.signIn();
  const address = job.kind.startsWith('http') ? product.httpAddress : product.address;
  const whole: Job = { ...job, address, addresses: product.addresses, token };
  const child = fork(fileURLToPath(new URL('load.ts', import.meta.url)), [JSON.stringify(whole)], {
    execArgv: ['--import', 'tsx', '--max-old-space-size=4096'],
  });
  const failed = new Promise<never>((_resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => {
      if (code !== 0) reject(new Error(`the generator ended with ${String(code)}`));
    });
  });
  const message = <T>(): Promise<T> =>
    Promise.race([new Promise<T>((resolve) => child.once('message', resolve as never)), failed]);
  await message<'ready'>();
  const before = await product.cpuSeconds();
  const cpuBeforeMicros = await product.systemCpuMicros();
  const readBusy = await watchBusy();
  const answer = message<Load>();
  child.send('go');
  onStart?.();
  const load = await answer;
  const busyPercent = await readBusy();
  const daemonShare = ((await product.cpuSeconds()) - before) / load.seconds;
  const expected =
    typeof mayBeRefused === 'string' ? (load.reasons?.[mayBeRefused] ?? 0) : load.refused;
  if (load.refused > (mayBeRefused === undefined ? 0 : expected)) {
    const reasons = JSON.stringify(load.reasons ?? {});
    throw new Error(`${load.refused} of the load's transactions were refused ${reasons}`);
  }
  return { ...load, daemonShare, cpuBeforeMicros, busyPercent };
}

/** What a transaction of this load has cost until now: read it once all of it is dealt with. */
export async function readCost(
  product: Product,
  load: Pick<Measured, 'cpuBeforeMicros' | 'done'>,
): Promise<number | null> {
  return perTransaction(load.cpuBeforeMicros, await product.systemCpuMicros(), load.done);
}

/**
 * Measures a program that is a client, from now until the function is called that this gives:
 * seconds, and for each of so many rows the processor time of the program, daemons and Postgres.
 */
export async function watchClient(product: Product, rows: number): Promise<() => Promise<Measure>> {
  const read = async () => (await product.systemCpuMicros()) + (await readEndedCpuMicros());
  const cpuBefore = await read();
  const readBusy = await watchBusy();
  const startedAt = performance.now();
  return async () => {
    const value = (performance.now() - startedAt) / 1_000;
    const busyPercent = await readBusy();
    return { value, cpuMicros: perTransaction(cpuBefore, await read(), rows), busyPercent };
  };
}

/** A deposit into each wallet, so that no withdrawal lacks funds; opens them, too. */
export async function fund(product: Product, wallets: number): Promise<void> {
  await generate(product, { kind: 'fund', prefix: 'fund', wallets, seconds: 600 });
}

/** One load from beginning to end, in transactions a second. */
export async function measureLoad(
  bench: Bench,
  product: Product,
  job: Pick<Job, 'kind' | 'prefix' | 'wallets' | 'inFlight'>,
  options: GenerateOptions = {},
): Promise<{ readonly rate: number; readonly done: number; readonly measure: Measure }> {
  const { server, seconds } = bench;
  await waitUntilDrained(server, product);
  const load = await generate(product, { seconds, ...job }, options);
  const rate = load.done / load.seconds;
  bench.note(
    `${job.prefix}: ${Math.round(rate)}/s; of one core the generator had ` +
      `${percent(load.cpuShare)}, the daemon ${percent(load.daemonShare)}; the machine was ` +
      `${Math.round(load.busyPercent ?? 0)} % busy` +
      (load.refused > 0 ? `; ${load.refused} were refused` : ''),
  );
  await waitUntilEmpty(server, product);
  const cpuMicros = await readCost(product, load);
  const { done, busyPercent } = load;
  return { rate, done, measure: { value: rate, cpuMicros, busyPercent } };
}

export const percent = (share: number): string => `${Math.round(share * 100)} %`;
