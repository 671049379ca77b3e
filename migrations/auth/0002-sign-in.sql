-- min-compatible: 1

-- Attempts that count against somebody (auth/throttle.ts). bucket is a keyed digest of who: an
-- address, whether or not it has an account; a network; a device; a session.
CREATE TABLE attempts (
  bucket bytea PRIMARY KEY,
  count integer NOT NULL,
  blocked_until timestamptz NOT NULL,
  forgotten_at timestamptz NOT NULL
);
CREATE INDEX attempts_forgotten_at ON attempts (forgotten_at);

-- Accounts to be, until the mailed code comes back; only then there is a row in users. code_hash is
-- the SHA-256 of the code.
CREATE TABLE sign_ups (
  email text PRIMARY KEY,
  password_hash text NOT NULL,
  code_hash bytea NOT NULL CONSTRAINT sign_ups_code UNIQUE,
  expires_at timestamptz NOT NULL
);
CREATE INDEX sign_ups_expires_at ON sign_ups (expires_at);
