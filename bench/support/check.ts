import { setTimeout as sleep } from 'node:timers/promises';

import { chainHash, genesisHash, toChainedMore, type ChainedFields } from '../../core/chain.ts';
import { operationOfCode } from '../../core/operations.ts';
import type { Product } from './product.ts';
import type { BenchServer } from './server.ts';

/**
 * Throws unless the books are in order: as many entries as were answered, sums, sequences, and the
 * hash chains of a sample.
 */
export async function checkLedger(
  server: BenchServer,
  product: Product,
  expectedEntries: bigint,
): Promise<void> {
  const wallet = product.databases.nameOf('wallet');
  const [row] = await server.query<Record<'entries' | 'amounts' | 'seqs' | 'balances', bigint>>(
    wallet,
    `SELECT t.entries, t.amounts, w.seqs, w.balances
     FROM (SELECT count(*) AS entries, coalesce(sum(amount), 0) AS amounts FROM transactions) t,
       (SELECT coalesce(sum(seq), 0) AS seqs, coalesce(sum(balance), 0) AS balances
        FROM wallets) w`,
  );
  if (!row) throw new Error('the ledger gave no sums');
  if (row.entries !== expectedEntries) {
    throw new Error(`${row.entries} entries in the ledger, ${expectedEntries} were answered`);
  }
  if (row.amounts !== row.balances) {
    throw new Error(`the balances sum to ${row.balances}, the entries to ${row.amounts}`);
  }
  if (row.entries !== row.seqs) {
    throw new Error(`${row.entries} entries, but the sequences say ${row.seqs}`);
  }
  await checkChains(server, wallet);
}

type Entry = {
  wallet_id: string;
  user_id: string;
  currency: string;
  seq: bigint;
  id: string;
  operation: number;
  amount: bigint;
  balance_after: bigint;
  contra_account: string;
  parent_id: string | null;
  source: number;
  actor: string;
  description: string | null;
  metadata: Record<string, string> | null;
  held: bigint | null;
  held_after: bigint | null;
  parent_used: bigint | null;
  group_id: string | null;
  at_ms: bigint;
  hash: Buffer;
};

/** The newest entries of some wallets: a whole ledger of millions would not fit into memory. */
async function checkChains(server: BenchServer, wallet: string): Promise<void> {
  const rows = await server.query<Entry>(
    wallet,
    `SELECT t.*, w.user_id, w.currency,
       (extract(epoch FROM t.occurred_at) * 1000)::bigint AS at_ms
     FROM (SELECT * FROM wallets ORDER BY id LIMIT 200) w
     JOIN transactions t ON t.wallet_id = w.id AND t.seq > w.seq - 500
     ORDER BY t.wallet_id, t.seq`,
  );
  let previous: Entry | undefined;
  for (const row of rows) {
    const isSame = previous?.wallet_id === row.wallet_id;
    const before = isSame
      ? previous?.hash.toString('hex')
      : row.seq === 1n
        ? genesisHash(row.wallet_id, row.user_id, row.currency)
        : undefined;
    const isNext = !isSame || row.seq === (previous?.seq ?? 0n) + 1n;
    if (!isNext || (before && chainHash(before, toChained(row)) !== row.hash.toString('hex'))) {
      throw new Error(`the chain of wallet ${row.wallet_id} breaks at seq ${row.seq}`);
    }
    previous = row;
  }
}

function toChained(row: Entry): ChainedFields {
  return {
    id: row.id,
    seq: row.seq,
    operation: operationOfCode(row.operation),
    amountMinor: row.amount,
    balanceAfterMinor: row.balance_after,
    contraAccount: row.contra_account,
    parentId: row.parent_id ?? undefined,
    source: row.source === 2 ? 'message' : 'grpc',
    actor: row.actor,
    description: row.description ?? undefined,
    metadata: row.metadata ?? {},
    more: toChainedMore({
      held: row.held,
      heldAfter: row.held_after,
      parentUsed: row.parent_used,
      groupId: row.group_id,
    }),
    occurredAtMs: Number(row.at_ms),
  };
}

/** As `waitUntilEmpty`, and a checkpoint, so that nothing of it is left to the next measurement. */
export async function waitUntilDrained(server: BenchServer, product: Product): Promise<void> {
  await waitUntilEmpty(server, product);
  await server.query('postgres', 'CHECKPOINT');
}

/** Waits until every event has left the outbox; without a broker its line is there then. */
export async function waitUntilEmpty(server: BenchServer, product: Product): Promise<void> {
  for (;;) {
    const [row] = await server.query<{ waiting: bigint }>(
      product.databases.nameOf('wallet'),
      'SELECT count(*) AS waiting FROM outbox',
    );
    if (row?.waiting === 0n) return;
    await sleep(200);
  }
}
