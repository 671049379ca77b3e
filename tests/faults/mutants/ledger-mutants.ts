import { withoutCap, withoutFloor, withoutKey } from './guards.ts';
import type { Mutant } from './planted.ts';

const domain = 'daemon/wallet/domain.ts';
const movement = 'daemon/wallet/domain-movement.ts';
const store = 'daemon/wallet/store/store.ts';
const writes = 'daemon/wallet/store/writes.ts';
const inbox = 'daemon/wallet/store/inbox.ts';
const optimistic = 'daemon/wallet/commit/optimistic-commit.ts';
const transaction = 'daemon/platform/db/transaction.ts';

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
        file: movement,
        before: '  const usedMinor = states.used.get(usedKey(wallet.id, parentId)) ?? 0n;',
        after: '  const usedMinor = 0n;',
      },
    ],
    schema: { wallet: withoutCap },
    scenario: 'keys and undos',
  },
  {
    name: 'hash over the wrong row',
    edits: [
      {
        file: domain,
        before: 'const own = enter(wallet, command,',
        after: `const own = enter(
          { ...wallet, lastHash: ([...states.wallets.values()][0] ?? wallet).lastHash }, command,`,
      },
    ],
    scenario: 'crowd',
  },
  {
    name: 'watermark ignored on the locked path',
    edits: [
      {
        file: 'daemon/wallet/commit/locked-commit.ts',
        before: 'await readStates(tx, free, wallets, ',
        after:
          'await readStates(tx, free, wallets.map((each) => ({ ...each, readWatermarkMs: 0 })), ',
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
        file: 'daemon/wallet/domain-checks.ts',
        before:
          '  if (afterMinor + overdraftMinor >= reservedMinor + newlyMinor) return undefined;',
        after: '  if (afterMinor + overdraftMinor > -amountLimitMinor) return undefined;',
      },
    ],
    schema: { wallet: withoutFloor },
    scenario: 'crowd',
  },
  {
    name: 'key with another content is a repeat',
    edits: [
      {
        file: domain,
        before: 'if (original && isSameContent(original, command)) {',
        after: 'if (original) {',
      },
    ],
    scenario: 'keys and undos',
  },
  {
    name: 'undo with the sign of its parent',
    edits: [
      {
        file: movement,
        before: 'amountMinor: parent.amountMinor > 0n ? -amountMinor : amountMinor,',
        after: 'amountMinor: parent.amountMinor > 0n ? amountMinor : -amountMinor,',
      },
    ],
    scenario: 'keys and undos',
  },
];
