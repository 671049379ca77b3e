import { expect, it } from 'vitest';

import { createFairGate } from './fair-gate.ts';

it('serves each key in its turn, in the order of each', async () => {
  const gate = createFairGate(2);
  const order: string[] = [];
  const works = ['a1', 'a2', 'a3', 'a4', 'a5', 'b1', 'b2', 'c1'].map((name) =>
    gate.run(name.charAt(0), async () => {
      order.push(name);
      await new Promise((resolve) => setImmediate(resolve));
    }),
  );
  await Promise.all(works);
  expect(order.slice(0, 2)).toEqual(['a1', 'a2']);
  expect(order.slice(2, 5).sort()).toEqual(['a3', 'b1', 'c1']);
  expect(order.filter((name) => name.startsWith('a'))).toEqual(['a1', 'a2', 'a3', 'a4', 'a5']);
  expect(order.indexOf('b2')).toBeLessThan(order.indexOf('a5'));
});

it('never runs more at once, and goes on after work that fails', async () => {
  const gate = createFairGate(3);
  let running = 0;
  let most = 0;
  const works = Array.from({ length: 30 }, (_, i) =>
    gate.run(String(i % 4), async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      if (i % 3 === 0) throw new Error('on purpose');
    }),
  );
  const settled = await Promise.allSettled(works);
  expect(most).toBe(3);
  expect(settled.filter(({ status }) => status === 'rejected')).toHaveLength(10);
});
