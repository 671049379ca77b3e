-- Applied after every migration. Lines are changed and removed by a rebuild from the ledger only.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {{runtime_role}};
GRANT USAGE ON SCHEMA public TO {{runtime_role}};
GRANT SELECT ON schema_migrations TO {{runtime_role}};
GRANT SELECT, INSERT ON audit_log TO {{runtime_role}};
GRANT SELECT, INSERT, UPDATE, DELETE ON statement_lines, export_chunks, outbox, relay_leases TO {{runtime_role}};
GRANT SELECT, INSERT, UPDATE ON exports, export_requesters TO {{runtime_role}};
GRANT SELECT, INSERT, UPDATE (resolved_at, resolved_by) ON divergences TO {{runtime_role}};
GRANT SELECT, INSERT, UPDATE (reason, field, user_id, state, decided_at, decided_by, attempt_id, result, received_count, received_at, delivery_id, claim_id, claimed_until) ON dead_letters TO {{runtime_role}}
