import { entriesPerWallet, idOf } from './fill.ts';

/** What a statement is run with, and how many rows it may then look up, write or give. */
export type Sample = { readonly values: readonly unknown[]; readonly rows: number };

const many = 100;

/** The ids that begin with the first 8 characters of this one. */
const prefixOf = (id = ''): readonly [string, string] => [
  `${id.slice(0, 8)}-0000-0000-0000-000000000000`,
  `${id.slice(0, 8)}-ffff-ffff-ffff-ffffffffffff`,
];

const repeat = <T>(value: T): T[] => Array.from({ length: many }, () => value);

/**
 * A sample of each statement that is on the way of a request, a message or a commit. `size` is the
 * number of wallets and users that are there; the wallet 0 is a busy one.
 */
export function createSamples(size: number): Readonly<Record<string, Sample>> {
  const spread = Array.from({ length: many }, (_, i) => i * Math.floor(size / many));
  const [wallet, user] = [idOf('w', 0), idOf('u', 0)];
  const lastSeq = (size * entriesPerWallet) / 2;
  const middle = lastSeq / 2;
  const middleTime = new Date(Date.UTC(2026, 0, 1, 0, middle)).toISOString();
  const wallets = spread.map((n) => idOf('w', n));
  const users = spread.map((n) => idOf('u', n));
  const entries = spread.map((n) => idOf('t', `${n}-5`));
  const added = spread.map((n) => idOf('added', n));
  const letters = spread.map((n) => idOf('d', n));
  const keptLetter = [
    ...[repeat(''), repeat(null), repeat(false), repeat(false), repeat('')],
    ...[repeat(1), repeat(null)],
  ];
  const nowhere = '00000000-0000-0000-0000-000000000000';
  const allTimes = ['-infinity', 'infinity', '9000000000000000', idOf('x', 0)];
  const [times, hashes] = [repeat('2026-06-01'), repeat(Buffer.alloc(32))];
  const newSeqs = repeat(1_000_000n);
  const money = [repeat(1), repeat(100n), repeat(100n), repeat('external:cash')];
  const entry = [...money, repeat(null), repeat(1), repeat('actor'), repeat(null), repeat(null)];
  const line = [users, repeat('BRL'), ...money, repeat(null), repeat(null), times, hashes];
  const chained = [hashes, repeat('grpc'), repeat('actor'), repeat(null)];
  const audited = [added, ...Array.from({ length: 6 }, () => repeat('')), repeat('{}')];
  const packed = [repeat('[]'), repeat(2), users, added, repeat(2)];
  /** Halving a busy wallet's seqs takes so many steps. */
  const steps = Math.ceil(Math.log2(lastSeq)) + 2;
  const one = (...values: unknown[]): Sample => ({ values, rows: 1 });
  const all = (...values: unknown[]): Sample => ({ values, rows: many });
  const search = (...values: unknown[]): Sample => ({ values, rows: steps });
  const { token, session, key } = {
    token: md5Bytes('r', `${size - 1}-1`),
    session: idOf('s', `${size - 1}-1`),
    key: md5Bytes('k', size - 1),
  };
  return {
    // The ledger.
    wallet_open: all(added, users, repeat('BRL'), repeat(2), hashes),
    wallet_lock: all(wallets, users),
    wallet_lock_free: all(wallets, users),
    wallet_read: all(wallets, users),
    wait_briefly: one('50ms'),
    entry_last: all(wallets),
    entry_made_since: all(entries, '3'),
    ledger_position: one(),
    wallet_read_watermark: one(wallet, '2026-06-01'),
    wallet_accept_ahead: one(wallet, '2026-06-01'),
    wallet_update: all(wallets, repeat(5n), newSeqs, times, hashes),
    wallet_move: all(wallets, repeat(5n), newSeqs, times, hashes, repeat(1n), hashes, 0),
    wallet_list: all(wallets[7], many),
    wallet_list_one: one(idOf('x', 0), many, wallet),
    entry_by_id: all(entries, wallets),
    entry_undone: all(entries, wallets),
    entry_append: all(wallets, newSeqs, added, ...entry, times, hashes),
    entry_of_owner: one(entries[0], users[0]),
    entry_wallet_of_owner: one(entries[0], users[0]),
    entry_currencies_of_owners: all(entries, users),
    entry_list_asc: all(wallet, user, middle, null, many),
    entry_list_desc: all(wallet, user, middle, null, many),
    entry_list_prefix_asc: one(wallet, user, 0n, null, many, ...prefixOf(entries[0])),
    entry_list_prefix_desc: one(wallet, user, lastSeq, null, many, ...prefixOf(entries[0])),
    entry_ledger: all(wallets[7], 3n, many),
    entry_ledger_of_wallet: all(wallet, middle, many),
    entry_hash: one(wallet, 5n),
    verify_hashes: all(wallets, repeat(5n)),
    verify_parents: all(entries, wallets),
    balance_at: search(wallet, lastSeq, middleTime),
    inbox_read: all(added),
    inbox_require_new: all(added),
    inbox_insert: all(added, wallets, repeat(''), repeat(''), repeat(''), repeat('{}')),
    outbox_append: one('[]', 1, null, null),
    outbox_read: all([], many, many),
    outbox_entries: all(wallets, repeat(5n)),
    // Up to 1,001 of those that wait, which are a tenth.
    status_letters: { values: [], rows: Math.min(1_001, Math.ceil(size / 10)) },
    dead_list: all('', '', 0, idOf('x', 0), many, 2_000_000),
    dead_list_state: all('pending', '', 0, idOf('x', 0), many, 2_000_000),
    dead_list_reason: all('', 'RARE', 0, idOf('x', 0), many, 2_000_000),
    dead_list_both: all('discarded', 'RARE', 0, idOf('x', 0), many, 2_000_000),
    dead_list_named: all('', '', 0, nowhere, many, 2_000_000, letters),
    dead_insert: all(added, ...Array.from({ length: 4 }, () => repeat('')), ...keptLetter),
    dead_read: all(letters),
    dead_lock: all(letters),
    dead_claim: all(letters, repeat(null), idOf('x', 0)),
    dead_release: all(letters, idOf('x', 0)),
    dead_decide: all(letters, 'replayed', '', repeat('')),
    audit_list: all('', '', '', ...allTimes, many),
    audit_list_target: all(user, '', '', ...allTimes, many, user),
    audit_list_actor: one(user, user, '', ...allTimes, many),
    audit_list_action: one('rare', '', 'rare', ...allTimes, many),
    // Five indexes: as much as two rows with three. Packed rows have one of a target each here.
    audit_append: { values: audited, rows: 2 * many },
    audit_append_packs: { values: [...audited, ...packed], rows: 2 * many },
    // Statements.
    line_append: all(wallets, newSeqs, added, ...line, ...chained),
    line_insert: all(wallets, newSeqs, added, ...line, ...chained),
    line_last: one(wallet),
    witness_links: all(wallets, repeat(5n), repeat(1n)),
    witness_others: all(wallets, repeat(5n), hashes),
    divergence_open: one(wallet),
    divergence_record: all(
      added,
      wallets,
      newSeqs,
      repeat('ledger'),
      hashes,
      repeat(null),
      100n,
      0,
    ),
    divergence_count: all(1_000n),
    line_last_seq: one(wallet),
    line_missing: all(wallets, repeat(0n), repeat(5n)),
    line_next_seq: one(wallet, middle),
    line_before: search(wallet, lastSeq, middleTime),
    line_sums: all(wallet, middle, middle + many),
    watch_wallets: all(users, null, many),
    watch_lines: all(wallets, users, repeat(5n), 2),
    watch_moved: all(wallets, users, repeat(1_000_000n), users),
    watch_divergences: all(wallets),
    line_unlinked_sums: all(wallet, middle, middle + many),
    line_page_asc: all(wallet, user, middle, lastSeq, many),
    line_page_desc: all(wallet, user, 0, middle, many),
    verify_absent: all(wallets, repeat(5n)),
    rebuild_page: all(wallets[7], 3n, many),
    rebuild_wallet_page: all(wallet, middle, many),
    export_find: one(idOf('x', 1)),
    export_find_like: one(idOf('u', 1), Buffer.alloc(0)),
    export_claim: one(60_000),
    export_oldest: one(),
    export_mail_oldest: one(),
    export_list: all(null, null, '2030-01-01', idOf('x', 0), many),
    export_list_of_user: one(idOf('u', 1), null, '2030-01-01', idOf('x', 0), many),
    export_list_prefix: one(
      ...[null, null, '2030-01-01', idOf('x', 0), many],
      ...prefixOf(idOf('x', 1)),
    ),
    export_chunk_at: one(idOf('x', 1), 1, 15n),
    // A user by e-mail address.
    user_by_email: one('7@example.com'),
    user_credentials: one('7@example.com'),
    user_resolve: all(users, []),
    user_hash: one(user),
    user_device_epoch: one('7@example.com'),
    sign_up_places: one('7@new.example.com', 86_400_000),
    sign_up_list: one('7@new.example.com', 86_400_000),
    code_past_bound: one(md5Bytes('c', 7), 'sign-up', 86_400_000),
    code_valid: one(md5Bytes('c', 7), 'sign-up', 86_400_000, '7@new.example.com'),
    code_of_subject: one('7@new.example.com', 'sign-up'),
    email_change_of_user: one(user),
    mail_claim: one(60_000),
    mail_oldest: one(),
    // The session, and its user for the foreign key.
    session_insert: {
      values: [idOf('added', 0), user, '', '2030-01-01', Buffer.alloc(16)],
      rows: 2,
    },
    browser_session_owner: one(md5Bytes('o', size - 1)),
    browser_session_lock: one(session),
    browser_session_record_use: one(session, '2030-01-01', '2030-01-02'),
    session_lock: one(session),
    session_list: all('9000000000000000', idOf('x', 0), many, user),
    session_touch: one(session),
    refresh_owner: one(token),
    refresh_use_of: all([token]),
    refresh_use: one(token),
    refresh_insert: one(Buffer.alloc(16), session),
    key_by_secret: one(key),
    key_note_use: one(idOf('k', 1)),
    key_count_valid: one(user),
    key_count_recent: one(user),
    revocation_list: all(new Date(Date.now() - 10_000).toISOString(), null, '', idOf('x', 0), many),
    attempt_state: all([md5Bytes('b', 1)]),
    attempt_clear: one(md5Bytes('b', 1)),
    user_list: all('9000000000000000', idOf('x', 0), many),
  };
}

const md5Bytes = (kind: string, n: number | string): Buffer =>
  Buffer.from(idOf(kind, n).replaceAll('-', ''), 'hex');

/** Statements without a sample, and why none is needed. Their plans are looked at all the same. */
export const withoutSample: Readonly<Record<string, readonly string[]>> = {
  'a verification, which looks at all that waits': [
    ...['verify_letters', 'verify_pending_letters'],
  ],
  'the outbox and its lease, which hold what is on its way': [
    ...[
      'outbox_delete',
      'outbox_depth',
      'outbox_lease',
      'outbox_lease_end',
      'outbox_oldest',
      'outbox_rewrite',
    ],
    ...['verify_outbox'],
  ],
  'one row by its key, for a command of one user': [
    ...[
      'wallet_status',
      'user_insert',
      'user_lock',
      'user_lock_hash',
      'user_lock_session',
      'user_lock_share',
    ],
    ...[
      'user_set_hash',
      'user_update',
      'user_revoke_tokens',
      'key_insert',
      'key_lock',
      'key_revoke',
    ],
    ...[
      'session_exists',
      'key_exists',
      'session_lock_of',
      'attempt_return',
      'attempt_take',
      'sign_up_keep',
    ],
    ...['sign_up_remove', 'code_find', 'code_guess', 'code_guess_return', 'code_keep', 'code_take'],
    ...['email_change_drop', 'email_change_keep', 'email_change_waiting', 'mail_append'],
    ...['mail_delay', 'mail_remove', 'mail_withdraw', 'user_bump_device_epoch', 'user_set_email'],
    ...['export_insert', 'export_requester_lock', 'refresh_drop'],
  ],
  'a user’s own second factor, by its key': [
    ...['totp_find', 'totp_lock', 'totp_keep', 'totp_enable', 'totp_remove', 'totp_note_step'],
    ...['totp_note_failures', 'totp_reseal', 'session_alive'],
    ...['recovery_drop', 'recovery_insert', 'recovery_take', 'recovery_count'],
  ],
  'once at a start, by pages along the key': ['totp_lock_sealed'],
  'once at a start, of the catalogue': ['db_durability', 'db_immutable', 'db_connection_limits'],
  'a user’s own sessions, keys and exports, which are few': [
    ...['session_excess', 'session_end', 'session_lock_all', 'session_announce'],
    ...['code_drop', 'key_revoke_all', 'session_count_others', 'sign_up_lock_all'],
    ...['sign_up_remove_all', 'key_list', 'export_count_unfinished'],
  ],
  'a worker’s export, by its key': [
    ...['export_chunk_insert', 'export_chunk_prune', 'export_existing', 'export_expire'],
    ...['export_fail', 'export_finish', 'export_pin', 'export_release', 'export_renew'],
    ...['export_mail_claim', 'export_mail_settle', 'export_correct_due', 'export_correct_mail'],
    ...['export_correct_expiry', 'export_file_gone', 'export_file_left'],
  ],
  'what admins ask for': [
    ...['user_count_admins', 'user_list_by_role', 'user_lock_with_admins'],
    ...['rebuild_remove', 'rebuild_repair', 'rebuild_some'],
    ...['divergence_last', 'divergence_resolve', 'divergence_resolve_all'],
  ],
  'the migrations, a row each': ['status_schema'],
  'pruning, now and then': [
    ...['attempt_prune', 'revocation_prune', 'session_ended', 'session_prune', 'refresh_prune'],
    ...['key_prune_revoked', 'key_prune_expired', 'sign_up_prune', 'code_prune'],
    ...['email_change_prune', 'mail_prune', 'mail_correct_times'],
  ],
};

/**
 * Tables, and indexes of some rows only, that are small by nature: they hold what is unfinished.
 */
export const small: ReadonlySet<string> = new Set([
  ...['outbox', 'relay_leases', 'exports_open', 'exports_mail'],
  ...['divergences', 'divergences_open', 'exports_files'],
]);

/** Statements that may read a whole table, and why. */
export const mayScan: Readonly<Record<string, string>> = {
  db_connection_limits: 'once at a start; the server’s roles and databases are few',
  status_schema: 'a row for each migration, once a second at most',
  attempt_prune: 'deletes up to 10,000 rows: much of a table that is small',
  revocation_prune: 'deletes up to 10,000 rows: much of a table that is small',
  code_prune: 'deletes up to 10,000 rows: much of a table that is small',
  mail_prune: 'deletes up to 10,000 rows of what is on its way, now and then',
  export_correct_expiry: 'once a minute; files are few',
  mail_correct_times: 'once a minute; the table holds what is on its way',
  email_change_prune: 'deletes up to 10,000 rows: much of a table that is small',
  sign_up_prune: 'deletes up to 10,000 rows: much of a table that is small',
};

/** The same while a table is so young that it has no statistics yet: within a minute it does. */
export const mayScanYoung: Readonly<Record<string, string>> = {
  revocation_list: 'how few of them are recent is not known yet',
  export_list: 'how few of them are one user’s is not known yet',
  key_prune_expired: 'how few of them have expired is not known yet',
  session_ended: 'how few of them have ended is not known yet',
};
