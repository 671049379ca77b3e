import { ok, problem, warning, type Finding } from './finding.ts';

/** One call: when it was sent by this clock, how long it took, and what the server's clock was. */
export type ClockSample = {
  readonly sentAtMs: number;
  readonly roundTripMs: number;
  readonly serverAtMs: number;
};

const warnMs = 2_000;
/** Tokens are renewed half a minute before they end, and codes of a second factor last as long. */
const problemMs = 30_000;

/**
 * How far the server's clock is ahead of this one. The server answers some time within the round
 * trip, so half of it is added; the other half is what cannot be known. The shortest call counts.
 */
export function compareClocks(samples: readonly ClockSample[]): readonly Finding[] {
  const [best] = samples.toSorted((a, b) => a.roundTripMs - b.roundTripMs);
  if (!best) return [];
  const differenceMs = Math.round(best.serverAtMs - (best.sentAtMs + best.roundTripMs / 2));
  const uncertaintyMs = Math.ceil(best.roundTripMs / 2);
  const atLeastMs = Math.max(0, Math.abs(differenceMs) - uncertaintyMs);
  const details = { differenceMs, uncertaintyMs };
  const about = `(± ${formatSpan(uncertaintyMs)})`;
  const which = differenceMs > 0 ? 'behind' : 'ahead of';
  const message = `this clock is ${formatSpan(Math.abs(differenceMs))} ${which} the server's ${about}`;
  const fix = 'set the clock that is wrong, for instance: timedatectl set-ntp true';
  if (atLeastMs >= problemMs) return [problem('clock', message, { fix, details })];
  if (atLeastMs >= warnMs) return [warning('clock', message, { fix, details })];
  return [ok('clock', `no difference to the server's that matters ${about}`, { details })];
}

/** `120 ms`, `3.5 s`, `12 min`, `5 h`, `3 days`. */
export function formatSpan(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${Math.round(ms / 100) / 10} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return ms < 172_800_000
    ? `${Math.round(ms / 3_600_000)} h`
    : `${Math.round(ms / 86_400_000)} days`;
}
