import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { run, runWallet, type Environment } from '../../scripts/product.ts';
import { readEndedCpuMicros, watchBusy } from '../support/cpu.ts';
import { fund } from '../support/generator.ts';
import { startProduct, userIdOf } from '../support/product.ts';
import { median, medianOfKnown } from '../support/rounds.ts';
import { evaluate, type Bench, type ResultRow, type Row } from '../support/row.ts';

const triesPerRound = 20;

/**
 * How long the command line takes, beside a Node that does nothing. In milliseconds of wall time,
 * with the user and system time of a process beside it.
 */
export const startRow: Row = {
  id: 'start',
  run: async (bench) => {
    const product = await startProduct(bench.server, 'start', { users: 10 });
    try {
      await fund(product, 10);
      const home = join(bench.server.folder, 'home');
      await mkdir(home, { recursive: true });
      const env = {
        PATH: process.env['PATH'] ?? '',
        HOME: home,
        WALLET_SERVER: product.address,
        WALLET_TOKEN: await product.signIn(),
      };
      const version = () => runWallet(['--version'], { env });
      const args = ['balance', '--user', userIdOf(3), '--json'];
      return [
        await compare(bench, env, 'start-version', 'wallet --version', 1.5, async () =>
          /\d+\.\d+\.\d+/.test((await version()).stdout),
        ),
        await compare(bench, env, 'start-balance', 'wallet balance --json', 4, async () => {
          const { stdout } = await runWallet(args, { env });
          return (JSON.parse(stdout) as { balance: string }).balance === '10000000.00';
        }),
      ];
    } finally {
      await product.stop();
    }
  },
};

async function compare(
  bench: Bench,
  env: Environment,
  id: string,
  what: string,
  atMost: number,
  work: () => Promise<boolean>,
): Promise<ResultRow> {
  const tries = bench.isQuick ? 2 : bench.rounds * triesPerRound;
  const times: { nothing: Taken; work: Taken }[] = [];
  for (let i = 0; i < tries; i += 1) {
    const nothing = await time(async () => {
      await run(process.execPath, ['-e', '0'], { env });
    });
    const measured = await time(async () => {
      if (!(await work())) throw new Error(`${what} gave a wrong answer`);
    });
    times.push({ nothing, work: measured });
  }
  const measured = {
    value: median(times.map((t) => t.work.ms)),
    baseline: median(times.map((t) => t.nothing.ms)),
    ratio: median(times.map((t) => t.work.ms / t.nothing.ms)),
    // Means: the clocks of processor time have steps of 10 ms.
    cpuMicros: mean(times.map((t) => t.work.cpuMicros)),
    baselineCpuMicros: mean(times.map((t) => t.nothing.cpuMicros)),
    busyPercent: medianOfKnown(times.map((t) => t.work.busyPercent)),
  };
  return evaluate({ id, what, unit: 'ms' }, measured, { atMost });
}

type Taken = {
  readonly ms: number;
  readonly cpuMicros: number;
  readonly busyPercent: number | null;
};

/** Wall time, and meanwhile the processor time of the child processes that ended. */
async function time(work: () => Promise<void>): Promise<Taken> {
  const cpuBefore = await readEndedCpuMicros();
  const readBusy = await watchBusy();
  const startedAt = performance.now();
  await work();
  const ms = performance.now() - startedAt;
  const busyPercent = await readBusy();
  return { ms, cpuMicros: (await readEndedCpuMicros()) - cpuBefore, busyPercent };
}

const mean = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0) / values.length;
