import type { FaultSpan, History, Interface, Outcome } from '../record/history.ts';
import { groupBy } from './group.ts';
import type { Checker, Violation } from './violation.ts';

const checker = 'availability';
/** The most that a locked wallet may delay another one. */
const limitMs = 1_000;
/** For what a loaded machine adds: to one answer, and to a hundredth of all of them. */
const marginMs = 500;
const lateShare = 0.01;

/** What each fault may still cause after its end: a restart, a new lease, news of revocations. */
const graceMs: Readonly<Record<string, number>> = {
  ...{ locks: 500, clock: 2_000, stops: 3_000, machine: 3_000 },
};
const otherGraceMs = 5_000;

/** A call or message on one wallet. */
type Request = {
  readonly walletId: string;
  readonly over: Interface;
  readonly startMs: number;
  readonly endMs: number | undefined;
  readonly refusal: Outcome | undefined;
};

/**
 * While the row of one wallet is locked and nothing else is wrong, requests on other wallets are
 * answered within a second, and none of them is refused as busy. Wallets between which money was
 * moved are not judged beside each other: what is behind a transfer to the locked one waits.
 */
export const checkAvailability: Checker = (history) => {
  const violations: Violation[] = [];
  const groups = groupWallets(history);
  const isBeside = (request: Request): boolean => isBesideLock(request, history, groups);
  const beside = listRequests(history).filter(isBeside);
  for (const [over, requests] of groupBy(beside, (request) => request.over)) {
    const late = requests
      .map(({ startMs, endMs = history.endMs }) => endMs - startMs)
      .filter((tookMs) => tookMs > limitMs + marginMs);
    if (late.length > Math.floor(requests.length * lateShare)) {
      const longest = late.reduce((most, tookMs) => Math.max(most, tookMs), 0).toFixed(0);
      const what =
        `${over}: ${late.length} of ${requests.length} requests beside a locked wallet took over ` +
        `${limitMs + marginMs} ms, the longest ${longest} ms`;
      violations.push({ checker, what });
    }
    for (const { walletId, startMs, refusal } of requests) {
      if (refusal?.kind !== 'refused' || refusal.reason !== 'WALLET_BUSY') continue;
      const what = `${over}: WALLET_BUSY at ${startMs.toFixed(0)} ms, and only another wallet is locked`;
      violations.push({ checker, walletId, what });
    }
  }
  return violations;
};

function listRequests({ attempts, balances }: History): readonly Request[] {
  return [
    ...attempts.map(({ command, over, startMs, endMs, outcome }) => ({
      ...{ walletId: command.walletId, over, startMs, endMs, refusal: outcome },
    })),
    ...balances.map(({ walletId, over, startMs, endMs, answer }) => ({
      ...{ walletId, over, startMs, endMs },
      refusal: answer?.kind === 'balance' ? undefined : answer,
    })),
  ];
}

function isBesideLock(
  { walletId, startMs, endMs }: Request,
  { faults, endMs: lastMs }: History,
  groups: ReadonlyMap<string, number>,
): boolean {
  const isDuring = ({ kind, fromMs, toMs = Infinity }: FaultSpan): boolean =>
    fromMs <= (endMs ?? lastMs) && toMs + (graceMs[kind] ?? otherGraceMs) >= startMs;
  const around = faults.filter(isDuring);
  const group = groups.get(walletId);
  const isOtherLock = ({ kind, target }: FaultSpan): boolean =>
    kind === 'locks' &&
    target !== walletId &&
    (group === undefined || group !== groups.get(target));
  return around.length > 0 && around.every(isOtherLock);
}

/** The wallets that commands on two of them connect, by the number of their group. */
function groupWallets({ attempts }: History): ReadonlyMap<string, number> {
  const groups = new Map<string, number>();
  for (const { command } of attempts) {
    const { walletId, pair } = command;
    if (!pair) continue;
    const [own, other] = [groups.get(walletId), groups.get(pair.otherWalletId)];
    const group = own ?? other ?? groups.size;
    groups.set(walletId, group).set(pair.otherWalletId, group);
    if (own === undefined || other === undefined || own === other) continue;
    for (const [id, each] of groups) if (each === other) groups.set(id, own);
  }
  return groups;
}
