import type { TestDatabase } from '../postgres/database.ts';
import type { Ledger } from './ledger-rows.ts';

type Dbs = { readonly wallet: TestDatabase; readonly statement: TestDatabase };

const time = (column: string): string =>
  `timestamptz 'epoch' + r.${column} * interval '1 microsecond'`;

const hash = (column: string): string => `decode(r.${column}, 'hex')`;

const money =
  'operation smallint, amount bigint, balance_after bigint, contra_account text, parent_id uuid';
const about = 'actor text, description text, metadata text, micros bigint, hash text';
const rare = 'held bigint, held_after bigint, parent_used bigint, group_id uuid';

/** Makes these rows all that there is in the tables of the two databases. */
export async function writeLedger({ wallet, statement }: Dbs, ledger: Ledger): Promise<void> {
  await wallet.query('TRUNCATE wallets, transactions, holds, outbox');
  await statement.query('TRUNCATE statement_lines');
  await insertLedger((service, text, values) => {
    return service === 'wallet' ? wallet.query(text, values) : statement.query(text, values);
  }, ledger);
}

/** Adds these rows to the tables of the two databases. */
export async function insertLedger(
  query: (service: 'wallet' | 'statement', text: string, values: unknown[]) => Promise<unknown>,
  ledger: Ledger,
): Promise<void> {
  await query(
    'wallet',
    `INSERT INTO wallets (id, user_id, currency, exponent, status, balance, debited, held, floor,
       seq, overdraft_limit, terms_no, next_expiry, last_at, last_hash)
     SELECT id, user_id, currency, exponent, status, balance, debited, held, floor, seq,
       overdraft_limit, terms_no, ${time('next_expiry_micros')}, ${time('last_micros')},
       ${hash('last_hash')}
     FROM json_to_recordset($1) AS r(id uuid, user_id uuid, currency text, exponent smallint,
       status text, balance bigint, debited bigint, held bigint, floor bigint, seq bigint,
       overdraft_limit bigint, terms_no integer, next_expiry_micros bigint, last_micros bigint,
       last_hash text)`,
    [toJson(ledger.wallets)],
  );
  await query(
    'wallet',
    `INSERT INTO transactions (wallet_id, seq, id, operation, amount, balance_after,
       contra_account, parent_id, source, actor, description, metadata, occurred_at, hash,
       held, held_after, parent_used, group_id, parent_amount, debited_after)
     SELECT wallet_id, seq, id, operation, amount, balance_after, contra_account, parent_id,
       source, actor, description, metadata::json, ${time('micros')}, ${hash('hash')},
       held, held_after, parent_used, group_id, parent_amount, debited_after
     FROM json_to_recordset($1) AS r(wallet_id uuid, seq bigint, id uuid, ${money},
       source smallint, ${about}, ${rare}, parent_amount bigint, debited_after bigint)`,
    [toJson(ledger.entries)],
  );
  await query(
    'wallet',
    `INSERT INTO holds (wallet_id, id, seq, amount, used, captured, state, contra_account,
       placed_at, expires_at, closed_at)
     SELECT wallet_id, id, seq, amount, used, captured, state, contra_account,
       ${time('placed_micros')}, ${time('expires_micros')}, ${time('closed_micros')}
     FROM json_to_recordset($1) AS r(wallet_id uuid, id uuid, seq bigint, amount bigint,
       used bigint, captured bigint, state text, contra_account text, placed_micros bigint,
       expires_micros bigint, closed_micros bigint)`,
    [toJson(ledger.holds)],
  );
  await query(
    'statement',
    `INSERT INTO statement_lines (wallet_id, seq, transaction_id, user_id, currency, operation,
       amount, balance_after, contra_account, parent_id, source, actor, description, metadata,
       occurred_at, hash, previous_hash, held, held_after, parent_used, group_id)
     SELECT wallet_id, seq, id, user_id, currency, operation, amount, balance_after,
       contra_account, parent_id, source, actor, description, metadata, ${time('micros')},
       ${hash('hash')}, ${hash('previous_hash')}, held, held_after, parent_used, group_id
     FROM json_to_recordset($1) AS r(wallet_id uuid, seq bigint, id uuid, user_id uuid,
       currency text, ${money}, source text, ${about}, ${rare}, previous_hash text)`,
    [toJson(ledger.lines)],
  );
}

/** Whole numbers as texts, which Postgres reads as numbers of any size. */
const toJson = (rows: readonly object[]): string =>
  JSON.stringify(rows, (_key, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  );
