-- min-compatible: 1

-- The outbox looks like the one of the ledger. Here every message is kept whole, in events.
ALTER TABLE outbox ALTER COLUMN events DROP NOT NULL;
ALTER TABLE outbox ADD COLUMN entry_refs text;
ALTER TABLE outbox ADD COLUMN batch uuid;
