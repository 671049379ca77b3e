import { fill } from '../../bench/support/fill.ts';
import { startProduct, userIdOf, type Product } from '../../bench/support/product.ts';
import { startServer, type BenchServer } from '../../bench/support/server.ts';
import { walletIdOf } from '../../core/ids.ts';
import { runWalletd } from '../../scripts/product.ts';
import { seededRandom } from '../support/ledger/ledger-rows.ts';
import { watchPeak } from '../support/processes/memory.ts';
import { editNames, makeEdit } from './edits.ts';
import type { Query } from './forge.ts';

const entriesPerWallet = 14;

type Options = {
  readonly transactions: number;
  readonly edits: number;
  readonly seed: number;
  readonly say: (line: string) => void;
};

/** Fills, verifies, edits and verifies again; whether all was found as it should be. */
export async function runVerification(options: Options): Promise<boolean> {
  const server = await startServer();
  try {
    const product = await startProduct(server, 'verify', { users: 2 });
    try {
      return await verifyAndEdit(server, product, options);
    } finally {
      await product.stop();
    }
  } finally {
    await server.stop();
  }
}

async function verifyAndEdit(
  server: BenchServer,
  product: Product,
  { transactions, edits, seed, say }: Options,
): Promise<boolean> {
  const wallets = Math.ceil(transactions / entriesPerWallet);
  const filling = {
    wallets,
    entriesOf: () => entriesPerWallet,
    daysOf: () => 10,
    hasLinks: true,
  };
  const count = await fill(server, product, filling);
  say(`seed ${seed}: ${count} transactions of ${wallets} wallets`);
  const whole = await verify(server, product);
  say(`as written: ${describe(whole)}`);
  const random = seededRandom(seed);
  const query: Query = (service, text, values) =>
    server.query(product.databases.nameOf(service), text, values);
  await dropChecks(query);
  const expected = new Map<string, string>();
  for (let n = 0; n < Math.min(edits, wallets / 4); n += 1) {
    const name = editNames[n % editNames.length] ?? '';
    // One wallet for each edit, spread over all of them, and none is the other of another.
    const user = 2 * Math.floor(((n + random()) * wallets) / edits / 2);
    const [walletId = '', otherWalletId = ''] = [user, user + 1].map((i) =>
      walletIdOf(userIdOf(i), 'BRL'),
    );
    const chosen = { userId: userIdOf(user), walletId, otherWalletId };
    for (const place of await makeEdit(name, chosen, random, query)) {
      expected.set(`${place.walletId} ${place.seq}`, name);
    }
  }
  const edited = await verify(server, product);
  say(`after ${edits} edits: ${describe(edited)}`);
  const missed = [...expected].filter(([place]) => !edited.places.has(place));
  const others = [...edited.places].filter((place) => !expected.has(place));
  for (const [place, name] of missed) say(`not found: ${name} at ${place}`);
  for (const place of others) say(`found where nothing was edited: ${place}`);
  say(
    `places edited: ${expected.size}, found: ${expected.size - missed.length}, others: ${others.length}`,
  );
  return whole.places.size === 0 && whole.code === 0 && missed.length + others.length === 0;
}

/** Who edits rows has the rights to remove what refuses it. */
async function dropChecks(query: Query): Promise<void> {
  for (const service of ['wallet', 'statement'] as const) {
    const checks = await query<{ name: string; of: string }>(
      service,
      `SELECT conname AS name, conrelid::regclass::text AS of FROM pg_constraint
       WHERE contype = 'c' AND connamespace = 'public'::regnamespace`,
      [],
    );
    for (const { name, of } of checks) {
      await query(service, `ALTER TABLE ${of} DROP CONSTRAINT ${name}`, []);
    }
  }
}

type Verified = {
  readonly code: number | null;
  readonly places: ReadonlySet<string>;
  readonly findings: number;
  readonly seconds: number;
  readonly peakBytes: number;
};

async function verify(server: BenchServer, product: Product): Promise<Verified> {
  const env = { PATH: process.env['PATH'] ?? '', HOME: server.folder, ...product.databases.env };
  let peakOf = (): number => 0;
  const startedAt = performance.now();
  const done = await runWalletd(['verify', '--json'], {
    env,
    onStart: (pid) => (peakOf = watchPeak(pid)),
  });
  const peakBytes = peakOf();
  const lines = done.stdout.split('\n').filter((line) => line !== '');
  if (done.code !== (lines.length > 0 ? 1 : 0)) {
    throw new Error(`walletd verify ended with ${String(done.code)}: ${done.stderr}`);
  }
  const found = lines.map((line) => JSON.parse(line) as { wallet: string; seq: number });
  const places = new Set(found.map(({ wallet, seq }) => `${wallet} ${seq}`));
  const seconds = (performance.now() - startedAt) / 1_000;
  return { code: done.code, places, findings: found.length, seconds, peakBytes };
}

const describe = ({ findings, places, seconds, peakBytes }: Verified): string =>
  `${findings} findings at ${places.size} places in ${seconds.toFixed(1)} s, ` +
  `${Math.round(peakBytes / 2 ** 20)} MiB at most`;
