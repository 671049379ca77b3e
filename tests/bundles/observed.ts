import { inflateRawSync } from 'node:zlib';

import type { Site } from '../faults/site.ts';
import type { LedgerRow } from '../support/ledger/chain.ts';
import { queryService } from '../support/ledger/ledger.ts';
import type { Heard } from './listener.ts';

/** A row of `transactions`, with the owner of its wallet. */
export type EntryRow = LedgerRow & {
  readonly wallet_id: string;
  readonly user_id: string;
  readonly currency: string;
  readonly hash: string;
};
/** A row of `statement_lines`, in the terms of an entry. */
export type LineRow = Omit<EntryRow, 'source'> & {
  readonly source: string;
  readonly previous_hash: string;
};
export type WalletRow = {
  readonly id: string;
  readonly balance: string;
  readonly seq: string;
  readonly last_hash: string;
};
/** A message that was refused. */
export type RefusalRow = {
  readonly transaction_id: string;
  readonly wallet_id: string;
  readonly message_id: string;
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
};
export type LetterRow = {
  readonly message_id: string | null;
  readonly reason: string;
  readonly field: string | null;
  /** What was received, each byte as a character. */
  readonly content: string;
};

/** All that the run has left behind. Mutants change it after the fact. */
export type Observed = {
  readonly wallets: readonly WalletRow[];
  /** By wallet and seq. */
  readonly entries: readonly EntryRow[];
  readonly lines: readonly LineRow[];
  readonly refusals: readonly RefusalRow[];
  readonly letters: readonly LetterRow[];
  readonly divergences: number;
  readonly outboxRows: number;
  readonly heard: readonly Heard[];
};

const entryColumns = `seq, operation, amount, balance_after, contra_account, parent_id, source,
  actor, description, encode(hash, 'hex') AS hash,
  (extract(epoch FROM occurred_at) * 1000)::bigint::text AS at_ms`;

export async function observe({ dataDir }: Site, heard: readonly Heard[]): Promise<Observed> {
  const wallet = <Row extends object>(text: string) => queryService<Row>(dataDir, 'wallet', text);
  const statement = <Row extends object>(text: string) =>
    queryService<Row>(dataDir, 'statement', text);
  const countIn = async (rows: Promise<{ count: number }[]>): Promise<number> =>
    (await rows)[0]?.count ?? -1;
  return {
    wallets: await wallet<WalletRow>(
      `SELECT id, balance, seq, encode(last_hash, 'hex') AS last_hash FROM wallets`,
    ),
    entries: await wallet<EntryRow>(
      `SELECT t.id, wallet_id, user_id, currency, t.metadata, ${entryColumns.replace('seq', 't.seq')}
       FROM transactions t JOIN wallets w ON w.id = wallet_id ORDER BY wallet_id, t.seq`,
    ),
    lines: await statement<LineRow>(
      `SELECT transaction_id AS id, wallet_id, user_id, currency, metadata::json, ${entryColumns},
         encode(previous_hash, 'hex') AS previous_hash
       FROM statement_lines ORDER BY wallet_id, seq`,
    ),
    refusals: await wallet<RefusalRow>(
      'SELECT transaction_id, wallet_id, message_id, reason, metadata FROM inbox',
    ),
    letters: [
      ...(await readLetters(dataDir, 'wallet')),
      ...(await readLetters(dataDir, 'statement')),
    ],
    divergences: await countIn(statement('SELECT count(*)::int AS count FROM divergences')),
    outboxRows: await countIn(wallet('SELECT count(*)::int AS count FROM outbox')),
    heard,
  };
}

async function readLetters(dataDir: string, service: string): Promise<LetterRow[]> {
  const rows = await queryService<LetterRow & { body: string; raw: Buffer | null }>(
    ...([
      dataDir,
      service,
      'SELECT message_id, reason, field, body, raw FROM dead_letters',
    ] as const),
  );
  return rows.map(({ message_id, reason, field, body, raw }) => ({
    ...{ message_id, reason, field },
    content: (raw ? inflateRawSync(raw) : Buffer.from(body)).toString('latin1'),
  }));
}
