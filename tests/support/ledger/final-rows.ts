import type { LedgerRow } from './chain.ts';
import { queryService } from './ledger.ts';

/** A row of `transactions`, with the owner of its wallet; empty texts if it has no wallet. */
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
  readonly held?: string;
  /** Its spending limits, in minor units; null without any. */
  readonly limits?: LimitsRow | null;
};

export type LimitsRow = {
  readonly perTransaction?: string;
  readonly day?: string;
  readonly week?: string;
  readonly month?: string;
  readonly rolling?: readonly { readonly hours: number; readonly amount: string }[];
  readonly timezone?: string;
};

/** A row of `holds`. */
export type HoldRow = {
  readonly wallet_id: string;
  readonly id: string;
  readonly seq: string;
  readonly amount: string;
  readonly used: string;
  readonly captured: string;
  readonly state: string;
  readonly contra_account: string;
  readonly expires_ms: string;
};

/** A message that was refused. */
export type RefusalRow = {
  readonly transaction_id: string;
  readonly wallet_id: string;
  readonly message_id: string;
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
};

/** What the databases hold once all faults have ended and everything has come to rest. */
export type FinalRows = {
  readonly wallets: readonly WalletRow[];
  /** By wallet and seq. */
  readonly entries: readonly EntryRow[];
  readonly lines: readonly LineRow[];
  readonly holds?: readonly HoldRow[];
  readonly refusals: readonly RefusalRow[];
  /** Contradictions that the statement service has recorded. */
  readonly divergences: number;
  readonly outboxRows: number;
};

/** The rest of the columns; `of` names the table where another one has some of them, too. */
const columns = (of = ''): string => `${of}seq, operation, amount, balance_after,
  contra_account, parent_id, source, actor, description, encode(hash, 'hex') AS hash,
  ${of}held, held_after, parent_used, group_id,
  (extract(epoch FROM occurred_at) * 1000)::bigint::text AS at_ms`;

/** Reads the rows of a run past the daemons. */
export async function readFinalRows(dataDir: string): Promise<FinalRows> {
  const wallet = <Row extends object>(text: string) => queryService<Row>(dataDir, 'wallet', text);
  const statement = <Row extends object>(text: string) =>
    queryService<Row>(dataDir, 'statement', text);
  const countOf = async (rows: Promise<{ count: number }[]>): Promise<number> =>
    (await rows)[0]?.count ?? -1;
  return {
    wallets: await wallet<WalletRow>(
      `SELECT id, balance, seq, encode(last_hash, 'hex') AS last_hash, held, limits FROM wallets`,
    ),
    holds: await wallet<HoldRow>(
      `SELECT wallet_id, id, seq, amount, used, captured, state, contra_account,
         (extract(epoch FROM expires_at) * 1000)::bigint::text AS expires_ms FROM holds`,
    ),
    entries: await wallet<EntryRow>(
      `SELECT t.id, wallet_id, coalesce(user_id::text, '') AS user_id,
         coalesce(currency, '') AS currency, t.metadata, ${columns('t.')}
       FROM transactions t LEFT JOIN wallets w ON w.id = wallet_id ORDER BY wallet_id, t.seq`,
    ),
    lines: await statement<LineRow>(
      `SELECT transaction_id AS id, wallet_id, user_id, currency, metadata::json, ${columns()},
         encode(previous_hash, 'hex') AS previous_hash
       FROM statement_lines ORDER BY wallet_id, seq`,
    ),
    refusals: await wallet<RefusalRow>(
      'SELECT transaction_id, wallet_id, message_id, reason, metadata FROM inbox',
    ),
    divergences: await countOf(statement('SELECT count(*)::int AS count FROM divergences')),
    outboxRows: await countOf(wallet('SELECT count(*)::int AS count FROM outbox')),
  };
}
