-- min-compatible: 4

-- Up to when a wallet's past has been told to somebody. A commit whose clock was read before that
-- is decided again: it would add to what was told. A program that does not write it would tell a
-- past that can still change.
ALTER TABLE wallets ADD COLUMN settled_at timestamptz NOT NULL DEFAULT '-infinity';
