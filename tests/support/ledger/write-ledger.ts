import type { TestDatabase } from '../postgres/database.ts';
import type { Ledger } from './ledger-rows.ts';

type Dbs = { readonly wallet: TestDatabase; readonly statement: TestDatabase };

const time = (column: string): string =>
  `timestamptz 'epoch' + r.${column} * interval '1 microsecond'`;

const hash = (column: string): string => `decode(r.${column}, 'hex')`;

const money =
  'operation smallint, amount bigint, balance_after bigint, contra_account text, parent_id uuid';
const about = 'actor text, description text, metadata text, micros bigint, hash text';

/** Makes these rows all that there is in the tables of the two databases. */
export async function writeLedger({ wallet, statement }: Dbs, ledger: Ledger): Promise<void> {
  await wallet.query('TRUNCATE wallets, transactions, outbox');
  await statement.query('TRUNCATE statement_lines');
  await wallet.query(
    `INSERT INTO wallets (id, user_id, currency, exponent, balance, seq, last_at, last_hash)
     SELECT id, user_id, currency, exponent, balance, seq, ${time('last_micros')},
       ${hash('last_hash')}
     FROM json_to_recordset($1) AS r(id uuid, user_id uuid, currency text, exponent smallint,
       balance bigint, seq bigint, last_micros bigint, last_hash text)`,
    [toJson(ledger.wallets)],
  );
  await wallet.query(
    `INSERT INTO transactions (wallet_id, seq, id, operation, amount, balance_after,
       contra_account, parent_id, source, actor, description, metadata, occurred_at, hash)
     SELECT wallet_id, seq, id, operation, amount, balance_after, contra_account, parent_id,
       source, actor, description, metadata::json, ${time('micros')}, ${hash('hash')}
     FROM json_to_recordset($1) AS r(wallet_id uuid, seq bigint, id uuid, ${money},
       source smallint, ${about})`,
    [toJson(ledger.entries)],
  );
  await statement.query(
    `INSERT INTO statement_lines (wallet_id, seq, transaction_id, user_id, currency, operation,
       amount, balance_after, contra_account, parent_id, source, actor, description, metadata,
       occurred_at, hash, previous_hash)
     SELECT wallet_id, seq, id, user_id, currency, operation, amount, balance_after,
       contra_account, parent_id, source, actor, description, metadata, ${time('micros')},
       ${hash('hash')}, ${hash('previous_hash')}
     FROM json_to_recordset($1) AS r(wallet_id uuid, seq bigint, id uuid, user_id uuid,
       currency text, ${money}, source text, ${about}, previous_hash text)`,
    [toJson(ledger.lines)],
  );
}

/** Whole numbers as texts, which Postgres reads as numbers of any size. */
const toJson = (rows: readonly object[]): string =>
  JSON.stringify(rows, (_key, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  );
