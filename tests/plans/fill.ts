import { createHash } from 'node:crypto';

export const services = ['auth', 'wallet', 'statement'] as const;
export type Service = (typeof services)[number];

/** The id of the nth wallet (`w`), user (`u`), and so on, as `fillSql` makes them. */
export const idOf = (kind: string, n: number | string): string => {
  const hex = createHash('md5').update(`${kind}${n}`).digest('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
};

/** Entries of an ordinary wallet; the wallet 0 has as many as half of all wallets together. */
export const entriesPerWallet = 10;

const walletRows = `generate_series($1::int, $2::int - 1) AS n`;
const entryRows = `(
    SELECT n AS owner, seq FROM ${walletRows}, generate_series(1, ${entriesPerWallet}) AS seq
    WHERE n > 0
    UNION ALL
    SELECT 0, seq FROM generate_series(
      $1::int * ${entriesPerWallet} / 2 + 1, $2::int * ${entriesPerWallet} / 2) AS seq) AS e`;

const idSql = (kind: string, text = 'n'): string => `md5('${kind}' || ${text})::uuid`;
const entryId = idSql('t', `owner || '-' || seq`);
const entryTime = `timestamptz '2026-01-01' + seq * interval '1 minute'`;
const audit = `INSERT INTO audit_log (id, occurred_at, actor, actor_role, action, target, result,
    request_id, details)
  SELECT ${idSql('a')}, ${entryTime.replace('seq', 'n')}, ${idSql('u')}::text, 'customer',
    'sign-in', '', 'ok', '', '{}'
  FROM ${walletRows} WHERE n % 50 > 0`;
/** For one user in fifty a packed row with ten lines: half of them are about the busy user 0. */
const packed = `WITH packed AS (
    INSERT INTO audit_log (id, occurred_at, actor, actor_role, action, target, result, request_id,
      details, line_count, lines)
    SELECT ${idSql('p')}, ${entryTime.replace('seq', 'n')}, ${idSql('u')}::text, 'operator',
      'transaction.create', '', 'ok', '', '{}', 10, (
        SELECT json_agg(json_build_array(CASE WHEN i = 0 THEN 'target'
          WHEN i % 2 = 0 THEN ${idSql('u', "'0'")}::text ELSE ${idSql('u', 'n + i')}::text END, 'r'))
        FROM generate_series(0, 10) AS i)
    FROM ${walletRows} WHERE n % 50 = 0
    RETURNING id, occurred_at, lines)
  INSERT INTO audit_targets (target, occurred_at, audit_id, line_count)
  SELECT (line->>0)::uuid, occurred_at, id, count(*) FROM packed, json_array_elements(lines) AS line
  WHERE line->>0 <> 'target' GROUP BY 1, 2, 3`;
const deadLetters = `INSERT INTO dead_letters (id, queue, reason, body, is_truncated, state)
  SELECT ${idSql('d')}, 'wallet_queue',
    CASE WHEN n % 1000 = 1 THEN 'RARE' ELSE 'MALFORMED' END, '', false,
    CASE WHEN n % 10 = 0 THEN 'pending' ELSE 'discarded' END FROM ${walletRows}`;

/**
 * Fills a service's database with what belongs to the wallets (or users) $1 to $2, exclusive; $1 is
 * 0 the first time. The outbox and the leases stay empty: they hold what is on its way.
 */
export const fillSql: Readonly<Record<Service, readonly string[]>> = {
  auth: [
    `INSERT INTO users (id, email, password_hash, role, email_verified, created_at)
     SELECT ${idSql('u')}, n || '@example.com', '',
       CASE WHEN n % 2000 = 0 THEN 'admin' ELSE 'customer' END, true,
       ${entryTime.replace('seq', 'n')} FROM ${walletRows}`,
    // One session in two is a browser's.
    `INSERT INTO sessions (id, user_id, client, expires_at, browser_token_hash)
     SELECT ${idSql('s', `n || '-' || i`)}, ${idSql('u')}, '', clock_timestamp() + interval '1 day',
       CASE WHEN i = 2 THEN decode(md5('o' || n), 'hex') END
     FROM ${walletRows}, generate_series(1, 2) AS i`,
    `INSERT INTO refresh_tokens (token_hash, session_id)
     SELECT decode(md5('r' || n || '-' || i), 'hex'), ${idSql('s', `n || '-' || i`)}
     FROM ${walletRows}, generate_series(1, 2) AS i`,
    // A busy day's, the most that is kept; few of them are as young as the feed looks back.
    `INSERT INTO revocations (kind, subject_id, revoked_at)
     SELECT 'session', ${idSql('s')},
       clock_timestamp() - interval '1 hour' - n * interval '1 second'
     FROM ${walletRows}`,
    `INSERT INTO api_keys (id, owner_id, name, prefix, secret_hash, scopes, operations, expires_at)
     SELECT ${idSql('k')}, ${idSql('u')}, '', '', decode(md5('k' || n), 'hex'), '{}', '{}',
       clock_timestamp() + interval '1 day' FROM ${walletRows}`,
    `INSERT INTO attempts (bucket, count, blocked_until, expires_at)
     SELECT decode(md5('b' || n), 'hex'), 1, 'epoch', clock_timestamp() + interval '1 day'
     FROM ${walletRows}`,
    `INSERT INTO sign_ups (id, email, network, password_hash, token_hash, expires_at)
     SELECT ${idSql('n')}, n || '@new.example.com', '', '', '',
       clock_timestamp() + interval '23 hours' FROM ${walletRows}`,
    `INSERT INTO mailed_codes (code_hash, mail_id, purpose, subject, expires_at)
     SELECT decode(md5('c' || n), 'hex'), ${idSql('m')}, 'sign-up', n || '@new.example.com',
       clock_timestamp() + interval '23 hours' FROM ${walletRows}`,
    `INSERT INTO email_changes (user_id, id, new_email, expires_at)
     SELECT ${idSql('u')}, ${idSql('e')}, n || '@new.example.com',
       clock_timestamp() + interval '1 day' FROM ${walletRows}`,
    `INSERT INTO mails (id, kind, recipient, details, due_at)
     SELECT ${idSql('m')}, 'new-device', n || '@example.com', '{}',
       clock_timestamp() + n * interval '1 second' FROM ${walletRows}`,
    `INSERT INTO totp_secrets (user_id, key_id, secret, begun_at, enabled_at, last_step)
     SELECT ${idSql('u')}, '', '', 'epoch', 'epoch', 1 FROM ${walletRows}`,
    `INSERT INTO recovery_codes (user_id, code_hash)
     SELECT ${idSql('u')}, decode(md5('o' || n || '-' || i), 'hex')
     FROM ${walletRows}, generate_series(1, 10) AS i`,
    audit,
    packed,
  ],
  wallet: [
    `INSERT INTO wallets (id, user_id, currency, exponent, balance, seq, last_at, last_hash)
     SELECT ${idSql('w')}, ${idSql('u')}, 'BRL', 2, 1000, 10, '2026-01-02', '' FROM ${walletRows}`,
    `INSERT INTO transactions (wallet_id, seq, id, operation, amount, balance_after, contra_account,
       parent_id, parent_amount, source, actor, occurred_at, hash, debited_after)
     SELECT ${idSql('w', 'owner')}, seq, ${entryId}, 1, 100, 100 * seq, 'external:cash',
       CASE WHEN seq % 10 = 0 THEN ${idSql('t', `owner || '-' || seq - 1`)} END,
       CASE WHEN seq % 10 = 0 THEN 100 END, 1, 'actor', ${entryTime}, '\\x00', 0 FROM ${entryRows}`,
    // Of each wallet the fifth entry; the wallet 0 has 2,000 open ones besides.
    `INSERT INTO holds (wallet_id, id, seq, amount, state, contra_account, placed_at, expires_at)
     SELECT ${idSql('w', 'owner')}, ${entryId}, seq, 100,
       CASE WHEN seq = 5 AND owner % 3 > 0 THEN 'captured' ELSE 'open' END, 'merchant',
       ${entryTime}, ${entryTime} + interval '100 years'
     FROM ${entryRows} WHERE seq = 5 OR (owner = 0 AND seq <= 2000)`,
    `INSERT INTO inbox (transaction_id, wallet_id, message_id, reason, message, metadata,
       rejected_at)
     SELECT ${idSql('i')}, ${idSql('w')}, '', '', '', '{}', clock_timestamp() FROM ${walletRows}`,
    // A wallet's leaf changes with every checkpoint.
    `INSERT INTO checkpoint_leaves (wallet_id, number, seq, hash)
     SELECT ${idSql('w')}, i, i, '\\x00' FROM ${walletRows}, generate_series(1, 8) AS i`,
    `INSERT INTO checkpoints (number, origin, taken_at, size, root, text, signature, key_id,
       block_starts, block_roots)
     SELECT n + 1, ${idSql('o', "''")}, ${entryTime.replace('seq', 'n')}, 1, '', '', '', '', '', ''
     FROM ${walletRows}`,
    `INSERT INTO checkpoint_keys (key_id, public_key) SELECT n, '' FROM ${walletRows}`,
    deadLetters,
    audit,
    packed,
  ],
  statement: [
    `INSERT INTO statement_lines (wallet_id, seq, transaction_id, user_id, currency, operation,
       amount, balance_after, contra_account, occurred_at, hash)
     SELECT ${idSql('w', 'owner')}, seq, ${entryId}, ${idSql('u', 'owner')}, 'BRL', 1, 100,
       100 * seq, 'external:cash', ${entryTime}, '\\x00' FROM ${entryRows}`,
    `INSERT INTO line_tags (tag, occurred_at, wallet_id, seq)
     SELECT 'reference=' || seq % 100, ${entryTime}, ${idSql('w', 'owner')}, seq FROM ${entryRows}`,
    `INSERT INTO search_keys (key, is_complete)
     SELECT 'reference', true FROM ${walletRows} LIMIT 1 ON CONFLICT DO NOTHING`,
    `INSERT INTO exports (id, requested_by, requester_role, idempotency_key, request_digest,
       user_id, wallet_id, currency, range_from, range_to, is_end_given, timezone, locale, format,
       has_byte_order_mark, status, attempt, expires_at)
     SELECT ${idSql('x')}, ${idSql('u')}, 'customer', '', '', ${idSql('u')}, ${idSql('w')}, 'BRL',
       '2026-01-01', '2026-02-01', true, 'UTC', 'en', 'csv', false, 'done', 1,
       clock_timestamp() + interval '1 day' FROM ${walletRows}`,
    `INSERT INTO export_chunks (export_id, attempt, n, byte_offset, data)
     SELECT ${idSql('x')}, 1, i, i * 10, '\\x00' FROM ${walletRows}, generate_series(0, 3) AS i`,
    `INSERT INTO export_requesters (user_id) SELECT ${idSql('u')} FROM ${walletRows}`,
    deadLetters,
    audit,
    packed,
  ],
};
