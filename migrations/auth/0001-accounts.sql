-- min-compatible: 1

-- email is in its canonical form (auth/domain.ts); password_hash is an argon2id PHC string.
CREATE TABLE users (
  id uuid PRIMARY KEY,
  email text NOT NULL CONSTRAINT users_email UNIQUE,
  password_hash text NOT NULL,
  role text NOT NULL CHECK (role IN ('customer', 'operator', 'admin')),
  disabled boolean NOT NULL DEFAULT false,
  email_verified boolean NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE sessions (
  id uuid PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES users (id),
  client text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_used_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz
);
CREATE INDEX sessions_user_id ON sessions (user_id);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

-- Every refresh token ever given, by its SHA-256. used_at is set when it was traded for the next;
-- a used one that comes back after the grace tells of theft.
CREATE TABLE refresh_tokens (
  token_hash bytea PRIMARY KEY,
  session_id uuid NOT NULL REFERENCES sessions (id),
  issued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  used_at timestamptz
);
CREATE INDEX refresh_tokens_session_id ON refresh_tokens (session_id);

-- What every process must hear of. Rows matter as long as an access token lives.
CREATE TABLE revocations (
  kind text NOT NULL CHECK (kind IN ('session', 'user')),
  subject_id uuid NOT NULL,
  revoked_at timestamptz NOT NULL,
  PRIMARY KEY (kind, subject_id, revoked_at)
);
CREATE INDEX revocations_revoked_at ON revocations (revoked_at);
