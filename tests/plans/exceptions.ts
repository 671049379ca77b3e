/** Statements without a sample, and why none is needed. Their plans are looked at all the same. */
export const withoutSample: Readonly<Record<string, readonly string[]>> = {
  'a verification, which looks at all that waits': [
    ...['verify_letters', 'verify_pending_letters'],
  ],
  'a list of staff, which passes over the holds in other currencies': ['hold_list_in'],
  'the outbox and its lease, which hold what is on its way': [
    ...['outbox_any_for_listeners', 'outbox_delete', 'outbox_depth', 'outbox_lease'],
    ...['outbox_lease_end', 'outbox_mark', 'outbox_oldest', 'outbox_rewrite'],
    ...['verify_outbox'],
  ],
  'one row by its key, for a command of one user': [
    ...[
      'wallet_status',
      'wallet_terms',
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
  'a lock, of no table': ['checkpoint_lock'],
  'the sessions, of no table': ['checkpoint_complete_time'],
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
  'the keys of searches, which are few': [
    ...['search_keys_add', 'search_keys_complete', 'search_keys_drop'],
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
  ...['divergences', 'divergences_open', 'exports_files', 'search_keys'],
]);

/** Statements that may read a whole table, and why. */
export const mayScan: Readonly<Record<string, string>> = {
  db_connection_limits: 'once at a start; the server’s roles and databases are few',
  checkpoint_complete_time: 'once for each checkpoint; databases of a server are few',
  status_schema: 'a row for each migration, once a second at most',
  search_keys_add: 'once at a start; stops at the first line',
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
