-- min-compatible: 7

-- In the order in which divergences were found, or found again, whatever the clock was: a rebuild
-- resolves those that were there before it began.
ALTER TABLE divergences ADD COLUMN found_no bigint GENERATED ALWAYS AS IDENTITY;
CREATE UNIQUE INDEX divergences_found ON divergences (found_no);
