-- min-compatible: 6

-- Finds the mail that has waited longest, whenever it is due again.
CREATE INDEX mails_created_at ON mails (created_at, id);
