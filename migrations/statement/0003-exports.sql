-- min-compatible: 1

-- Statements that are written to a file. The row is the truth; a message only wakes a worker.
-- id follows from requester and idempotency key. attempt is the fence: it grows each time a worker
-- takes the row, and what an older attempt would still write changes nothing. Both leases (of the
-- work, and of the mail) go by the database's clock.
CREATE TABLE exports (
  id uuid PRIMARY KEY,
  requested_by uuid NOT NULL,
  requester_role text NOT NULL,
  idempotency_key text NOT NULL,
  -- SHA-256 over what was asked for, before defaults were filled in.
  request_digest bytea NOT NULL,
  user_id uuid NOT NULL,
  wallet_id uuid NOT NULL,
  currency text NOT NULL,
  range_from timestamptz NOT NULL,
  range_to timestamptz NOT NULL,
  -- False where the request left the end to the server: the same request later means another range.
  is_end_given boolean NOT NULL,
  timezone text NOT NULL,
  locale text NOT NULL,
  format text NOT NULL CHECK (format IN ('csv', 'json', 'ndjson', 'hledger')),
  has_byte_order_mark boolean NOT NULL,
  status text NOT NULL DEFAULT 'queued'
    CHECK (status IN ('queued', 'running', 'done', 'failed', 'expired')),
  -- The wallet's last transaction when its head was asked for; null until then.
  through_seq bigint,
  row_count bigint NOT NULL DEFAULT 0,
  rows_done bigint NOT NULL DEFAULT 0,
  byte_count bigint,
  sha256 bytea,
  attempt integer NOT NULL DEFAULT 0,
  -- Running: until then it is the worker's. Queued: not before then.
  due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  failure text,
  created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  finished_at timestamptz,
  expires_at timestamptz,
  mail_state text NOT NULL DEFAULT 'none' CHECK (mail_state IN ('none', 'waiting', 'sent', 'failed')),
  mail_attempt integer NOT NULL DEFAULT 0,
  mail_due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  mail_failure text,
  UNIQUE (requested_by, idempotency_key)
);
CREATE INDEX exports_open ON exports (due_at) WHERE status IN ('queued', 'running');
CREATE INDEX exports_mail ON exports (mail_due_at) WHERE mail_state = 'waiting';
CREATE INDEX exports_expiry ON exports (expires_at) WHERE status = 'done';
CREATE INDEX exports_of_user ON exports (user_id, created_at, id);
CREATE INDEX exports_of_requester ON exports (requested_by, request_digest, created_at);
CREATE INDEX exports_list ON exports (created_at, id);

-- The files, in pieces. start_at is the place of a piece's first byte in the file.
CREATE TABLE export_chunks (
  export_id uuid NOT NULL REFERENCES exports (id),
  attempt integer NOT NULL,
  n integer NOT NULL,
  start_at bigint NOT NULL,
  data bytea NOT NULL,
  PRIMARY KEY (export_id, attempt, n)
);

-- Locked while an export is created, so that the limit per requester holds at any rate.
CREATE TABLE export_requesters (
  user_id uuid PRIMARY KEY
);

-- Messages of commits that have not been sent yet, one row per commit.
CREATE TABLE outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  events json NOT NULL,
  event_count integer NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Which daemon sends the outbox; token grows with each change of hands.
CREATE TABLE relay_leases (
  name text PRIMARY KEY,
  holder uuid NOT NULL,
  token bigint NOT NULL,
  expires_at timestamptz NOT NULL
);
