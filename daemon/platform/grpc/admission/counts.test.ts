import fc from 'fast-check';
import { expect, it } from 'vitest';

import { createCounts } from './counts.ts';

it('permits of keys are counted as they are taken and given back', () => {
  const step = fc.record({
    key: fc.constantFrom('a', 'b', 'c'),
    permits: fc.integer({ min: 1, max: 3 }),
    isTaking: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const counts = createCounts();
      const model = new Map<string, number>();
      for (const { key, permits, isTaking } of steps) {
        const held = model.get(key) ?? 0;
        if (isTaking) {
          const fits = held + permits <= 5;
          expect(counts.take(key, 5, permits)).toBe(fits);
          if (fits) model.set(key, held + permits);
        } else if (held >= permits) {
          counts.release(key, permits);
          model.set(key, held - permits);
        }
        const kept = [...model].filter(([, count]) => count > 0);
        expect(counts.size()).toBe(kept.length);
        expect(counts.total()).toBe(kept.reduce((sum, [, count]) => sum + count, 0));
        for (const name of ['a', 'b', 'c']) {
          expect(counts.countOf(name)).toBe(model.get(name) ?? 0);
          expect(counts.has(name)).toBe((model.get(name) ?? 0) > 0);
        }
      }
    }),
  );
});

it('one permit is meant where no number is given', () => {
  const counts = createCounts();
  expect([counts.take('a', 1), counts.take('a', 1), counts.countOf('a')]).toEqual([true, false, 1]);
  counts.release('a');
  expect([counts.size(), counts.total(), counts.has('a')]).toEqual([0, 0, false]);
});
