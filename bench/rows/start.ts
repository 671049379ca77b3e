import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { run, runWallet, type Environment } from '../../scripts/product.ts';
import { fund } from '../support/generator.ts';
import { startProduct, userIdOf } from '../support/product.ts';
import { median } from '../support/rounds.ts';
import { evaluate, type Bench, type ResultRow, type Row } from '../support/row.ts';

const triesPerRound = 20;

/**
 * How long the command line takes, beside a Node that does nothing. In milliseconds of wall time.
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
        await compare(bench, env, 'start-version', 'wallet --version', 2, async () =>
          /\d+\.\d+\.\d+/.test((await version()).stdout),
        ),
        await compare(bench, env, 'start-balance', 'wallet balance --json', 5, async () => {
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
  const times: { nothing: number; work: number }[] = [];
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
    value: median(times.map((t) => t.work)),
    baseline: median(times.map((t) => t.nothing)),
    ratio: median(times.map((t) => t.work / t.nothing)),
  };
  return evaluate({ id, what, unit: 'ms' }, measured, { atMost });
}

async function time(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}
