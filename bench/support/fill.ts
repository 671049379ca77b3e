import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

import { chainHash, genesisHash, toChainedMore } from '../../core/chain.ts';
import { walletIdOf } from '../../core/ids.ts';
import { operationTable } from '../../core/operations.ts';
import { listLinked, neverAt, toPlain, type Move } from './fill/moves.ts';
import { userIdOf, type Product } from './product.ts';
import type { BenchServer, Service } from './server.ts';
import { findTool } from './tools.ts';

/** How many entries each wallet gets; the nth wallet is the nth customer's. */
export type Filling = {
  readonly wallets: number;
  entriesOf(n: number): number;
  /** The days over which a wallet's entries are spread, up to now. */
  daysOf(n: number): number;
  /**
   * Each two wallets have a transfer between them (entry 5), and two undos of parts (7 and 8). From
   * entry 9 on the one that pays has a hold for the other (9), a capture (10) and the release of
   * the rest (11), and a hold that is still open (12).
   */
  readonly hasLinks?: boolean;
};

type Table = { readonly service: Service; readonly name: string; readonly columns: string };

// The columns in the order in which a row of each is written; any other column has its default.
const money = 'operation, amount, balance_after, contra_account, parent_id';
const tables: readonly Table[] = [
  {
    service: 'wallet',
    name: 'wallets',
    columns:
      'id, user_id, currency, exponent, status, balance, seq, last_at, last_hash, debited, ' +
      'held, next_expiry',
  },
  {
    service: 'wallet',
    name: 'transactions',
    columns:
      `wallet_id, seq, id, ${money}, source, actor, description, metadata, ` +
      'occurred_at, hash, debited_after, parent_used, parent_amount, held, held_after',
  },
  {
    service: 'wallet',
    name: 'holds',
    columns:
      'wallet_id, id, seq, amount, used, captured, state, contra_account, ' +
      'placed_at, expires_at, closed_at',
  },
  {
    service: 'statement',
    name: 'statement_lines',
    columns:
      `wallet_id, seq, transaction_id, user_id, currency, ${money}, description, ` +
      'occurred_at, hash, previous_hash, source, actor, metadata, parent_used, held, held_after',
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
  const [wallets, transactions, holds, lines] = copies;
  if (!wallets || !transactions || !holds || !lines) throw new Error('nothing to copy into');
  let count = 0;
  for (let n = 0; n < filling.wallets; n += 1) {
    count += writeWallet(n, filling, { wallets, transactions, holds, lines });
    if (copies.some((copy) => copy.waiting() >= chunkRows)) {
      for (const copy of copies) await copy.flush();
    }
  }
  for (const copy of copies) await copy.end();
  return count;
}

type Copies = {
  readonly wallets: Copy;
  readonly transactions: Copy;
  readonly holds: Copy;
  readonly lines: Copy;
};

function writeWallet(n: number, filling: Filling, to: Copies): number {
  const userId = userIdOf(n);
  const walletId = walletIdOf(userId, 'BRL');
  const count = filling.entriesOf(n);
  const stepMs = Math.floor((filling.daysOf(n) * dayMs) / (count + 1));
  const startMs = Date.now() - stepMs * count;
  let hash = genesisHash(walletId, userId, 'BRL');
  let [balanceMinor, debitedMinor, heldAfterMinor] = [0n, 0n, 0n];
  let at = '';
  const linked =
    filling.hasLinks === true ? listLinked(n, filling.wallets) : new Map<number, Move>();
  for (let seq = 1; seq <= count; seq += 1) {
    const move = linked.get(seq) ?? toPlain(walletId, seq);
    const { id, operation, amountMinor, contraAccount, parentId, usedMinor, wholeMinor } = move;
    const { heldMinor = 0n, expiresAt } = move;
    balanceMinor += amountMinor;
    if (amountMinor < 0n) debitedMinor -= amountMinor;
    heldAfterMinor += heldMinor;
    const occurredAtMs = startMs + stepMs * (seq - 1);
    const previousHash = hash;
    const reserved = { held: heldMinor || null, heldAfter: heldAfterMinor || null };
    hash = chainHash(previousHash, {
      id,
      seq: BigInt(seq),
      operation,
      amountMinor,
      balanceAfterMinor: balanceMinor,
      contraAccount,
      parentId,
      source: 'grpc',
      actor: 'fill',
      description: undefined,
      metadata: expiresAt === undefined ? {} : { 'dw.expiresAt': expiresAt },
      more: toChainedMore({ parentUsed: usedMinor, groupId: null, ...reserved }),
      occurredAtMs,
    });
    at = new Date(occurredAtMs).toISOString();
    const { code } = operationTable[operation];
    const [parent, used, whole] = [parentId, usedMinor, wholeMinor].map(orNull);
    const rest = [reserved.held, reserved.heldAfter].map(orNull).join('\t');
    const metadata = orNull(expiresAt && `{"dw.expiresAt":"${expiresAt}"}`);
    const money = `${code}\t${amountMinor}\t${balanceMinor}\t${contraAccount}\t${parent}`;
    const end = `${at}\t\\\\x${hash}`;
    const sums = `${debitedMinor}\t${used}\t${whole}\t${rest}`;
    const entry = `${walletId}\t${seq}\t${id}\t${money}\t1\tfill\t\\N\t${metadata}\t${end}`;
    to.transactions.add(`${entry}\t${sums}`);
    const chained = `\\\\x${previousHash}\tgrpc\tfill\t${metadata}\t${used}\t${rest}`;
    to.lines.add(`${walletId}\t${seq}\t${id}\t${userId}\tBRL\t${money}\t\\N\t${end}\t${chained}`);
    if (move.hold) to.holds.add(toHoldRow(walletId, seq, move, at, startMs + stepMs * 10));
  }
  const head = `${balanceMinor}\t${count}\t${at}\t\\\\x${hash}\t${debitedMinor}`;
  const next = heldAfterMinor > 0n ? neverAt : '\\N';
  to.wallets.add(`${walletId}\t${userId}\tBRL\t2\tactive\t${head}\t${heldAfterMinor}\t${next}`);
  return count;
}

const orNull = (value: string | bigint | null | undefined): string => String(value ?? '\\N');

function toHoldRow(
  walletId: string,
  seq: number,
  { id, heldMinor = 0n, contraAccount, hold }: Move,
  placedAt: string,
  closedAtMs: number,
): string {
  const { isUsed = false, capturedMinor = 0n } = hold ?? {};
  const used = isUsed ? heldMinor : 0n;
  const state = isUsed ? 'captured' : 'open';
  const closed = isUsed ? new Date(closedAtMs).toISOString() : '\\N';
  return [
    ...[walletId, id, seq, heldMinor, used, capturedMinor, state, contraAccount],
    ...[placedAt, neverAt, closed],
  ].join('\t');
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
