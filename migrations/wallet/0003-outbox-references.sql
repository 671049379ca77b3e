-- min-compatible: 3

-- Events of entries are not copied into the outbox: a row names the entries (a wallet's id and a
-- seq, one entry a line), and the ledger has the rest. events holds the messages that are kept
-- whole, as before; a row may have either or both. batch tells the rows of one commit from those of
-- any other, so that the process that wrote a row need not read its entries again.
ALTER TABLE outbox ALTER COLUMN events DROP NOT NULL;
ALTER TABLE outbox ADD COLUMN entry_refs text;
ALTER TABLE outbox ADD COLUMN batch uuid;
-- Compressing what lives for milliseconds costs more than it saves.
ALTER TABLE outbox ALTER COLUMN entry_refs SET STORAGE EXTERNAL;
ALTER TABLE outbox ALTER COLUMN events SET STORAGE EXTERNAL;
