import { describe, expect, it } from 'vitest';

import { pipeline } from './ordered-pipeline.ts';

async function* count(to: number): AsyncGenerator<number> {
  for (let i = 1; i <= to; i += 1) yield await Promise.resolve(i);
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a pipeline', () => {
  it('a pipeline returns outcomes in the order of the inputs', async () => {
    const finish: (() => void)[] = [];
    const begin = (n: number) =>
      Promise.resolve({
        completed: new Promise<number>((resolve) => finish.push(() => resolve(n * 10))),
      });
    const outcomes: number[] = [];
    const reading = (async () => {
      for await (const outcome of pipeline(count(3), begin, 3)) outcomes.push(outcome);
    })();
    while (finish.length < 3) await turn();
    for (const resolve of [...finish].reverse()) {
      resolve();
      await turn();
    }
    await reading;
    expect(outcomes).toEqual([10, 20, 30]);
  });

  it('a pipeline starts no more than its limit before the first outcome is read', async () => {
    let begun = 0;
    const begin = (n: number) => {
      begun += 1;
      return Promise.resolve({ completed: Promise.resolve(n) });
    };
    const run = pipeline(count(20), begin, 4);
    await run.next();
    for (let i = 0; i < 50; i += 1) await turn();
    expect(begun).toBe(4);
    await run.next();
    for (let i = 0; i < 50; i += 1) await turn();
    expect(begun).toBe(5);
  });

  it('a pipeline reports an error of the inputs after the outcomes before it', async () => {
    const inputs = async function* () {
      yield* count(2);
      throw new Error('the inputs broke');
    };
    const outcomes: number[] = [];
    const read = async () => {
      const begin = (n: number) => Promise.resolve({ completed: turn().then(() => n) });
      for await (const outcome of pipeline(inputs(), begin, 4)) outcomes.push(outcome);
    };
    await expect(read()).rejects.toThrow('the inputs broke');
    expect(outcomes).toEqual([1, 2]);
  });

  it('a pipeline reports an error in order, and starts nothing after it was left', async () => {
    let begun = 0;
    const begin = (n: number) => {
      begun += 1;
      const completed = n === 2 ? Promise.reject(new Error('two')) : Promise.resolve(n);
      return Promise.resolve({ completed });
    };
    const outcomes: number[] = [];
    const read = async () => {
      for await (const outcome of pipeline(count(50), begin, 2)) outcomes.push(outcome);
    };
    await expect(read()).rejects.toThrow('two');
    expect(outcomes).toEqual([1]);
    const whenLeft = begun;
    for (let i = 0; i < 50; i += 1) await turn();
    expect(begun).toBe(whenLeft);
  });

  it('a pipeline without inputs ends at once', async () => {
    const begin = (n: number) => Promise.resolve({ completed: Promise.resolve(n) });
    expect(await pipeline(count(0), begin, 4).next()).toEqual({ done: true, value: undefined });
  });
});
