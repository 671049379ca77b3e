-- min-compatible: 6

-- Sign-ups that wait for a mailed code. Several can wait for one address, each with its own password
-- and token; `network` is a keyed digest of where it came from. token_hash is a SHA-256.
DROP TABLE sign_ups;
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

-- Codes that were mailed, by their SHA-256. subject is the address, or the id of the change of address;
-- mail_id is the mail with the code, which must not be sent again once the code was used.
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

-- Mails to be sent: written with what they report, deleted when sent or given up. They hold no code:
-- it is derived from the id when the mail is sent. attempt is the fencing token of the lease.
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

-- Device tokens carry this number; those with an earlier one are void.
-- Random, so that a token of one account is none of the next with the same address.
ALTER TABLE users ADD COLUMN device_epoch integer NOT NULL DEFAULT floor(random() * 900000000)::integer;
