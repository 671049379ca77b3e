-- min-compatible: 1

-- Projection of the ledger's events. The primary key makes redelivery and reordering harmless.
-- Every value comes from the event; none is computed from the current balance. A line has
-- everything that its hash covers and the hash before it, so that it can be verified by itself and
-- against its neighbours.
CREATE TABLE statement_lines (
  wallet_id uuid NOT NULL,
  seq bigint NOT NULL CHECK (seq > 0),
  transaction_id uuid NOT NULL,
  user_id uuid NOT NULL,
  currency text NOT NULL,
  operation smallint NOT NULL CHECK (operation BETWEEN 1 AND 32),
  amount bigint NOT NULL,
  balance_after bigint NOT NULL,
  contra_account text NOT NULL,
  parent_id uuid,
  description text,
  source text,
  actor text,
  -- A JSON object; NULL if empty.
  metadata text,
  occurred_at timestamptz NOT NULL,
  previous_hash bytea,
  hash bytea NOT NULL,
  -- NULL where there is none, as in most lines. held: above 0 reserves, below 0 releases.
  held bigint,
  held_after bigint CHECK (held_after >= 0),
  parent_used bigint CHECK (parent_used > 0),
  group_id uuid,
  PRIMARY KEY (wallet_id, seq),
  CHECK (amount <> 0 OR held IS NOT NULL)
);
-- The wallets of a user: one row for each, whatever the number of lines.
CREATE INDEX statement_lines_first ON statement_lines (user_id, wallet_id) WHERE seq = 1;
-- For questions over all wallets and a time: lines lie in about the order of their times. It takes
-- 24 KB for 300,000 lines.
CREATE INDEX lines_time ON statement_lines USING brin (occurred_at);

-- Where lines are found by their metadata: a row for each key of the setting SEARCH_KEYS that a
-- line has, written with the line. tag is `key=value`. Most lines have none. The primary key serves
-- searches over all wallets, the first index those of one wallet, the second a rebuild.
CREATE TABLE line_tags (
  tag text NOT NULL,
  occurred_at timestamptz NOT NULL,
  wallet_id uuid NOT NULL,
  seq bigint NOT NULL,
  PRIMARY KEY (tag, occurred_at, wallet_id, seq)
);
CREATE INDEX line_tags_wallet ON line_tags (wallet_id, tag, seq);
CREATE INDEX line_tags_line ON line_tags (wallet_id, seq);

-- The keys of SEARCH_KEYS. is_complete: each line that has the key has its tag. False for a key
-- that was added when lines were there already, until a rebuild of all wallets.
CREATE TABLE search_keys (
  key text PRIMARY KEY,
  is_complete boolean NOT NULL
);

-- Where events or lines contradict each other or the ledger. Kept after they are resolved, for
-- audit. id is derived from wallet, seq, kind and hash: a contradiction that is found twice is one
-- row.
CREATE TABLE divergences (
  id uuid PRIMARY KEY,
  wallet_id uuid NOT NULL,
  seq bigint NOT NULL,
  kind text NOT NULL CHECK (kind IN ('own_hash', 'other_hash', 'broken_link', 'ledger')),
  hash bytea NOT NULL,
  -- The event's content as JSON; NULL if it was too long.
  event text,
  -- In the order in which divergences were found, or found again, independent of the clock: a
  -- rebuild resolves those that were found before it began.
  found_no bigint GENERATED ALWAYS AS IDENTITY,
  found_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  resolved_at timestamptz,
  resolved_by text
);
CREATE INDEX divergences_open ON divergences (wallet_id, seq) WHERE resolved_at IS NULL;
CREATE UNIQUE INDEX divergences_found ON divergences (found_no);

-- Statements that are written to a file: a queue of jobs. The row is the source of truth; a message
-- only wakes a worker. id is derived from requester and idempotency key. attempt is the fencing
-- token: it grows each time a worker claims the row, and writes of an older attempt change nothing.
-- Both leases (of the job, and of the mail) use the database's clock.
CREATE TABLE exports (
  id uuid PRIMARY KEY,
  requested_by uuid NOT NULL,
  requester_role text NOT NULL,
  idempotency_key text NOT NULL,
  -- SHA-256 of the request, before defaults were filled in.
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
  -- Whether the lines of holds and releases are in the file.
  has_holds boolean NOT NULL DEFAULT false,
  -- inconsistent: the lines contradict each other or the ledger, so there is no file.
  status text NOT NULL DEFAULT 'queued'
    CHECK (status IN ('queued', 'running', 'done', 'failed', 'expired', 'inconsistent')),
  -- The seq of the wallet's last transaction when the ledger was asked; NULL until then.
  through_seq bigint,
  row_count bigint NOT NULL DEFAULT 0,
  rows_done bigint NOT NULL DEFAULT 0,
  byte_count bigint,
  sha256 bytea,
  attempt integer NOT NULL DEFAULT 0,
  -- Running: when the worker's lease expires. Queued: not before this time.
  due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  failure text,
  created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  finished_at timestamptz,
  expires_at timestamptz,
  -- Files of exports that have ended are deleted in batches; true once no chunk is left.
  is_file_deleted boolean NOT NULL DEFAULT false,
  mail_state text NOT NULL DEFAULT 'none'
    CHECK (mail_state IN ('none', 'waiting', 'sent', 'failed')),
  mail_attempt integer NOT NULL DEFAULT 0,
  mail_due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  mail_failure text,
  UNIQUE (requested_by, idempotency_key)
);
CREATE INDEX exports_open ON exports (due_at) WHERE status IN ('queued', 'running');
CREATE INDEX exports_mail ON exports (mail_due_at) WHERE mail_state = 'waiting';
CREATE INDEX exports_expiry ON exports (expires_at) WHERE status = 'done';
CREATE INDEX exports_files ON exports (id)
  WHERE status IN ('failed', 'inconsistent', 'expired') AND NOT is_file_deleted;
CREATE INDEX exports_of_user ON exports (user_id, created_at, id);
CREATE INDEX exports_of_requester ON exports (requested_by, request_digest, created_at);
CREATE INDEX exports_list ON exports (created_at, id);

-- The files, in chunks. byte_offset is the position of a chunk's first byte in the file. Chunks are
-- written once and read a few times, so compressing them does not pay.
CREATE TABLE export_chunks (
  export_id uuid NOT NULL REFERENCES exports (id),
  attempt integer NOT NULL,
  n integer NOT NULL,
  byte_offset bigint NOT NULL,
  data bytea NOT NULL,
  PRIMARY KEY (export_id, attempt, n)
);
ALTER TABLE export_chunks ALTER COLUMN data SET STORAGE EXTERNAL;

-- Locked while an export is created, so that the limit per requester holds under concurrency. Round
-- robin between requesters: the one whose export was claimed last has the highest turn.
CREATE TABLE export_requesters (
  user_id uuid PRIMARY KEY,
  turn bigint NOT NULL DEFAULT 0
);
CREATE INDEX export_requesters_turn ON export_requesters (turn);

-- Transactional outbox: messages that have not been published yet, one row per commit. The columns
-- are those of the wallet database; here every message is whole, in events.
CREATE TABLE outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  events json,
  entry_refs text,
  batch uuid,
  event_count integer NOT NULL,
  own_sent boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX outbox_to_own ON outbox (id) WHERE NOT own_sent;
CREATE INDEX outbox_to_listeners ON outbox (id) WHERE own_sent;

-- Which daemon publishes the outbox. fencing_token grows with each new holder.
CREATE TABLE relay_leases (
  name text PRIMARY KEY,
  holder uuid NOT NULL,
  fencing_token bigint NOT NULL,
  expires_at timestamptz NOT NULL
);

-- Messages that could not be processed, until an operator replays or discards them.
CREATE TABLE dead_letters (
  id uuid PRIMARY KEY,
  queue text NOT NULL,
  message_id text,
  -- The producer, as the broker has validated it: a replay without changes is the producer's
  -- action.
  user_id text,
  reason text NOT NULL,
  field text,
  -- What is shown: without values under names of secrets.
  body text NOT NULL,
  -- The message's bytes, truncated at a limit and compressed (raw deflate). NULL if equal to body.
  raw bytea,
  is_truncated boolean NOT NULL,
  -- body and raw are not what was received: truncated, redacted, or with replaced characters. Such
  -- a letter is replayed only with a new body, as an action of the operator who gives it.
  is_altered boolean NOT NULL DEFAULT false,
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'replayed', 'discarded')),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- How often the message was dead-lettered, and when last. delivery_id names the last time, so
  -- that one delivery is not counted twice.
  received_count integer NOT NULL DEFAULT 1,
  received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  delivery_id uuid,
  decided_at timestamptz,
  decided_by text,
  -- The transaction of the last replay, written before the replay starts: after an interrupted
  -- replay that took effect, no other replay can have another effect.
  attempt_id uuid,
  -- The outcome of the last replay: ok, replayed, or the reason of the refusal.
  result text,
  -- The replay in progress, and when its claim expires. No transaction is open meanwhile.
  claim_id uuid,
  claimed_until timestamptz
);
-- Lists of one state, and of one state and reason. Lists of all states read each state in turn.
CREATE INDEX dead_letters_state ON dead_letters (state, created_at, id);
CREATE INDEX dead_letters_reason ON dead_letters (state, reason, created_at, id);

-- Which user did what to other users' objects. Append-only.
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
-- A target may be a list of ids, longer than an index entry may be: its start is selective enough.
CREATE INDEX audit_log_target ON audit_log (left(target, 64), occurred_at, id);

-- Where lines of packed rows are found by their target, with their number in that row. Append-only.
CREATE TABLE audit_targets (
  target uuid NOT NULL,
  occurred_at timestamptz NOT NULL,
  audit_id uuid NOT NULL,
  line_count smallint NOT NULL
);
CREATE INDEX audit_targets_time ON audit_targets (target, occurred_at, audit_id);
