import { setTimeout as sleep } from 'node:timers/promises';

import { act } from './acts.ts';
import { askProbe, compare, lookOnce, measure, type Measures, type Verdict } from './measure.ts';
import { createSoakSite } from './site.ts';

export type SoakOptions = {
  /** Repeats the choices of a run: kinds of calls, how they end, delays. */
  readonly seed: string;
  readonly seconds: number;
  /** Before the first look: caches and pools are filled as they are by any load. */
  readonly warmUpSeconds: number;
  /** How long everything may take to come back. Connections of a pool are kept for a minute. */
  readonly settleSeconds: number;
  /** What may be there besides at the end, by name. */
  readonly spare: Measures;
  readonly say: (line: string) => void;
};

const lookEveryMs = 60_000;

/**
 * Runs one daemon with cancelled, late, refused and abandoned calls of every kind, and says what it
 * holds before and after.
 */
export async function runSoak(options: SoakOptions): Promise<readonly Verdict[]> {
  const { seed, seconds, warmUpSeconds, settleSeconds, spare, say } = options;
  const site = await createSoakSite();
  try {
    await act(site, warmUpSeconds * 1_000, `${seed}, warm-up`);
    await sleep(Math.min(settleSeconds, 90) * 1_000);
    const before = await measure(site);
    let counts = new Map<string, number>();
    let round = 0;
    const endsAtMs = performance.now() + seconds * 1_000;
    for (let leftMs = seconds * 1_000; leftMs > 0; leftMs = endsAtMs - performance.now()) {
      const done = await act(site, Math.min(leftMs, lookEveryMs), `${seed}, round ${round}`);
      round += 1;
      counts = sum(counts, done);
      const calls = [...counts.values()].reduce((all, n) => all + n, 0);
      const { 'heap MB after gc': heap = 0, sockets = 0 } = await lookOnce(site);
      say(`${calls} calls, heap ${heap.toFixed(1)} MB, ${sockets} sockets`);
    }
    say(JSON.stringify(Object.fromEntries(counts)));
    let verdicts = compare(before, await measure(site), spare);
    const settledBy = performance.now() + settleSeconds * 1_000;
    while (verdicts.some(({ isMet }) => !isMet) && performance.now() < settledBy) {
      await sleep(1_000);
      verdicts = compare(before, await measure(site), spare);
    }
    if (verdicts.some(({ isMet }) => !isMet)) {
      const { sessions } = await askProbe(site.probe);
      say(`HTTP/2 sessions that have not ended: ${JSON.stringify(sessions)}`);
    }
    const warning = /MaxListenersExceeded|UnhandledRejection|INTERNAL/;
    const warnings = site
      .log()
      .split('\n')
      .filter((line) => warning.test(line));
    for (const line of warnings.slice(0, 5)) say(line.slice(0, 1_000));
    const name = 'warnings in the log';
    const found = warnings.length;
    return [...verdicts, { name, before: 0, after: found, allowed: 0, isMet: found === 0 }];
  } catch (err) {
    say(`the daemon's log ends with:\n${site.log().slice(-2_000)}`);
    throw err;
  } finally {
    await site.dispose();
  }
}

function sum(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): Map<string, number> {
  const all = new Map(a);
  for (const [name, n] of b) all.set(name, (all.get(name) ?? 0) + n);
  return all;
}

/** A table: what was there, what is, and what may be. */
export function formatVerdicts(verdicts: readonly Verdict[]): string[] {
  const number = (n: number): string => (Number.isInteger(n) ? String(n) : n.toFixed(1));
  return verdicts.map(
    ({ name, before, after, allowed, isMet }) =>
      `${name.padEnd(58)} ${number(before).padStart(8)} ${number(after).padStart(8)}  ` +
      `at most ${number(allowed)}${isMet ? '' : '   NOT MET'}`,
  );
}
