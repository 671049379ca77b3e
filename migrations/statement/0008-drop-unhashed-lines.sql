-- min-compatible: 7

-- Lines from before they had all that their hash covers fit no hash, and would be reported as
-- inconsistent. They are copies of the ledger: `walletd statements rebuild` writes them again, whole. Until
-- then statements of their wallets are incomplete.
DELETE FROM statement_lines WHERE previous_hash IS NULL;
