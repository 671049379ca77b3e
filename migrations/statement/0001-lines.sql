-- min-compatible: 1

-- The projection of the ledger's events. The key makes redelivery and reordering harmless; every
-- value comes from the event, nothing is computed from the balance of the moment.
CREATE TABLE statement_lines (
  wallet_id uuid NOT NULL,
  seq bigint NOT NULL CHECK (seq > 0),
  transaction_id uuid NOT NULL,
  user_id uuid NOT NULL,
  currency text NOT NULL,
  operation smallint NOT NULL CHECK (operation BETWEEN 1 AND 5),
  amount bigint NOT NULL CHECK (amount <> 0),
  balance_after bigint NOT NULL,
  contra_account text NOT NULL,
  parent_id uuid,
  description text,
  occurred_at timestamptz NOT NULL,
  hash bytea NOT NULL,
  PRIMARY KEY (wallet_id, seq)
);
