-- min-compatible: 1

CREATE INDEX audit_log_action ON audit_log (action, occurred_at, id);
-- A target may be longer than an index takes: as much as tells them apart.
DROP INDEX audit_log_target;
CREATE INDEX audit_log_target ON audit_log (left(target, 64), occurred_at, id);
