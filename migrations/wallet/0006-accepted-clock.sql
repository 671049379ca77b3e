-- min-compatible: 1

-- Up to when an operator lets a wallet be ahead of the clock: the latest of its last transaction and
-- its read watermark when that was accepted. NULL for nearly all wallets. A program that does not
-- know it goes on refusing such a wallet.
ALTER TABLE wallets ADD COLUMN ahead_accepted_at timestamptz;
