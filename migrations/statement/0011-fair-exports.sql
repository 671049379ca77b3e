-- min-compatible: 1

-- Requesters take turns: whose export was taken last has the highest number.
ALTER TABLE export_requesters ADD COLUMN turn bigint NOT NULL DEFAULT 0;
CREATE INDEX export_requesters_turn ON export_requesters (turn);

-- Files of exports that have ended are deleted in portions; true once nothing of one is left.
ALTER TABLE exports ADD COLUMN is_file_gone boolean NOT NULL DEFAULT false;
CREATE INDEX exports_files ON exports (id)
  WHERE status IN ('failed', 'inconsistent', 'expired') AND NOT is_file_gone;
