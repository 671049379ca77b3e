-- min-compatible: 7

-- Everything that a line's hash covers, and the hash before it: each line can be checked by itself and
-- against its neighbours. Lines of before have none of it: their statements are inconsistent until
-- `walletd statements rebuild` has read them from the ledger again.
ALTER TABLE statement_lines ADD COLUMN previous_hash bytea;
ALTER TABLE statement_lines ADD COLUMN source text;
ALTER TABLE statement_lines ADD COLUMN actor text;
-- A JSON object; null if empty.
ALTER TABLE statement_lines ADD COLUMN metadata text;

-- Where events or lines contradict each other or the ledger. Kept after they are resolved, for audit.
-- id follows from wallet, seq, kind and hash: the same contradiction found twice is one row.
CREATE TABLE divergences (
  id uuid PRIMARY KEY,
  wallet_id uuid NOT NULL,
  seq bigint NOT NULL,
  kind text NOT NULL CHECK (kind IN ('own_hash', 'other_hash', 'broken_link', 'ledger')),
  hash bytea NOT NULL,
  -- The event's content as JSON; null where it was too long.
  event text,
  found_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  resolved_at timestamptz,
  resolved_by text
);
CREATE INDEX divergences_open ON divergences (wallet_id, seq) WHERE resolved_at IS NULL;

-- An export whose lines contradict each other or the ledger ends without a file.
ALTER TABLE exports DROP CONSTRAINT exports_status_check;
ALTER TABLE exports ADD CONSTRAINT exports_status_check
  CHECK (status IN ('queued', 'running', 'done', 'failed', 'expired', 'inconsistent'));
