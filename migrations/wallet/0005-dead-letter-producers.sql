-- min-compatible: 1

-- Who sent a message, as the broker has validated it: a replay that changes nothing is theirs.
ALTER TABLE dead_letters ADD COLUMN user_id text;
-- The body is not the one that came: it was cut, values were taken out or characters replaced. Such a
-- letter is replayed with a body only, as an action of the person who gives it.
ALTER TABLE dead_letters ADD COLUMN is_altered boolean NOT NULL DEFAULT false;
UPDATE dead_letters SET is_altered = true
  WHERE is_cut OR body LIKE '%[redacted]%' OR body LIKE '%' || U&'\FFFD' || '%';
-- What the last replay set out to do, written before it is done: a replay that was interrupted
-- after its effect cannot be followed by one with another effect.
ALTER TABLE dead_letters ADD COLUMN attempt_id uuid;
-- What came of a replay: ok, replayed, or the reason for which the ledger refused it.
ALTER TABLE dead_letters ADD COLUMN result text;
