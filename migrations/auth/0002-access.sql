-- min-compatible: 1

-- Credentials of jobs. secret_hash is the SHA-256 of the whole secret, prefix its visible start. No
-- operations, or no wallet, means that the key is not limited in that way.
CREATE TABLE api_keys (
  id uuid PRIMARY KEY,
  owner_id uuid NOT NULL REFERENCES users (id),
  name text NOT NULL,
  prefix text NOT NULL,
  secret_hash bytea NOT NULL CONSTRAINT api_keys_secret_hash UNIQUE,
  scopes text[] NOT NULL,
  wallet_id uuid,
  operations text[] NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamptz NOT NULL,
  last_used_at timestamptz,
  revoked_at timestamptz
);
CREATE INDEX api_keys_owner ON api_keys (owner_id, created_at, id);

-- Who did what to accounts, sessions and keys. Only ever appended to.
CREATE TABLE audit_log (
  id uuid PRIMARY KEY,
  occurred_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  actor text NOT NULL,
  actor_role text NOT NULL,
  action text NOT NULL,
  target text NOT NULL,
  result text NOT NULL,
  request_id text NOT NULL,
  details json NOT NULL
);
CREATE INDEX audit_log_time ON audit_log (occurred_at, id);
CREATE INDEX audit_log_actor ON audit_log (actor, occurred_at, id);
CREATE INDEX audit_log_target ON audit_log (target, occurred_at, id);

ALTER TABLE revocations DROP CONSTRAINT revocations_kind_check;
ALTER TABLE revocations ADD CONSTRAINT revocations_kind_check
  CHECK (kind IN ('session', 'user', 'api-key'));

-- Pages of users and of one user's sessions, the newest first.
CREATE INDEX users_created_at ON users (created_at, id);
CREATE INDEX users_staff ON users (created_at, id) WHERE role <> 'customer';
CREATE INDEX sessions_of_user ON sessions (user_id, created_at, id);
DROP INDEX sessions_user_id;
