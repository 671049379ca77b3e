import { describe, expect, it } from 'vitest';

import { formatChecks, listChecks, type Findings } from './checks.ts';
import { createLatencies } from './latencies.ts';
import { createReport } from './report.ts';
import { createTimeline } from './timeline.ts';

const silent = (): void => undefined;
const createEmptyReport = () => createReport(createTimeline(silent), silent);

/** A run without any violation, with `tookMs` for each operation beside a locked wallet. */
function evaluateLatencies(tookMs: readonly number[]) {
  const latencies = createLatencies();
  const report = createEmptyReport();
  for (const of of ['calls', 'reads', 'streams', 'mixed stream', 'messages'] as const) {
    for (const ms of tookMs) latencies.record(of, 'beside a lock', ms);
  }
  return { latencies: latencies.evaluate(report), report };
}

const fast = Array.from({ length: 200 }, () => 20);
const good: Findings = {
  counts: new Map(),
  outboxRows: 0,
  latencies: evaluateLatencies(fast).latencies,
};
const listUnmet = (findings: Findings): string[] =>
  listChecks(findings).flatMap(({ isMet, name }) => (isMet ? [] : [name]));

describe('checks of a fault run', () => {
  it('a fault run without violations meets all checks', () => {
    expect(listUnmet(good)).toEqual([]);
    expect(formatChecks(listChecks(good))).toHaveLength(1 + 11);
  });

  it.each([
    ['INTERNAL', 'INTERNAL'],
    ['false refusals', 'false refusals'],
    ['balances that changed', 'reported balances that changed'],
    ['statements that changed', 'complete statements that changed'],
    ['statements of the future that changed', 'complete statements that changed'],
    ['answers', 'other violations'],
    ['rest', 'other violations'],
    ['a kind that is new', 'other violations'],
  ])('a violation of "%s" fails exactly the check "%s"', (kind, name) => {
    const report = createEmptyReport();
    report.violate(kind, 'planted');
    expect(listUnmet({ ...good, counts: report.counts })).toEqual([name]);
  });

  it.each([3, undefined])('a final outbox of %s rows fails exactly one check', (outboxRows) => {
    expect(listUnmet({ ...good, outboxRows })).toEqual(['rows in the outbox at the end']);
  });

  it('over a hundredth of slow answers, or too few answers, fail each latency class', () => {
    for (const tookMs of [[...fast, 1_300, 1_300, 1_300], fast.slice(0, 49), []]) {
      const { latencies, report } = evaluateLatencies(tookMs);
      expect(listUnmet({ ...good, latencies })).toHaveLength(5);
      expect(report.counts.get('latency')).toBe(5);
    }
    const { latencies } = evaluateLatencies([...fast, 1_300]);
    expect(listUnmet({ ...good, latencies })).toEqual([]);
  });
});
