import { expect, it } from 'vitest';

import type { Extent } from '../domain.ts';
import { createRunningTotals } from './running-totals.ts';

const extent = (openingSeq: bigint, closingSeq: bigint): Extent => ({
  openingSeq,
  openingMinor: 0n,
  closingSeq,
  closingMinor: 30n,
  lineCount: closingSeq - openingSeq,
  totalDebitMinor: 10n,
  totalCreditMinor: 40n,
  ...{ heldClosingMinor: 0n, holdCount: 0n },
  nextSeq: undefined,
  brokenSeq: undefined,
});

function create() {
  const clock = { ms: 0 };
  return { clock, known: createRunningTotals(() => clock.ms) };
}

it('running totals are found for a range with the same start that is no shorter', () => {
  const { known } = create();
  known.keep('w', extent(5n, 2_005n));
  const sums = { openingSeq: 5n, throughSeq: 2_005n, lineCount: 2_000n };
  expect(known.find('w', 5n, 2_005n)).toMatchObject({ ...sums, totalCreditMinor: 40n });
  expect(known.find('w', 5n, 9_000n)).toMatchObject(sums);
  expect(known.find('w', 6n, 9_000n)).toBeUndefined();
  expect(known.find('w', 5n, 2_004n)).toBeUndefined();
  expect(known.find('v', 5n, 2_005n)).toBeUndefined();
  known.forget('w');
  expect(known.find('w', 5n, 2_005n)).toBeUndefined();
});

it('running totals of a short range are not kept', () => {
  const { known } = create();
  known.keep('w', extent(0n, 999n));
  expect(known.find('w', 0n, 999n)).toBeUndefined();
});

it('running totals expire a minute after their first sum, also if they were extended', () => {
  const { clock, known } = create();
  known.keep('w', extent(0n, 1_000n));
  clock.ms = 50_000;
  known.keep('w', extent(0n, 1_500n));
  clock.ms = 60_000;
  expect(known.find('w', 0n, 1_500n)?.throughSeq).toBe(1_500n);
  clock.ms = 60_001;
  expect(known.find('w', 0n, 1_500n)).toBeUndefined();
  known.keep('w', extent(0n, 1_600n));
  clock.ms = 120_000;
  expect(known.find('w', 0n, 1_600n)?.throughSeq).toBe(1_600n);
});

it('the running-total cache keeps 5,000 entries, and drops the oldest', () => {
  const { known } = create();
  for (let n = 0; n < 6_000; n += 1) known.keep(`w${n}`, extent(0n, 1_000n));
  const kept = Array.from({ length: 6_000 }, (_, n) => known.find(`w${n}`, 0n, 1_000n));
  expect(kept.filter(Boolean)).toHaveLength(5_000);
  expect(kept[5_999]).toBeDefined();
  expect(kept[0]).toBeUndefined();
});
