import type { Defect } from './defect.ts';

const wallet = 'daemon/wallet';
const batch = `${wallet}/domain-batch.ts`;
const holds = `${wallet}/domain-holds.ts`;
const limits = `${wallet}/domain-limits.ts`;
const groups = `${wallet}/domain-groups.ts`;
const ofHolds = [`${wallet}/domain-holds.test.ts`];
const ofExpiry = [`${wallet}/domain-expiry.test.ts`];
const ofLimits = [`${wallet}/domain-limits.test.ts`];
const ofGroups = [`${wallet}/domain-groups.test.ts`];
const ofPrograms = [`${wallet}/domain-holds.properties.test.ts`];
const intOfHolds = [`${wallet}/commit/holds.int.test.ts`];
const intOfLimits = [`${wallet}/commit/limits.int.test.ts`];

/** Of holds, spending limits and atomic groups. */
export const holdDefects: Readonly<Record<string, Defect>> = {
  'what is reserved can be spent': {
    file: `${wallet}/domain-checks.ts`,
    find: 'afterMinor + overdraftMinor >= reservedMinor + newlyMinor',
    replace: 'afterMinor + overdraftMinor >= newlyMinor',
    tests: ofHolds,
  },
  'a capture takes more than is left': {
    file: holds,
    find: 'of.amountMinor <= of.leftMinor',
    replace: 'of.amountMinor <= of.wholeMinor',
    tests: ofHolds,
  },
  'a capture leaves the rest reserved': {
    file: holds,
    find: 'isRestReleased ? -leftMinor : -amountMinor',
    replace: '-amountMinor',
    tests: ofHolds,
  },
  'a release of a part does not use it up': {
    file: `${wallet}/domain-movement.ts`,
    find: 'heldMinor > movedMinor ? heldMinor : movedMinor',
    replace: 'movedMinor',
    tests: ofPrograms,
  },
  'a hold ends by the clock and not by the time of the entry': {
    file: batch,
    find: 'hold.expiresAtMs > entryTimeMs(wallet, nowMs)',
    replace: 'hold.expiresAtMs > nowMs',
    tests: ofExpiry,
  },
  'a hold ends by the clock and not by the time of the entry, in programs': {
    file: batch,
    find: 'hold.expiresAtMs > entryTimeMs(wallet, nowMs)',
    replace: 'hold.expiresAtMs > nowMs',
    tests: ofPrograms,
  },
  'the first hold ends later than the wallet says': {
    file: batch,
    find: 'Math.min(nextExpiryMs, readExpiry(entry))',
    replace: 'Math.max(held ? nextExpiryMs : 0, readExpiry(entry))',
    tests: ofPrograms,
  },
  'a remembered wallet is not looked at for holds that have ended': {
    file: `${wallet}/commit/cached-states.ts`,
    find: '  if (findExpiring(wallets, clockMs).length > 0) throw needsLock;\n',
    replace: '',
    tests: intOfHolds,
  },
  'a first expiry that is too early stays': {
    file: `${wallet}/commit/locked-updates.ts`,
    find: '  await updateNextExpiry(tx, findStale(read, states, changed));\n',
    replace: '  void findStale(read, states, changed);\n',
    tests: intOfHolds,
  },
  'what is held does not count in limits': {
    file: limits,
    find: ' + (held?.heldMinor ?? 0n);',
    replace: ' + (held ? 0n : 0n);',
    tests: ofLimits,
  },
  'captures count again in limits': {
    file: `${wallet}/domain.ts`,
    find: 'checkLimits(states, command, wallet, spentMinor, atMs)',
    replace:
      "(command.operation === 'capture'\n" +
      "  ? checkLimits(states, { ...command, operation: 'withdraw' }, wallet, -movement.amountMinor, atMs)\n" +
      '  : checkLimits(states, command, wallet, spentMinor, atMs))',
    tests: ofLimits,
  },
  'limits are judged by the clock': {
    file: `${wallet}/domain.ts`,
    find: 'checkLimits(states, command, wallet, spentMinor, atMs)',
    replace: 'checkLimits(states, command, wallet, spentMinor, nowMs)',
    tests: ofPrograms,
  },
  'a remembered window is that of the day before': {
    file: limits,
    find: 'last.startMs <= atMs && atMs < last.endMs',
    replace: 'last.startMs <= atMs',
    tests: ofLimits,
  },
  'a calendar day has 24 hours': {
    file: limits,
    find: 'endMs: instantOfWallClock(end.getTime(), zone),',
    replace: 'endMs: instantOfWallClock(wall.getTime(), zone) + end.getTime() - wall.getTime(),',
    tests: ofLimits,
  },
  'limits that another process has set do not count': {
    file: `${wallet}/store/writes.ts`,
    find: ' w.terms_no = u.was_terms_no AND',
    replace: '',
    tests: intOfLimits,
  },
  'a part of a refused group is done': {
    file: groups,
    find: 'return cause ? refuseGroup(',
    replace: 'return cause && refused.length > 99 ? refuseGroup(',
    tests: ofGroups,
  },
  'a group of old and new items is done': {
    file: groups,
    find: 'if (firstKnown >= 0 && known.includes(false))',
    replace: 'if (firstKnown > 99)',
    tests: ofGroups,
  },
  'a group is decided without what has ended': {
    file: groups,
    find: '    if (isGroup && states.due.size > 0) add(part, releaseAll);\n',
    replace: '',
    tests: ofGroups,
  },
  'holds of a group are not counted behind it': {
    file: `${wallet}/domain-overlay.ts`,
    find: "  if (operation === 'hold') addOpen(overlay, wallet.id, 1);\n",
    replace: '',
    tests: ofGroups,
  },
};
