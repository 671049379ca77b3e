-- min-compatible: 1

-- Messages that could not be handled at all, until an operator decides.
CREATE TABLE dead_letters (
  id uuid PRIMARY KEY,
  queue text NOT NULL,
  message_id text,
  reason text NOT NULL,
  field text,
  body text NOT NULL,
  is_cut boolean NOT NULL,
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'replayed', 'discarded')),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  decided_at timestamptz,
  decided_by text
);
CREATE INDEX dead_letters_pending ON dead_letters (created_at, id) WHERE state = 'pending';

-- Who did what to other people's things. Only ever appended to.
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
