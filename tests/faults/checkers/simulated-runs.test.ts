import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { createRandom } from '../../fuzz/random.ts';
import type { Command } from '../record/history.ts';
import { checkAll } from './check-all.ts';
import { corruptions } from './simulated/corruptions.ts';
import { userIds } from './simulated/good-run.ts';
import { simulate } from './simulated/simulator.ts';
import { formatViolation } from './violation.ts';

const seeds = fc.nat().map((n) => `seed ${n}`);

describe('simulated runs', () => {
  it('a random run without a defect has no violation', () => {
    fc.assert(
      fc.property(seeds, fc.nat(120), (seed, count) => {
        const { history, rows } = simulate(seed, count, userIds);
        expect(checkAll(history, rows).map(formatViolation)).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  it('simulated runs meet what matters', () => {
    const { history, rows } = simulate('all', 2_000, userIds);
    const outcomes = new Set(
      history.attempts.map(({ outcome }) =>
        outcome?.kind === 'accepted' ? `replayed: ${outcome.isReplayed}` : outcome?.reason,
      ),
    );
    expect([...outcomes].map(String).sort()).toEqual([
      ...['DATABASE_UNAVAILABLE', 'INSUFFICIENT_FUNDS', 'OUTCOME_UNKNOWN', 'OVERLOADED'],
      ...['PARENT_ALREADY_UNDONE', 'PARENT_NOT_FOUND', 'PARENT_NOT_UNDOABLE'],
      ...['UNDO_EXCEEDS_PARENT', 'WALLET_BUSY', 'code 14'],
      ...['replayed: false', 'replayed: true', 'undefined'],
    ]);
    expect(rows.entries.length).toBeGreaterThan(1_000);
    const isOfTwo = ({ pair, parentId }: Command) =>
      pair && (parentId === undefined ? 'new' : 'undo');
    const ofTwo = history.attempts.map(({ command }) => isOfTwo(command));
    expect(new Set(ofTwo)).toEqual(new Set([undefined, 'new', 'undo']));
    expect(rows.refusals.length).toBeGreaterThan(50);
  });

  it.each(corruptions)('a random run in which $name has a violation', ({ checkers, corrupt }) => {
    let corrupted = 0;
    fc.assert(
      fc.property(seeds, fc.integer({ min: 20, max: 120 }), (seed, count) => {
        const run = corrupt(simulate(seed, count, userIds), createRandom(seed, 'corrupt', 0));
        if (!run) return;
        corrupted += 1;
        const found = checkAll(run.history, run.rows).map(({ checker }) => checker);
        expect(found.filter((checker) => checkers.includes(checker))).not.toEqual([]);
      }),
      { numRuns: 40 },
    );
    expect(corrupted).toBeGreaterThan(10);
  });
});
