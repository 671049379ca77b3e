import type { Mutant } from './planted.ts';

const domain = 'daemon/wallet/domain.ts';
const store = 'daemon/wallet/store/store.ts';
const writes = 'daemon/wallet/store/writes.ts';
const inbox = 'daemon/wallet/store/inbox.ts';
const optimistic = 'daemon/wallet/commit/optimistic-commit.ts';
const transaction = 'daemon/platform/db/transaction.ts';

/** The primary key refuses a seq that is taken: without it, two entries can have the same one. */
const withoutKey = [
  'ALTER TABLE transactions DROP CONSTRAINT transactions_pkey',
  'CREATE INDEX ON transactions (wallet_id, seq)',
];

/** Defects of what decides and writes transactions. */
export const ledgerMutants: readonly Mutant[] = [
  {
    name: 'no row lock',
    edits: [
      {
        file: store,
        before: '`${readWalletsText} FOR NO KEY UPDATE OF w`',
        after: 'readWalletsText',
      },
      {
        file: store,
        before: '`${readWalletsText} FOR NO KEY UPDATE OF w SKIP LOCKED`',
        after: 'readWalletsText',
      },
      { file: writes, before: 'w.id = u.id AND w.seq < u.seq`', after: 'w.id = u.id`' },
    ],
    schema: { wallet: withoutKey },
    scenario: 'crowd',
  },
  {
    name: 'compare-and-set without the hash',
    edits: [{ file: writes, before: 'w.last_hash = u.was_hash AND ', after: '' }],
    schema: { wallet: withoutKey },
    scenario: 'turns',
  },
  {
    name: 'inbox skipped',
    edits: [
      {
        file: inbox,
        before: '  if (commands.length === 0) return new Map();',
        after: '  if (commands.length >= 0) return new Map();',
      },
      {
        file: inbox,
        before: '  if (commands.length === 0) return;',
        after: '  if (commands.length >= 0) return;',
      },
    ],
    scenario: 'message again',
  },
  {
    name: 'refusal of a message not stored',
    edits: [
      {
        file: 'daemon/wallet/commit/persist-decisions.ts',
        before: '  const kept = await inbox.insertRefusals(tx, refusals);',
        after: '  const kept = new Set(refusals.map(({ command }) => command.transactionId));',
      },
    ],
    scenario: 'message again',
  },
  {
    name: 'COMMIT tag ignored',
    edits: [
      {
        file: transaction,
        before: "  if (tag !== 'COMMIT') throw new Error(`COMMIT was answered with ${tag}`);",
        after: '',
      },
      // The answers of the statements before it are a second sign of the same.
      {
        file: optimistic,
        before: '    await awaitAll([compared, checked, proven, written]);',
        after: '    await Promise.allSettled([compared, checked, proven, written]);',
      },
    ],
    scenario: 'turns',
  },
  {
    name: 'retry under a new id',
    edits: [
      {
        file: 'daemon/wallet/commit/commit-items.ts',
        before: '      if (isCommitInDoubt(err)) items.forEach((item) => (item.isInDoubt = true));',
        after: `for (const item of items)
          item.command = { ...item.command, transactionId: crypto.randomUUID() };`,
      },
    ],
    scenario: 'commit cut',
  },
  {
    name: 'undo not unique',
    edits: [
      {
        file: domain,
        before: '  if (states.undone.has(parentId)) {',
        after: "  if (states.undone.has('')) {",
      },
    ],
    schema: { wallet: ['DROP INDEX transactions_one_undo'] },
    scenario: 'keys and undos',
  },
  {
    name: 'hash over the wrong row',
    edits: [
      {
        file: domain,
        before: 'entries: [enter(wallet, command, movement, nowMs)]',
        after: `entries: [enter(
          { ...wallet, lastHash: ([...states.wallets.values()][0] ?? wallet).lastHash },
          command, movement, nowMs)]`,
      },
    ],
    scenario: 'crowd',
  },
  {
    name: 'watermark ignored on the locked path',
    edits: [
      {
        file: 'daemon/wallet/commit/locked-commit.ts',
        before: 'await readStates(tx, free, wallets)',
        after:
          'await readStates(tx, free, wallets.map((each) => ({ ...each, readWatermarkMs: 0 })))',
      },
    ],
    scenario: 'clock back',
  },
  {
    name: 'watermark not raised by a read',
    edits: [
      {
        file: 'daemon/wallet/store/read-wallet.ts',
        before: '    await raiseReadWatermark(tx, wallet.id, nowMs);',
        after: '',
      },
    ],
    scenario: 'clock back',
  },
  {
    name: '25P02 taken for the first error',
    edits: [
      {
        file: transaction,
        before: "causeOf: (err) => (sqlStateOf(err) === '25P02' ? (first ?? err) : err),",
        after: 'causeOf: (err) => err,',
      },
      {
        file: 'daemon/wallet/commit/persist-decisions.ts',
        before: 'throw errors[0];',
        after: 'throw errors.at(-1);',
      },
    ],
    scenario: 'server read-only',
  },
  {
    name: 'locked wallet holds up its batch',
    edits: [
      {
        file: 'daemon/wallet/commit/commit-items.ts',
        before: '      if (isLockTimeout(err)) {',
        after: '      if (isLockTimeout(err) && attempt > 100) {',
      },
    ],
    scenario: 'locked row',
  },
  {
    name: 'wallet cache not cleared after a failed commit',
    edits: [
      {
        file: optimistic,
        before: '    const rejected = findRejected(states, commands, decided.decisions);',
        after: `for (const wallet of decided.changed) walletCache.set(wallet);
          const rejected = findRejected(states, commands, decided.decisions);`,
      },
      {
        file: optimistic,
        before: '      for (const { id } of distinctWallets(commands)) walletCache.markStale(id);',
        after: '',
      },
    ],
    scenario: 'turns',
  },
  {
    name: 'balance not checked',
    edits: [
      {
        file: domain,
        before: 'balanceAfterMinor >= 0n && balanceAfterMinor < amountLimitMinor',
        after: 'balanceAfterMinor < amountLimitMinor',
      },
    ],
    schema: {
      wallet: [
        'ALTER TABLE wallets DROP CONSTRAINT wallets_balance_check',
        'ALTER TABLE transactions DROP CONSTRAINT transactions_balance_after_check',
      ],
    },
    scenario: 'crowd',
  },
  {
    name: 'key with another content is a repeat',
    edits: [{ file: domain, before: '  if (isSame) return', after: '  if (original) return' }],
    scenario: 'keys and undos',
  },
  {
    name: 'undo with the sign of its parent',
    edits: [
      {
        file: domain,
        before: 'amountMinor: -parent.amountMinor',
        after: 'amountMinor: parent.amountMinor',
      },
    ],
    scenario: 'keys and undos',
  },
];
