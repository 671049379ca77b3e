import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

import { chainHash, genesisHash } from '../../core/chain.ts';
import { transactionIdOf, walletIdOf } from '../../core/ids.ts';
import { userIdOf, type Product } from './product.ts';
import type { BenchServer, Service } from './server.ts';
import { findTool } from './tools.ts';

/** How many entries each wallet gets; the nth wallet is the nth customer's. */
export type Filling = {
  readonly wallets: number;
  entriesOf(n: number): number;
  /** The days over which a wallet's entries are spread, up to now. */
  daysOf(n: number): number;
};

type Table = { readonly service: Service; readonly name: string; readonly columns: string };

// The columns in the order in which a row of each is written; any other column has its default.
const money = 'operation, amount, balance_after, contra_account, parent_id';
const tables: readonly Table[] = [
  {
    service: 'wallet',
    name: 'wallets',
    columns: 'id, user_id, currency, exponent, status, balance, seq, last_at, last_hash',
  },
  {
    service: 'wallet',
    name: 'transactions',
    columns:
      `wallet_id, seq, id, ${money}, source, actor, description, metadata, ` + 'occurred_at, hash',
  },
  {
    service: 'statement',
    name: 'statement_lines',
    columns:
      `wallet_id, seq, transaction_id, user_id, currency, ${money}, description, ` +
      'occurred_at, hash, previous_hash, source, actor, metadata',
  },
];
const chunkRows = 2_000;
const dayMs = 24 * 60 * 60_000;

/**
 * Fills a new product's own tables by COPY, as if everything had been posted long ago: true hash
 * chains and sequences, and the lines of the projection. Indexes are dropped and built again, which
 * leaves them denser than years of use would. Gives the number of entries.
 */
export async function fill(
  server: BenchServer,
  product: Product,
  filling: Filling,
): Promise<number> {
  const databaseOf = ({ service }: Table) => product.databases.nameOf(service);
  const restores: (() => Promise<void>)[] = [];
  for (const table of tables) {
    restores.push(await dropIndexes(server, databaseOf(table), table.name));
  }
  const copies = tables.map((table) => startCopy(server, databaseOf(table), table));
  let count: number;
  try {
    count = await writeWallets(filling, copies);
  } finally {
    for (const copy of copies) copy.kill();
  }
  for (const restore of restores) await restore();
  for (const table of tables) {
    await server.query(databaseOf(table), `VACUUM ANALYZE ${table.name}`);
  }
  return count;
}

type Copy = ReturnType<typeof startCopy>;

async function writeWallets(filling: Filling, copies: readonly Copy[]): Promise<number> {
  const [wallets, transactions, lines] = copies;
  if (!wallets || !transactions || !lines) throw new Error('nothing to copy into');
  let count = 0;
  for (let n = 0; n < filling.wallets; n += 1) {
    count += writeWallet(n, filling, { wallets, transactions, lines });
    if (copies.some((copy) => copy.waiting() >= chunkRows)) {
      for (const copy of copies) await copy.flush();
    }
  }
  for (const copy of copies) await copy.end();
  return count;
}

function writeWallet(
  n: number,
  filling: Filling,
  to: { readonly wallets: Copy; readonly transactions: Copy; readonly lines: Copy },
): number {
  const userId = userIdOf(n);
  const walletId = walletIdOf(userId, 'BRL');
  const count = filling.entriesOf(n);
  const stepMs = Math.floor((filling.daysOf(n) * dayMs) / (count + 1));
  const startMs = Date.now() - stepMs * count;
  let hash = genesisHash(walletId, userId, 'BRL');
  let balanceMinor = 0n;
  let at = '';
  for (let seq = 1; seq <= count; seq += 1) {
    const isDeposit = seq % 2 === 1;
    const amountMinor = seq === 1 ? 1_000_000_000n : isDeposit ? 100n : -100n;
    balanceMinor += amountMinor;
    const occurredAtMs = startMs + stepMs * (seq - 1);
    const id = transactionIdOf(walletId, 'staff', `fill ${seq}`);
    const previousHash = hash;
    hash = chainHash(previousHash, {
      id,
      seq: BigInt(seq),
      operation: isDeposit ? 'deposit' : 'withdraw',
      amountMinor,
      balanceAfterMinor: balanceMinor,
      contraAccount: 'external:cash',
      parentId: undefined,
      source: 'grpc',
      actor: 'fill',
      description: undefined,
      metadata: {},
      occurredAtMs,
    });
    at = new Date(occurredAtMs).toISOString();
    const code = isDeposit ? 1 : 2;
    const money = `${code}\t${amountMinor}\t${balanceMinor}\texternal:cash\t\\N`;
    const end = `${at}\t\\\\x${hash}`;
    to.transactions.add(`${walletId}\t${seq}\t${id}\t${money}\t1\tfill\t\\N\t\\N\t${end}`);
    const chained = `\\\\x${previousHash}\tgrpc\tfill\t\\N`;
    to.lines.add(`${walletId}\t${seq}\t${id}\t${userId}\tBRL\t${money}\t\\N\t${end}\t${chained}`);
  }
  const head = `${balanceMinor}\t${count}\t${at}\t\\\\x${hash}`;
  to.wallets.add(`${walletId}\t${userId}\tBRL\t2\tactive\t${head}`);
  return count;
}

/** Rows into a table by psql's COPY. */
function startCopy(server: BenchServer, database: string, { name, columns }: Table) {
  const args = ['-X', '-q', '-d', database, '-c', `COPY ${name} (${columns}) FROM STDIN`];
  const child: ChildProcess = spawn(findTool('psql'), args, {
    env: { ...server.toolEnv },
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const { stdin } = child;
  if (!stdin) throw new Error('psql has no standard input');
  const ended = once(child, 'close') as Promise<[number | null]>;
  let rows: string[] = [];
  const flush = async (): Promise<void> => {
    if (rows.length === 0) return;
    const text = `${rows.join('\n')}\n`;
    rows = [];
    if (!stdin.write(text)) await Promise.race([once(stdin, 'drain'), ended]);
  };
  return {
    add: (row: string) => void rows.push(row),
    waiting: () => rows.length,
    flush,
    /** Ends it without its last rows where it has not ended: psql would wait for them for ever. */
    kill: () => void child.kill(),
    end: async () => {
      await flush();
      stdin.end();
      const [code] = await ended;
      if (code !== 0) throw new Error(`COPY into ${name} ended with ${String(code)}`);
    },
  };
}

/** Drops a table's keys and indexes, and gives what builds the same ones again. */
async function dropIndexes(
  server: BenchServer,
  database: string,
  table: string,
): Promise<() => Promise<void>> {
  const constraints = await server.query<{ name: string; text: string }>(
    database,
    `SELECT conname AS name, pg_get_constraintdef(oid) AS text FROM pg_constraint
     WHERE conrelid = $1::regclass AND contype IN ('p', 'u')`,
    [table],
  );
  const indexes = await server.query<{ name: string; text: string }>(
    database,
    `SELECT indexname AS name, indexdef AS text FROM pg_indexes
     WHERE tablename = $1 AND indexname <> ALL($2)`,
    [table, constraints.map(({ name }) => name)],
  );
  for (const { name } of constraints) {
    await server.query(database, `ALTER TABLE ${table} DROP CONSTRAINT ${name}`);
  }
  for (const { name } of indexes) await server.query(database, `DROP INDEX ${name}`);
  return async () => {
    for (const { name, text } of constraints) {
      await server.query(database, `ALTER TABLE ${table} ADD CONSTRAINT ${name} ${text}`);
    }
    for (const { text } of indexes) await server.query(database, text);
  };
}
