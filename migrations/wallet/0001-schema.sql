-- min-compatible: 1

-- One row per user and currency. id is the UUIDv5 of both, so it needs no lookup and no second key.
-- A wallet is opened by its first transaction. A row with seq 0 was never opened: it is there for
-- its read watermark only, because a balance of 0 as of a time was answered.
-- Each transaction updates its wallet, and no indexed column changes: the free space in each page
-- keeps these updates within the page (HOT).
CREATE TABLE wallets (
  id uuid PRIMARY KEY,
  user_id uuid NOT NULL,
  currency text NOT NULL,
  exponent smallint NOT NULL,
  -- debits_frozen: credits only. closed: nothing, and the balance is 0.
  status text NOT NULL DEFAULT 'active'
    CHECK (status IN ('active', 'frozen', 'debits_frozen', 'closed')),
  balance bigint NOT NULL,
  -- The last transaction: its seq, time and hash.
  seq bigint NOT NULL CHECK (seq >= 0),
  last_at timestamptz NOT NULL,
  last_hash bytea NOT NULL,
  -- Read watermark (closed timestamp): the balance up to this time has been answered. A commit
  -- whose clock was read before it is decided again, so that the answer stays true.
  read_watermark timestamptz NOT NULL DEFAULT '-infinity',
  -- Up to when an operator accepts that the wallet is ahead of the clock: the later of last_at and
  -- read_watermark when that was accepted. NULL for nearly all wallets.
  ahead_accepted_at timestamptz,
  -- Reserved by open holds.
  held bigint NOT NULL DEFAULT 0 CHECK (held >= 0),
  -- All debits so far.
  debited bigint NOT NULL DEFAULT 0,
  overdraft_limit bigint NOT NULL DEFAULT 0 CHECK (overdraft_limit >= 0),
  -- The balance is never below it. It only falls: to minus the overdraft limit when one is set, to
  -- the balance after a forced undo.
  floor bigint NOT NULL DEFAULT 0 CHECK (floor <= 0),
  -- Grows with each change of status, overdraft limit and spending limits.
  terms_no integer NOT NULL DEFAULT 0,
  limits json,
  -- When the first open hold expires: maybe too early, never too late.
  next_expiry timestamptz,
  CHECK (balance >= floor),
  -- Whatever the program does, no money is shut in.
  CHECK (status <> 'closed' OR (balance = 0 AND held = 0)),
  CHECK (balance > -1000000000000000000 AND balance < 1000000000000000000)
) WITH (fillfactor = 50);

-- The ledger. A row is a double entry: amount goes to the wallet (above 0) or from it (below 0),
-- and the opposite to contra_account. operation: core/operations.ts has the numbers. source: 1 gRPC,
-- 2 message, 3 the daemon itself. There is no foreign key to wallets: each insert holds
-- its wallet's lock already, and the check would double the cost of a row.
CREATE TABLE transactions (
  wallet_id uuid NOT NULL,
  seq bigint NOT NULL CHECK (seq > 0),
  id uuid NOT NULL,
  operation smallint NOT NULL CHECK (operation BETWEEN 1 AND 32),
  amount bigint NOT NULL,
  balance_after bigint NOT NULL CHECK (balance_after > -1000000000000000000),
  contra_account text NOT NULL,
  parent_id uuid,
  source smallint NOT NULL,
  actor text NOT NULL,
  description text,
  metadata json,
  occurred_at timestamptz NOT NULL,
  hash bytea NOT NULL,
  -- All debits of the wallet so far, this one included: those of a span of time are a difference.
  debited_after bigint NOT NULL,
  -- The rest is NULL where it is 0 or does not apply. held: above 0 reserves, below 0 releases.
  held bigint,
  held_after bigint CHECK (held_after >= 0),
  -- Of the child of another transaction: what its other children had used up before, and its
  -- amount.
  parent_used bigint CHECK (parent_used > 0),
  parent_amount bigint,
  group_id uuid,
  PRIMARY KEY (wallet_id, seq),
  UNIQUE (id, wallet_id),
  CHECK (amount <> 0 OR held IS NOT NULL),
  CHECK ((parent_amount IS NULL) = (parent_id IS NULL)),
  CONSTRAINT transactions_parent_check CHECK (parent_amount IS NULL OR
    coalesce(parent_used, 0) + greatest(abs(amount), abs(coalesce(held, 0))) <= parent_amount)
);
-- The children of a transaction are a chain: two that claim the same place in it collide, under any
-- concurrency, and the check above refuses the one that would pass the parent's amount.
CREATE UNIQUE INDEX transactions_uses
  ON transactions (wallet_id, parent_id, coalesce(parent_used, 0)) WHERE parent_id IS NOT NULL;

-- Derived from the entries: the state of each reservation.
CREATE TABLE holds (
  wallet_id uuid NOT NULL,
  id uuid NOT NULL,
  seq bigint NOT NULL,
  amount bigint NOT NULL CHECK (amount > 0),
  used bigint NOT NULL DEFAULT 0 CHECK (used >= 0 AND used <= amount),
  captured bigint NOT NULL DEFAULT 0 CHECK (captured >= 0 AND captured <= used),
  state text NOT NULL CHECK (state IN ('open', 'captured', 'released', 'expired')),
  contra_account text NOT NULL,
  placed_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  closed_at timestamptz,
  -- In this order: an index that begins with the wallet would lead lists to all of its holds.
  PRIMARY KEY (id, wallet_id)
) WITH (fillfactor = 70);
-- Lists in order of expiry. Lists of several states read each state in turn.
CREATE INDEX holds_of_wallet ON holds (wallet_id, state, expires_at, id);
CREATE INDEX holds_of_all ON holds (state, expires_at, id);

-- Messages that were rejected for a business reason, and the answer. An accepted message needs no
-- row: its transaction is the record. transaction_id is the id that the message's key would have
-- given its transaction.
CREATE TABLE inbox (
  transaction_id uuid PRIMARY KEY,
  wallet_id uuid NOT NULL,
  message_id text NOT NULL,
  reason text NOT NULL,
  message text NOT NULL,
  metadata json NOT NULL,
  rejected_at timestamptz NOT NULL
);

-- Transactional outbox: messages that have not been published yet, one row per commit. A row names
-- ledger entries (entry_refs: a wallet's id and a seq, one entry a line), or has whole messages
-- (events), or both. batch is unique per commit: the process that wrote a row recognises it and
-- need not read its entries again. own_sent: our own queues have the messages, and only queues of
-- other programs need them still; such a row waits for these queues without holding up the others.
-- Rows live for milliseconds, so compressing them does not pay.
CREATE TABLE outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  events json,
  entry_refs text,
  batch uuid,
  event_count integer NOT NULL,
  own_sent boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
ALTER TABLE outbox ALTER COLUMN events SET STORAGE EXTERNAL;
ALTER TABLE outbox ALTER COLUMN entry_refs SET STORAGE EXTERNAL;
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

-- Signed checkpoints of the ledger. text is what was signed. block_starts and block_roots have, for
-- each 4,096 wallets in order of id, the first one's id and the root of their subtree (16 and 32
-- bytes each): a wallet's path in the tree is found without all leaves. Append-only.
CREATE TABLE checkpoints (
  number bigint PRIMARY KEY CHECK (number > 0),
  origin uuid NOT NULL,
  taken_at timestamptz NOT NULL,
  size bigint NOT NULL,
  root bytea NOT NULL,
  text text NOT NULL,
  signature text NOT NULL,
  key_id text NOT NULL,
  block_starts bytea NOT NULL,
  block_roots bytea NOT NULL
);
CREATE INDEX checkpoints_time ON checkpoints (taken_at, number);

-- The leaves that differ from those of the checkpoint before: a wallet's leaf at a checkpoint is
-- its last one up to that number. Append-only.
CREATE TABLE checkpoint_leaves (
  wallet_id uuid NOT NULL,
  number bigint NOT NULL,
  seq bigint NOT NULL,
  hash bytea NOT NULL,
  PRIMARY KEY (wallet_id, number)
);

-- The public keys that checkpoints were signed with (PEM). Append-only.
CREATE TABLE checkpoint_keys (
  key_id text PRIMARY KEY,
  public_key text NOT NULL,
  first_used_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
