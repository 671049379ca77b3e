import { describe, expect, it } from 'vitest';

import type { Asked } from './asked.ts';
import { makeIdeal } from './ideal.ts';
import { judge } from './judge.ts';
import { countMutants } from './mutants.ts';
import { listWallets, makePlan } from './plan.ts';

const users = [1, 2, 3].map((n) => `00000000-0000-4000-8000-00000000000${n}`);
const steps = makePlan({
  ...{ seed: 'judge', count: 1_500, wallets: listWallets(users), isOrdered: true },
});
const asked: Asked = {
  ...{ steps, called: [], bundledPoison: [], looseWallets: new Set(), windows: [] },
  isOrdered: true,
};
const ideal = makeIdeal(steps);

describe('the checks of the bundle run', () => {
  it('a run without a defect has no violation, and met what matters', () => {
    expect(judge(asked, ideal).violations).toEqual([]);
    const reasons = new Set(ideal.refusals.map(({ reason }) => reason));
    expect([...reasons].sort()).toEqual([
      'IDEMPOTENCY_KEY_REUSED',
      'INSUFFICIENT_FUNDS',
      'PARENT_ALREADY_UNDONE',
      'PARENT_NOT_FOUND',
      'PARENT_NOT_UNDOABLE',
    ]);
    expect(ideal.entries.length).toBeGreaterThan(700);
    expect(ideal.letters).toHaveLength(15);
  });

  it('every planted defect is found as what it is', () => {
    const { caught, missed } = countMutants(asked, ideal);
    expect(missed).toEqual([]);
    expect(caught).toBeGreaterThan(20);
  });

  it('where the order of the queue is open, another order is no violation, and a loss is', () => {
    const open: Asked = { ...asked, isOrdered: false };
    const swapped = [...steps];
    const [a, b] = [swapped[0], swapped[1]];
    if (a && b) swapped.splice(0, 2, b, a);
    expect(judge({ ...open, steps: swapped }, ideal).violations).toEqual([]);
    const found = countMutants(open, ideal);
    expect(found.missed).toEqual([]);
    expect(found.caught).toBe(countMutants(asked, ideal).caught - 1);
  });
});
