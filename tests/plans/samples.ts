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
  const holds = spread.map((n) => idOf('t', `${n}-5`));
  const holdStates = [
    ['open', 'expired'],
    ['-infinity', '2026-01-01'],
    ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'],
    ['infinity', 'infinity'],
  ];
  const nowhere = '00000000-0000-0000-0000-000000000000';
  const allTimes = ['-infinity', 'infinity', '9000000000000000', idOf('x', 0)];
  const [times, hashes] = [repeat('2026-06-01'), repeat(Buffer.alloc(32))];
  const newSeqs = repeat(1_000_000n);
  const money = [repeat(1), repeat(100n), repeat(100n), repeat('external:cash')];
  const entry = [...money, repeat(null), repeat(1), repeat('actor'), repeat(null), repeat(null)];
  const line = [users, repeat('BRL'), ...money, repeat(null), repeat(null), times, hashes];
  const state = [wallets, repeat(5n), newSeqs, times, hashes, repeat(0n)];
  const rare = [repeat(null), repeat(null), repeat(null), repeat(null)];
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
    // Checkpoints.
    checkpoint_anchor: one('2026-01-01', 1),
    checkpoint_compare: all(wallets, repeat(5)),
    checkpoint_insert: one(
      ...[size + 1, nowhere, middleTime, 1, Buffer.alloc(32), '', '', ''],
      ...[Buffer.alloc(16), Buffer.alloc(32)],
    ),
    checkpoint_key: one(size - 1),
    checkpoint_key_insert: one('added', ''),
    checkpoint_last: one(),
    checkpoint_leaf_from: one(wallet, 5),
    checkpoint_leaves_insert: all(wallets, repeat(9), repeat(Buffer.alloc(32)), 9),
    checkpoint_leaves_read: all(wallets[50], wallets[50], 5, many),
    checkpoint_list: all(size, many),
    checkpoint_list_after: all(size - many, many),
    checkpoint_one: one(size),
    status_checkpoint: one(),
    checkpoint_wallets: all(nowhere, many),
    wait_briefly: one('50ms'),
    entry_last: all(wallets),
    entry_made_since: all(entries, '3'),
    ledger_position: one(),
    wallet_read_watermark: one(wallet, '2026-06-01'),
    wallet_accept_ahead: one(wallet, '2026-06-01'),
    wallet_update: all(...state, repeat(0n), repeat(null)),
    wallet_move: all(...state, repeat(1n), hashes, repeat(0), 0),
    wallet_move_held: all(...state, repeat(0n), repeat(null), repeat(1n), hashes, repeat(0), 0),
    wallet_next_expiry: all(wallets, times),
    // Holds: three indexes.
    hold_upsert: {
      values: [
        ...[wallets, added, repeat(5n), repeat(9n), repeat(0n), repeat(0n), repeat('open')],
        ...[repeat('merchant'), times, times, repeat(null)],
      ],
      rows: 3 * many,
    },
    hold_read: all(holds, wallets),
    hold_due: { values: [wallets, repeat('2026-01-03')], rows: 3 * many },
    // Wallet 0 is counted up to the limit.
    hold_count: { values: [wallets], rows: 1_025 + many },
    hold_sweep: all('-infinity', nowhere, many),
    // A wallet has at most so many open holds, and their releases follow at once.
    hold_over_at: { values: [wallet, middle, middleTime], rows: 3_072 },
    hold_of_owner: one(holds[1], users[1]),
    hold_list: all(...holdStates, many, wallet),
    hold_list_all: all(...holdStates, many),
    // Halving, for each of the wallets.
    entry_anchors: {
      values: [wallets, repeat(BigInt(entriesPerWallet)), repeat(middleTime)],
      rows: many * (Math.ceil(Math.log2(entriesPerWallet)) + 2),
    },
    wallet_floor: all(wallets, repeat(-1n)),
    wallet_list: all(wallets[7], many),
    wallet_list_one: one(idOf('x', 0), many, wallet),
    wallet_list_opened: all(wallets[7], many),
    wallet_list_opened_one: one(idOf('x', 0), many, wallet),
    entry_by_id: all(entries, wallets),
    entry_used: all(entries, wallets),
    entry_append: all(wallets, newSeqs, added, ...entry, times, hashes, repeat(0n)),
    entry_append_full: all(
      ...[wallets, newSeqs, added, ...entry, times, hashes, repeat(0n)],
      ...[repeat(null), repeat(null), repeat(null), repeat(null), repeat(null)],
    ),
    entry_of_owner: one(entries[0], users[0]),
    entry_parents_of_owners: all(entries, users),
    entry_list_asc: all(wallet, user, middle, null, many, lastSeq + 1, null),
    entry_list_desc: all(wallet, user, 0, null, many, middle, null),
    entry_list_prefix_asc: one(
      ...[wallet, user, 0n, null, many, lastSeq + 1, null, ...prefixOf(entries[0])],
    ),
    entry_list_prefix_desc: one(
      ...[wallet, user, 0n, null, many, lastSeq + 1, null, ...prefixOf(entries[0])],
    ),
    entry_ledger: all(wallets[7], 3n, many),
    entry_ledger_of_wallet: all(wallet, middle, many),
    entry_hash: one(wallet, 5n),
    // Wallet 0 has so many.
    verify_count_holds: { values: [wallet, wallet], rows: 2_000 },
    verify_first_open_hold: all(wallets),
    verify_hashes: all(wallets, repeat(5n)),
    verify_holds: all(entries, wallets),
    verify_parents: all(entries, wallets, repeat(0n)),
    verify_sides: all(entries[50], nowhere, idOf('t', `${spread[50]}-5`), many),
    verify_sides_of: all(entries),
    verify_unknown_holds: all(wallets[50], nowhere, wallets[50], many),
    balance_at: search(wallet, lastSeq, middleTime),
    inbox_read: all(added),
    inbox_require_new: all(added),
    inbox_insert: all(added, wallets, repeat(''), repeat(''), repeat(''), repeat('{}')),
    outbox_append: one('[]', 1, null, null),
    outbox_read: all([], many, many),
    outbox_read_listeners: all([], many, many),
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
    line_append_full: all(wallets, newSeqs, added, ...line, ...chained, ...rare),
    line_insert: all(wallets, newSeqs, added, ...line, ...chained, ...rare),
    line_last: one(wallet),
    // Three indexes.
    tag_insert: {
      values: [repeat('reference=x'), times, wallets, repeat(5n), repeat(Buffer.from([0]))],
      rows: 3 * many,
    },
    tag_remove: all(wallets, repeat(5n)),
    tag_range: all(wallet, middle, wallet, middle + many),
    tag_of_wallet: all(wallet, 'reference=5', lastSeq, many),
    tag_of_all: all('reference=5', 'infinity', nowhere, 0, many),
    tag_lines_count: all(wallet, middle, middle + many),
    search_key_read: one('reference'),
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
