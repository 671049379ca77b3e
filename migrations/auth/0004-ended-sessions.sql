-- min-compatible: 1

-- Sessions that were ended are forgotten after an hour: opening many leaves no rows for a month.
CREATE INDEX sessions_revoked_at ON sessions (revoked_at) WHERE revoked_at IS NOT NULL;
