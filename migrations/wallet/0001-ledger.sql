-- min-compatible: 1

-- One row per user and currency. id is UUIDv5 of both, so it needs no lookup and no second key.
-- The free space in each page keeps updates of the balance within it (HOT), since every
-- transaction updates its wallet and no indexed column changes.
CREATE TABLE wallets (
  id uuid PRIMARY KEY,
  user_id uuid NOT NULL,
  currency text NOT NULL,
  exponent smallint NOT NULL,
  status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'frozen')),
  balance bigint NOT NULL CHECK (balance >= 0 AND balance < 1000000000000000000),
  seq bigint NOT NULL CHECK (seq >= 0),
  last_at timestamptz NOT NULL,
  last_hash bytea NOT NULL
) WITH (fillfactor = 50);

-- The ledger. A row is a double entry: amount goes to the wallet (above 0) or from it (below 0),
-- and the opposite to contra_account. operation: 1 deposit, 2 withdraw, 3 purchase, 4 reversal,
-- 5 cancellation. source: 1 gRPC, 2 message. No foreign key to wallets: each insert holds its
-- wallet's lock already, and the check would cost as much again per row.
CREATE TABLE transactions (
  wallet_id uuid NOT NULL,
  seq bigint NOT NULL CHECK (seq > 0),
  id uuid NOT NULL,
  operation smallint NOT NULL CHECK (operation BETWEEN 1 AND 5),
  amount bigint NOT NULL CHECK (amount <> 0),
  balance_after bigint NOT NULL CHECK (balance_after >= 0),
  contra_account text NOT NULL,
  parent_id uuid,
  source smallint NOT NULL,
  actor text NOT NULL,
  description text,
  metadata json,
  occurred_at timestamptz NOT NULL,
  hash bytea NOT NULL,
  PRIMARY KEY (wallet_id, seq),
  UNIQUE (id, wallet_id)
);

-- At most one undo per parent, under any concurrency.
CREATE UNIQUE INDEX transactions_one_undo ON transactions (wallet_id, parent_id)
  WHERE parent_id IS NOT NULL;

-- Messages of commits that have not been sent yet, one row per commit.
CREATE TABLE outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  events json NOT NULL,
  event_count integer NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Which daemon sends the outbox; token grows with each change of hands.
CREATE TABLE relay_leases (
  name text PRIMARY KEY,
  holder uuid NOT NULL,
  token bigint NOT NULL,
  expires_at timestamptz NOT NULL
);
