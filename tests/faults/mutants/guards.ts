// What the schema refuses by itself: a defect that it would catch shows itself without it.

/** The primary key refuses a seq that is taken: without it, two entries can have the same one. */
export const withoutKey = [
  'ALTER TABLE transactions DROP CONSTRAINT transactions_pkey',
  'CREATE INDEX ON transactions (wallet_id, seq)',
];

/** The cap of undos: without it, children of one parent can claim the same part. */
export const withoutCap = [
  'DROP INDEX transactions_uses',
  'ALTER TABLE transactions DROP CONSTRAINT transactions_parent_check',
];

export const withoutFloor = ['ALTER TABLE wallets DROP CONSTRAINT wallets_check'];
