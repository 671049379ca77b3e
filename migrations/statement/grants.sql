-- Applied after a migration. Names the tables of this service: other roles may have tables here.
-- Only a rebuild from the ledger changes and removes lines.
REVOKE ALL ON schema_migrations, audit_log, statement_lines, export_chunks, outbox, relay_leases
  FROM {{runtime_role}};
REVOKE ALL ON audit_targets, exports, export_requesters, divergences, dead_letters, line_tags,
  search_keys
  FROM {{runtime_role}};
GRANT USAGE ON SCHEMA public TO {{runtime_role}};
GRANT SELECT ON schema_migrations TO {{runtime_role}};
GRANT SELECT, INSERT ON audit_log, audit_targets TO {{runtime_role}};
GRANT SELECT, INSERT, UPDATE, DELETE ON statement_lines, export_chunks, outbox, relay_leases,
  line_tags, search_keys
  TO {{runtime_role}};
GRANT SELECT, INSERT, UPDATE ON exports, export_requesters TO {{runtime_role}};
GRANT SELECT, INSERT, UPDATE (found_no, found_at, resolved_at, resolved_by)
  ON divergences TO {{runtime_role}};
GRANT SELECT, INSERT,
  UPDATE (reason, field, user_id, state, decided_at, decided_by, attempt_id, result,
    received_count, received_at, delivery_id, claim_id, claimed_until)
  ON dead_letters TO {{runtime_role}}
