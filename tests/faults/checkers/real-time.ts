import type { FinalRows } from '../../support/ledger/final-rows.ts';
import type { History } from '../record/history.ts';
import { indexEntries, listAsked, type AttemptWith } from './commands.ts';
import { describeCommand } from './contents.ts';
import { groupBy } from './group.ts';
import type { Checker, Violation } from './violation.ts';

const checker = 'real time';

/** A transaction that surely took effect within this interval. */
type Effect = {
  readonly walletId: string;
  readonly seq: bigint;
  readonly occurredAtMs: number | undefined;
  readonly startMs: number;
  readonly endMs: number;
  readonly text: string;
};

/**
 * What was answered before another request began has the lower seq, and no later time; and the
 * times of a wallet's entries never fall.
 */
export const checkRealTime: Checker = (history, { entries }) => {
  const violations: Violation[] = [];
  for (const [walletId, rows] of groupBy(entries, (entry) => entry.wallet_id)) {
    let lastMs = -Infinity;
    for (const { seq, at_ms: atMs } of rows) {
      if (Number(atMs) < lastMs) {
        const what = `has the time ${atMs}, after ${lastMs}`;
        violations.push({ checker, walletId, seq: BigInt(seq), what });
      }
      lastMs = Number(atMs);
    }
  }
  for (const effects of groupBy(
    listEffects(history, entries),
    ({ walletId }) => walletId,
  ).values()) {
    violations.push(...checkOrder(effects));
  }
  return violations;
};

/**
 * From the first request that may have caused it, or the one that says so, to the first answer.
 * Retries of one transaction are one effect; with two wallets, it is one on each.
 */
function listEffects({ attempts }: History, entries: FinalRows['entries']): readonly Effect[] {
  const index = indexEntries(entries);
  return listAsked(attempts).flatMap(({ command, accepted, open }) => {
    const seq = accepted.find(({ outcome }) => outcome.seq !== undefined)?.outcome.seq;
    if (seq === undefined) return [];
    const own = accepted.find(isOwn);
    const begun = own ? [own] : [...accepted, ...open];
    const times = {
      text: describeCommand(command),
      startMs: Math.min(...begun.map(({ startMs }) => startMs)),
      endMs: Math.min(...accepted.map(({ endMs }) => endMs)),
    };
    const occurredAtMs = accepted.find((one) => one.outcome.occurredAtMs)?.outcome.occurredAtMs;
    // No answer names the other side's seq: the ledger does.
    const others = index.others(command).map((entry): Effect => ({
      ...{ ...times, walletId: entry.wallet_id, seq: BigInt(entry.seq) },
      occurredAtMs: Number(entry.at_ms),
    }));
    return [{ ...times, walletId: command.walletId, seq, occurredAtMs }, ...others];
  });
}

const isOwn = ({ over, outcome }: AttemptWith<'accepted'>): boolean =>
  over !== 'cli' && outcome.isReplayed === false;

/** Goes through the requests by their start, with the last one of those that had ended by then. */
function checkOrder(effects: readonly Effect[]): readonly Violation[] {
  const violations: Violation[] = [];
  const byStart = [...effects].sort((a, b) => a.startMs - b.startMs);
  const byEnd = [...effects].sort((a, b) => a.endMs - b.endMs);
  let ended = 0;
  let last: Effect | undefined;
  for (const effect of byStart) {
    for (; (byEnd[ended]?.endMs ?? Infinity) < effect.startMs; ended += 1) {
      const candidate = byEnd[ended];
      if (candidate && (!last || candidate.seq > last.seq)) last = candidate;
    }
    if (!last) continue;
    const isLater = effect.seq > last.seq;
    const [before = 0, after = Infinity] = [last.occurredAtMs, effect.occurredAtMs];
    if (isLater && after >= before) continue;
    const how = isLater ? 'has an earlier time' : `began after seq ${last.seq} was answered`;
    const what = `${effect.text} ${how} (${last.text})`;
    violations.push({ checker, walletId: effect.walletId, seq: effect.seq, what });
  }
  return violations;
}
