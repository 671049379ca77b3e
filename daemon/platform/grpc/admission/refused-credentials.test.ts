import { setTimeout as sleep } from 'node:timers/promises';

import { expect, it } from 'vitest';

import { createRefusedCredentials } from './refused-credentials.ts';

const limits = { perSecond: 30, burst: 30, maxWaitMs: 60_000, networks: 3 };

it('a network that sends many bad credentials waits for its answers; others do not', () => {
  const refused = createRefusedCredentials({ ...limits, maxWaitMs: 0 });
  const answered: string[] = [];
  const show = (source: string, count: number): void => {
    for (let i = 0; i < count; i += 1) refused.answer(source, () => answered.push(source), 3);
  };
  show('10.0.0.1', 50);
  expect(answered.length).toBe(10);
  expect(refused.size()).toBe(40);
  show('10.0.0.2', 5);
  expect(answered.filter((source) => source === '10.0.0.2').length).toBe(5);
  // One network: the first 64 bits.
  show('2001:db8::1', 8);
  show('2001:db8::2', 8);
  expect(answered.filter((source) => source.startsWith('2001')).length).toBe(10);
});

it('every delayed refusal is answered, and none stays counted', async () => {
  const refused = createRefusedCredentials({ ...limits, maxWaitMs: 50 });
  let count = 0;
  for (let i = 0; i < 100; i += 1) refused.answer(`10.0.${i}.1`, () => (count += 1), 3);
  for (let i = 0; i < 100; i += 1) refused.answer('10.0.0.1', () => (count += 1), 3);
  for (let i = 0; i < 100 && refused.size() > 0; i += 1) await sleep(20);
  expect(count).toBe(200);
  expect(refused.size()).toBe(0);
});

it('a stop answers delayed and new refusals at once, each once', async () => {
  const refused = createRefusedCredentials({ ...limits, maxWaitMs: 50 });
  let count = 0;
  const show = (): void => refused.answer('10.0.0.1', () => (count += 1), 3);
  for (let i = 0; i < 50; i += 1) show();
  expect(count).toBe(10);
  refused.answerAll();
  expect(count).toBe(50);
  expect(refused.size()).toBe(0);
  show();
  expect(count).toBe(51);
  await sleep(200);
  expect(count).toBe(51);
});
