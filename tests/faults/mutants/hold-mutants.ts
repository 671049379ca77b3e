import { withoutCap, withoutFloor } from './guards.ts';
import type { Mutant } from './planted.ts';

const batch = 'daemon/wallet/domain-batch.ts';
const domain = 'daemon/wallet/domain.ts';
const checks = 'daemon/wallet/domain-checks.ts';
const holds = 'daemon/wallet/domain-holds.ts';
const limits = 'daemon/wallet/domain-limits.ts';
const sweeper = 'daemon/wallet/sweep/sweeper.ts';
const writes = 'daemon/wallet/store/writes.ts';
const scenario = 'holds and limits' as const;

/** Defects of holds, and of spending limits. */
export const holdMutants: readonly Mutant[] = [
  {
    name: 'what is reserved can be spent',
    edits: [
      {
        file: checks,
        before: "operation === 'capture' ? 0n : (held?.heldMinor ?? 0n)",
        after: "operation === 'capture' || held ? 0n : 0n",
      },
    ],
    schema: { wallet: withoutFloor },
    scenario,
  },
  {
    name: 'an expired hold goes on to reserve',
    edits: [
      {
        file: batch,
        before: '    if (hold.expiresAtMs > entryTimeMs(wallet, nowMs)) continue;',
        after: '    if (hold.expiresAtMs > entryTimeMs(wallet, nowMs) - 3_600_000) continue;',
      },
    ],
    scenario,
  },
  {
    name: 'an expired hold can be captured',
    edits: [
      {
        file: batch,
        before: '    if (hold.expiresAtMs > entryTimeMs(wallet, nowMs)) continue;',
        after: '    if (hold.expiresAtMs > entryTimeMs(wallet, nowMs) - 3_600_000) continue;',
      },
      {
        file: holds,
        before: 'leftMinor > 0n ? atMs >= readExpiry(placed) :',
        after: 'leftMinor > 0n ? atMs - 3_600_000 >= readExpiry(placed) :',
      },
    ],
    scenario,
  },
  {
    name: 'captures do not see what was captured',
    edits: [
      {
        file: holds,
        before: '  const usedMinor = states.used.get(usedKey(wallet.id, placed.id)) ?? 0n;',
        after: '  const usedMinor = 0n;',
      },
    ],
    schema: { wallet: withoutCap },
    scenario,
  },
  {
    name: 'limits of a remembered wallet',
    edits: [{ file: writes, before: 'w.terms_no = u.was_terms_no AND ', after: '' }],
    scenario,
  },
  {
    name: 'captures count twice in limits',
    edits: [
      { file: limits, before: "  'hold',\n  'fee',", after: "  'hold',\n  'capture',\n  'fee'," },
      {
        file: domain,
        before: 'const spentMinor = movement.heldMinor - movement.amountMinor;',
        after: `const spentMinor =
          movement.heldMinor > 0n ? movement.heldMinor : -movement.amountMinor;`,
      },
    ],
    scenario,
  },
  {
    name: 'expiry by the process clock',
    edits: [
      {
        file: batch,
        before: '    if (hold.expiresAtMs > entryTimeMs(wallet, nowMs)) continue;',
        after: '    if (hold.expiresAtMs > Date.now()) continue;',
      },
      {
        file: domain,
        before: 'const movement = findOwn(states, command, wallet, atMs);',
        after: 'const movement = findOwn(states, command, wallet, Date.now());',
      },
    ],
    scenario: 'clock ahead',
  },
  {
    name: 'expiry by the clock and not by the time of the entry',
    edits: [
      {
        file: batch,
        before: '    if (hold.expiresAtMs > entryTimeMs(wallet, nowMs)) continue;',
        after: '    if (hold.expiresAtMs > nowMs) continue;',
      },
      // While the clock is ahead, it would release the hold.
      {
        file: sweeper,
        before: 'if (isSteady && !isOutboxFull()) await sweep(',
        after: 'if (isSteady && isStopped) await sweep(',
      },
    ],
    scenario: 'clock back',
  },
  {
    name: 'what is held does not count in limits',
    edits: [{ file: limits, before: ' + (held?.heldMinor ?? 0n);', after: ' + (held ? 0n : 0n);' }],
    scenario,
  },
];
