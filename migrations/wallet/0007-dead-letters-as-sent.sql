-- min-compatible: 1

-- The bytes of the message as they came, cut at a bound and compressed (raw deflate). NULL where they are those
-- of `body`, which is what is shown: without values under names of secrets.
ALTER TABLE dead_letters ADD COLUMN raw bytea;

-- How often the message was put aside, and when last. delivery_id names the last time, so that the
-- same delivery is not counted twice.
ALTER TABLE dead_letters ADD COLUMN received_count integer NOT NULL DEFAULT 1;
ALTER TABLE dead_letters ADD COLUMN received_at timestamptz NOT NULL DEFAULT clock_timestamp();
UPDATE dead_letters SET received_at = created_at;
ALTER TABLE dead_letters ADD COLUMN delivery_id uuid;

-- The replay that has the letter in hand, and until when: no transaction is open meanwhile.
ALTER TABLE dead_letters ADD COLUMN claim_id uuid;
ALTER TABLE dead_letters ADD COLUMN claimed_until timestamptz;

-- Lists of one state, and of one state and reason; those of all states read each.
CREATE INDEX dead_letters_state ON dead_letters (state, created_at, id);
CREATE INDEX dead_letters_reason ON dead_letters (state, reason, created_at, id);
DROP INDEX dead_letters_pending;

-- A target may be a list of ids, longer than an index takes: as much as tells them apart.
CREATE INDEX audit_log_actor ON audit_log (actor, occurred_at, id);
CREATE INDEX audit_log_target ON audit_log (left(target, 64), occurred_at, id);
CREATE INDEX audit_log_action ON audit_log (action, occurred_at, id);
