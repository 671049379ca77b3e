-- min-compatible: 1

-- email is in its canonical form (auth/domain.ts); password_hash is an argon2id PHC string.
CREATE TABLE users (
  id uuid PRIMARY KEY,
  email text NOT NULL CONSTRAINT users_email UNIQUE,
  password_hash text NOT NULL,
  role text NOT NULL CHECK (role IN ('customer', 'operator', 'admin')),
  disabled boolean NOT NULL DEFAULT false,
  email_verified boolean NOT NULL,
  -- Decides whether sign-in needs a second factor: it changes with the user's row, under its lock.
  totp_enabled boolean NOT NULL DEFAULT false,
  -- Device tokens carry this number; those with another one are void. Random, so that a token of
  -- one account is not valid for the next account with the same address.
  device_epoch integer NOT NULL DEFAULT floor(random() * 900000000)::integer,
  -- Access tokens carry this number. It grows when all tokens of the user are revoked: tokens with
  -- a smaller number are void, independent of the clock.
  token_generation bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- Pages of users, newest first.
CREATE INDEX users_created_at ON users (created_at, id);
CREATE INDEX users_role ON users (role, created_at, id);

-- browser_token_hash: of a browser session, the SHA-256 of its token. Such a session ends at
-- expires_at unless it is used before: each use moves that, up to 30 days after created_at.
CREATE TABLE sessions (
  id uuid PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES users (id),
  client text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_used_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz,
  browser_token_hash bytea
);
CREATE UNIQUE INDEX sessions_browser_token ON sessions (browser_token_hash)
  WHERE browser_token_hash IS NOT NULL;
CREATE INDEX sessions_of_user ON sessions (user_id, created_at, id);
CREATE INDEX sessions_expires_at ON sessions (expires_at);
-- Revoked sessions are deleted after an hour: opening many leaves no rows for a month.
CREATE INDEX sessions_revoked_at ON sessions (revoked_at) WHERE revoked_at IS NOT NULL;

-- Every refresh token that was issued, by its SHA-256. used_at is when it was exchanged for the
-- next one; a used token that is presented after the grace period was stolen.
CREATE TABLE refresh_tokens (
  token_hash bytea PRIMARY KEY,
  session_id uuid NOT NULL REFERENCES sessions (id),
  issued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  used_at timestamptz
);
CREATE INDEX refresh_tokens_session_id ON refresh_tokens (session_id);

-- The feed of revocations that every process follows. A row matters as long as an access token
-- lives. generation: users.token_generation after the revocation; NULL where the time decides.
CREATE TABLE revocations (
  kind text NOT NULL CHECK (kind IN ('session', 'user', 'api-key')),
  subject_id uuid NOT NULL,
  revoked_at timestamptz NOT NULL,
  generation bigint,
  PRIMARY KEY (kind, subject_id, revoked_at)
);
-- Pages of the feed, in its order.
CREATE INDEX revocations_page ON revocations (revoked_at, kind, subject_id);

-- Credentials of programs. secret_hash is the SHA-256 of the whole secret, prefix its visible
-- start. No operations, or no wallet: the key is not limited in that way.
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
-- Keys are deleted some time after they were revoked or expired.
CREATE INDEX api_keys_revoked_at ON api_keys (revoked_at) WHERE revoked_at IS NOT NULL;
CREATE INDEX api_keys_expires_at ON api_keys (expires_at);

-- Failed attempts to authenticate (auth/throttling/throttle.ts). bucket is a keyed digest of what
-- they count against: an address, with or without an account; a network; a device; a session.
CREATE TABLE attempts (
  bucket bytea PRIMARY KEY,
  count integer NOT NULL,
  blocked_until timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX attempts_expires_at ON attempts (expires_at);

-- Sign-ups that wait for a mailed code; only then is there a row in users. Several can wait for one
-- address, each with its own password and token. network is a keyed digest of the client's network;
-- token_hash is a SHA-256.
CREATE TABLE sign_ups (
  id uuid PRIMARY KEY,
  email text NOT NULL,
  network bytea NOT NULL,
  password_hash text NOT NULL,
  token_hash bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamptz NOT NULL
);
CREATE INDEX sign_ups_email ON sign_ups (email, created_at, id);
CREATE INDEX sign_ups_expires_at ON sign_ups (expires_at);

-- Changes of address that wait for the code mailed to the new one.
CREATE TABLE email_changes (
  user_id uuid PRIMARY KEY REFERENCES users (id),
  id uuid NOT NULL CONSTRAINT email_changes_id UNIQUE,
  new_email text NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX email_changes_expires_at ON email_changes (expires_at);

-- Codes that were mailed, by their SHA-256. subject is the address, or the id of the change of
-- address; mail_id is the mail with the code, which must not be sent again once the code was used.
CREATE TABLE mailed_codes (
  code_hash bytea PRIMARY KEY,
  mail_id uuid NOT NULL,
  purpose text NOT NULL CHECK (purpose IN ('sign-up', 'password-reset', 'email-change')),
  subject text NOT NULL,
  guesses integer NOT NULL DEFAULT 0,
  expires_at timestamptz NOT NULL
);
CREATE INDEX mailed_codes_subject ON mailed_codes (subject, purpose);
CREATE INDEX mailed_codes_expires_at ON mailed_codes (expires_at);

-- Outbox of mails: written in the transaction that they report, deleted when sent or given up. They
-- contain no code: it is derived from the id when the mail is sent. attempt is the fencing token of
-- the lease.
CREATE TABLE mails (
  id uuid PRIMARY KEY,
  kind text NOT NULL,
  recipient text NOT NULL,
  details json NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  attempt integer NOT NULL DEFAULT 0
);
CREATE INDEX mails_due_at ON mails (due_at, id);
-- Finds the oldest mail, whenever it is due again.
CREATE INDEX mails_created_at ON mails (created_at, id);

-- Second factor (RFC 6238). secret is encrypted with a key derived from the signing key
-- (auth/totp/seal.ts); key_id names that key. Until a code confirms the secret, session_id is the
-- session that requested it and enabled_at is NULL. last_step is the last time step whose code was
-- used. failed_at_ms: the latest wrong codes, in milliseconds since the epoch.
CREATE TABLE totp_secrets (
  user_id uuid PRIMARY KEY REFERENCES users (id),
  key_id bytea NOT NULL,
  secret bytea NOT NULL,
  session_id uuid,
  begun_at timestamptz NOT NULL,
  enabled_at timestamptz,
  last_step bigint,
  failed_at_ms bigint[] NOT NULL DEFAULT '{}'
);

-- Unused recovery codes, by their SHA-256. A code is deleted when it is used.
CREATE TABLE recovery_codes (
  user_id uuid NOT NULL REFERENCES users (id),
  code_hash bytea NOT NULL,
  PRIMARY KEY (user_id, code_hash)
);

-- Which user did what to accounts, sessions and keys. Append-only.
CREATE TABLE audit_log (
  id uuid PRIMARY KEY,
  occurred_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  actor text NOT NULL,
  actor_role text NOT NULL,
  action text NOT NULL,
  target text NOT NULL,
  result text NOT NULL,
  request_id text NOT NULL,
  details json NOT NULL,
  -- A packed row has the lines of one actor that were recorded together: what they share is in the
  -- row's columns, each has its place in lines. The first element of lines names the others'.
  line_count smallint NOT NULL DEFAULT 1,
  lines json
);
ALTER TABLE audit_log ALTER COLUMN lines SET STORAGE EXTERNAL;
CREATE INDEX audit_log_time ON audit_log (occurred_at, id);
CREATE INDEX audit_log_actor ON audit_log (actor, occurred_at, id);
CREATE INDEX audit_log_action ON audit_log (action, occurred_at, id);
-- A target may be longer than an index entry may be: its start is selective enough.
CREATE INDEX audit_log_target ON audit_log (left(target, 64), occurred_at, id);

-- Where lines of packed rows are found by their target, with their number in that row. Append-only.
CREATE TABLE audit_targets (
  target uuid NOT NULL,
  occurred_at timestamptz NOT NULL,
  audit_id uuid NOT NULL,
  line_count smallint NOT NULL
);
CREATE INDEX audit_targets_time ON audit_targets (target, occurred_at, audit_id);
