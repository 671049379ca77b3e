-- Applied after a migration. Names the tables of this service: other roles may have tables here.
REVOKE ALL ON schema_migrations, audit_log, users, api_keys, sessions, refresh_tokens, revocations
  FROM {{runtime_role}};
REVOKE ALL ON audit_targets, attempts, sign_ups, mails, mailed_codes, email_changes, totp_secrets,
  recovery_codes FROM {{runtime_role}};
GRANT USAGE ON SCHEMA public TO {{runtime_role}};
GRANT SELECT ON schema_migrations TO {{runtime_role}};
GRANT SELECT, INSERT ON audit_log, audit_targets TO {{runtime_role}};
GRANT SELECT, INSERT, UPDATE ON users TO {{runtime_role}};
GRANT SELECT, INSERT, DELETE, UPDATE (last_used_at, revoked_at) ON api_keys TO {{runtime_role}};
GRANT SELECT, INSERT, UPDATE, DELETE ON sessions, refresh_tokens, revocations TO {{runtime_role}};
GRANT SELECT, INSERT, UPDATE, DELETE ON attempts, sign_ups, mails, mailed_codes, email_changes
  TO {{runtime_role}};
GRANT SELECT, INSERT, UPDATE, DELETE ON totp_secrets, recovery_codes TO {{runtime_role}}
