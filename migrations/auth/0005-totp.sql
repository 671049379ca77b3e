-- min-compatible: 5

-- A second factor (RFC 6238). Older programs would sign users in without it. users.totp_enabled is
-- what decides: it changes with the user's row, so that whoever holds that row knows.
ALTER TABLE users ADD COLUMN totp_enabled boolean NOT NULL DEFAULT false;

-- secret is encrypted with a key that follows from the signing key (auth/totp/seal.ts); key_id says
-- from which. Until a code confirms it, session_id is the session that began it and enabled_at is
-- null. last_step is the last time step whose code was used. failed_at_ms: the latest wrong codes,
-- milliseconds since the epoch.
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

-- The codes that are left, by the SHA-256 of each. A code that was used is deleted.
CREATE TABLE recovery_codes (
  user_id uuid NOT NULL REFERENCES users (id),
  code_hash bytea NOT NULL,
  PRIMARY KEY (user_id, code_hash)
);
