-- Applied after a migration. Names the tables of this service: other roles may have tables here.
-- The runtime role appends to the ledger and never changes it.
REVOKE ALL ON schema_migrations, transactions, inbox, audit_log, wallets FROM {{runtime_role}};
REVOKE ALL ON holds FROM {{runtime_role}};
REVOKE ALL ON audit_targets, dead_letters, outbox, relay_leases FROM {{runtime_role}};
REVOKE ALL ON checkpoints, checkpoint_leaves, checkpoint_keys FROM {{runtime_role}};
GRANT USAGE ON SCHEMA public TO {{runtime_role}};
GRANT SELECT ON schema_migrations TO {{runtime_role}};
GRANT SELECT, INSERT ON transactions, inbox, audit_log, audit_targets TO {{runtime_role}};
GRANT SELECT, INSERT ON checkpoints, checkpoint_leaves, checkpoint_keys TO {{runtime_role}};
GRANT SELECT, INSERT,
  UPDATE (status, balance, seq, last_at, last_hash, read_watermark, ahead_accepted_at, held,
    debited, overdraft_limit, floor, terms_no, limits, next_expiry)
  ON wallets TO {{runtime_role}};
GRANT SELECT, INSERT, UPDATE (used, captured, state, closed_at) ON holds TO {{runtime_role}};
GRANT SELECT, INSERT,
  UPDATE (reason, field, user_id, state, decided_at, decided_by, attempt_id, result,
    received_count, received_at, delivery_id, claim_id, claimed_until)
  ON dead_letters TO {{runtime_role}};
GRANT SELECT, INSERT, UPDATE, DELETE ON outbox, relay_leases TO {{runtime_role}}
