import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { runWallet, startWalletd, type Daemon } from './product.ts';

// A tour of the built programs, on a daemon, a database and a home of its own. Every line that
// begins with $ is a real command; what it prints is shown below it. Anything unexpected ends the
// tour with exit code 1. Nothing is left behind.

const password = 'a long enough passphrase';
const email = 'ana@example.com';

const folder = await mkdtemp(join(tmpdir(), 'digital-wallet-quickstart-'));
await chmod(folder, 0o711);
const env = {
  PATH: process.env['PATH'] ?? '',
  HOME: join(folder, 'home'),
  XDG_CONFIG_HOME: join(folder, 'home/config'),
  XDG_STATE_HOME: join(folder, 'home/state'),
  XDG_DATA_HOME: join(folder, 'home/data'),
  XDG_CACHE_HOME: join(folder, 'home/cache'),
  TZ: 'UTC',
};

let daemon: Daemon | undefined;
try {
  console.log('Starting walletd on its embedded Postgres; the first start takes a few seconds …\n');
  daemon = await startWalletd({
    ...env,
    WALLETD_LISTEN: '127.0.0.1:0',
    WALLETD_METRICS_LISTEN: 'off',
    WALLETD_HTTP_LISTEN: 'off',
    WALLETD_DATA_DIR: join(folder, 'data'),
    LOG_LEVEL: 'warn',
  });
  console.log(daemon.log());
  await tour(daemon.address);
  console.log(explainNext());
} catch (err) {
  console.error(err instanceof Error ? err.message : err);
  process.exitCode = 1;
} finally {
  daemon?.kill('SIGTERM');
  const code = await daemon?.exited;
  if (daemon && code !== 0) {
    console.error(`walletd ended with ${String(code)}:\n${daemon.log()}`);
    process.exitCode = 1;
  }
  await rm(folder, { recursive: true, force: true });
}

async function tour(server: string): Promise<void> {
  const wallet = async (
    args: readonly string[],
    { input = '', expectedCode = 0 }: { input?: string; expectedCode?: number } = {},
  ): Promise<string> => {
    console.log(`$ wallet ${args.map(quote).join(' ')}`);
    const done = await runWallet(args, { env: { ...env, WALLET_SERVER: server }, input });
    console.log(`${done.stdout}${done.stderr}`);
    if (done.code !== expectedCode) {
      throw new Error(`expected exit code ${expectedCode}, got ${String(done.code)}`);
    }
    return done.stdout;
  };

  await wallet(['sign-up', '--email', email, '--password-stdin'], { input: password });
  await wallet(['sign-in', '--email', email, '--password-stdin', '--insecure-storage'], {
    input: password,
  });
  await wallet(['deposit', '150.00', '--description', 'first deposit', '--yes']);
  await wallet(['withdraw', '20.00', '--yes']);
  await wallet(['withdraw', '1000.00', '--yes'], { expectedCode: 6 });
  const bought = await wallet(['purchase', '35.50', '--merchant', 'Bookshop', '--yes', '--json']);
  const { id } = JSON.parse(bought) as { id: string };
  await wallet(['cancel', id, '--yes']);
  const balance = await wallet(['balance', '--json']);
  const { balance: amount } = JSON.parse(balance) as { balance: string };
  if (amount !== '130.00') throw new Error(`expected a balance of 130.00, got ${amount}`);
  await wallet(['statement', 'show']);
  const csv = await wallet(['statement', 'show', '--output', 'csv']);
  const lines = csv.trimEnd().split(/\r?\n/).length;
  if (lines !== 5) throw new Error(`expected a header and 4 lines of CSV, got ${lines} lines`);
}

function quote(text: string): string {
  return /^[\w@.:/-]+$/.test(text) ? text : `'${text}'`;
}

function explainNext(): string {
  return `All of this ran on a database that is removed again now. To go on for real:

  npm start                                  a daemon on 127.0.0.1:50051; it keeps its data
  npx walletd users create --email you@example.com --role admin
                                             the first admin, in another terminal
  npx wallet sign-in --email you@example.com finds that daemon by its defaults
`;
}
