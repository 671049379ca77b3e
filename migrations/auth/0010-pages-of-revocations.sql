-- min-compatible: 1

-- Pages of the feed of revocations, in the order in which they are asked for.
CREATE INDEX revocations_page ON revocations (revoked_at, kind, subject_id);
DROP INDEX revocations_revoked_at;

-- Keys that ended some time ago are forgotten.
CREATE INDEX api_keys_revoked_at ON api_keys (revoked_at) WHERE revoked_at IS NOT NULL;
CREATE INDEX api_keys_expires_at ON api_keys (expires_at);
