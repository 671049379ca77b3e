-- Applied after every migration.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {{runtime_role}};
GRANT USAGE ON SCHEMA public TO {{runtime_role}};
GRANT SELECT ON schema_migrations TO {{runtime_role}};
GRANT SELECT, INSERT ON statement_lines, audit_log TO {{runtime_role}};
GRANT SELECT, INSERT, UPDATE (state, decided_at, decided_by) ON dead_letters TO {{runtime_role}}
