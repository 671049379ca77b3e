import { spawn } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { run, runWalletd, type Finished } from '../../scripts/product.ts';
import { expectCode, password } from '../support/processes/world.ts';
import { createNetworks, findNetworkProblem, type Networks } from './network.ts';
import type { VictimReport } from './victim.ts';

// `npm run test:fairness`: one network runs each kind of flood for a minute, while a client of
// another network signs in, deposits and streams. The networks are namespaces of this machine.

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    kinds: { type: 'string', default: 'frames,connections,sign-ins,streams' },
  },
});
const problem = findNetworkProblem();
if (problem !== undefined) {
  console.error(problem);
  process.exit(2);
}
const victims = 20;
const attackers = 8;

const folder = await mkdtemp(join(tmpdir(), 'dw-fairness-'));
await chmod(folder, 0o711);
const networks = createNetworks();
const env = {
  PATH: process.env['PATH'] ?? '',
  WALLETD_DATA_DIR: join(folder, 'data'),
  WALLETD_LISTEN: '[::]:50051',
  WALLETD_ALLOW_PLAINTEXT: '1',
  WALLETD_METRICS_LISTEN: 'off',
  WALLETD_HTTP_LISTEN: 'off',
  SELF_SERVICE_OPERATIONS: 'deposit,withdraw',
  LOG_LEVEL: 'warn',
};
let failures = 0;
let daemon: Awaited<ReturnType<typeof startDaemon>> | undefined;
try {
  daemon = await startDaemon(networks);
  await createPeople();
  for (const kind of ['nothing', ...values.kinds.split(',')]) failures += await attempt(kind);
} finally {
  daemon?.kill('SIGTERM');
  await daemon?.exited;
  networks.dispose();
  await rm(folder, { recursive: true, force: true });
}
console.log(`violations: ${failures}`);
process.exit(failures === 0 ? 0 : 1);

async function startDaemon(at: Networks) {
  const [command = '', ...args] = at.inside('server', [
    process.execPath,
    'dist/daemon/main.js',
    'start',
  ]);
  const child = spawn(command, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  let log = '';
  await new Promise<void>((resolve, reject) => {
    void exited.then(() => reject(new Error(`walletd ended:\n${log}`)));
    child.stderr.on('data', (chunk: Buffer) => {
      log = (log + chunk.toString()).slice(-20_000);
      if (/^walletd ready: gRPC/m.test(log)) resolve();
    });
  });
  return { kill: (signal: NodeJS.Signals) => child.kill(signal), exited, log: () => log };
}

async function createPeople(): Promise<void> {
  const names = [
    ...Array.from({ length: victims }, (_, n) => `victim${n}`),
    ...Array.from({ length: attackers }, (_, n) => `attacker${n}`),
  ];
  for (const name of names) {
    const args = ['users', 'create', '--email', `${name}@example.com`, '--role', 'customer'];
    expectCode(await runWalletd(args, { env, input: password }), 0);
  }
}

/** The number of the victim's calls that failed. */
async function attempt(kind: string): Promise<number> {
  const { attackerAddresses, serverAddress } = networks;
  const attack =
    kind === 'nothing'
      ? undefined
      : runInside('attacker', 'attacker.ts', [
          kind,
          serverAddress.attacker,
          values.seconds,
          attackerAddresses.join(','),
        ]);
  // The attack is under way before the victim comes.
  if (attack) await new Promise((resolve) => setTimeout(resolve, 5_000));
  const seconds = Math.max(1, Number(values.seconds) - 5);
  const visited = await runInside('victim', 'victim.ts', [
    serverAddress.victim,
    String(seconds),
    String(victims),
  ]);
  const attacked = await attack;
  const report = JSON.parse(visited.stdout) as VictimReport;
  console.log(`${kind}: ${attacked ? attacked.stdout.trim() || attacked.stderr : 'no attack'}`);
  return Object.entries(report)
    .map(([step, { tookMs, failures }]) => {
      const p = (share: number): string => `${Math.round(quantile(tookMs, share))} ms`;
      const reasons = [...new Set(failures)].slice(0, 3).join('; ');
      console.log(
        `  ${step.padEnd(8)} ${tookMs.length} calls, ${failures.length} failed, p50 ${p(0.5)}, ` +
          `p99 ${p(0.99)}, most ${p(1)}${reasons === '' ? '' : `: ${reasons}`}`,
      );
      return failures.length + (tookMs.length === 0 ? 1 : 0);
    })
    .reduce((sum, count) => sum + count, 0);
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}

/** A program of this folder; the attacker yields the processor, as if on a machine of its own. */
function runInside(
  place: 'attacker' | 'victim',
  file: string,
  args: readonly string[],
): Promise<Finished> {
  const nice = place === 'attacker' ? ['nice', '-n', '15'] : [];
  const node = [process.execPath, '--import', 'tsx', `tests/fairness/${file}`, ...args];
  const [command = '', ...rest] = networks.inside(place, [...nice, ...node]);
  return run(command, rest, { env: { PATH: env.PATH } });
}
