import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { refuse, succeed, type Result } from '../../../../core/reasons.ts';
import { createLog } from '../../../platform/log.ts';
import type { Busy } from '../commit-items.ts';
import { createGroupCommit } from '../group-commit.ts';

type Command = { readonly n: number; readonly keys: readonly string[] };
type Commit = (commands: readonly Command[]) => Promise<readonly (Result<number> | Busy)[]>;

const create = (commit: Commit) =>
  createGroupCommit<Command, number>({
    ...{ keysOf: ({ keys }: Command) => keys, maxCommits: 2, commit },
    explain: () => refuse('INTERNAL', 'bad').rejection,
    log: createLog('silent'),
  });
const answerAll = (commands: readonly Command[]) => commands.map(({ n }) => succeed(n));
const run = (count: number, key: string): Command[] =>
  Array.from({ length: count }, (_, n) => ({ n, keys: [key] }));
const within = (ms: number) => ({
  ...{ deadlineMs: performance.now() + ms, patienceMs: ms, isCancelled: () => false },
});

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Commits in which a wallet hangs until it is let. */
function createHanging(hung: string) {
  let release: () => void = () => undefined;
  const hanging = new Promise<void>((resolve) => (release = resolve));
  const group = create(async (commands) => {
    if (commands.some(({ keys }) => keys.includes(hung))) await hanging;
    return answerAll(commands);
  });
  return { group, release: () => release() };
}

it('what waited behind a command that was given up is done, though a commit hangs', async () => {
  const { group, release } = createHanging('h');
  const first = group.submit({ n: 0, keys: ['h'] }, within(60_000));
  await vi.advanceTimersByTimeAsync(100);
  const both = group.submit({ n: 1, keys: ['a', 'h'] }, within(600));
  const behind = group.submit({ n: 2, keys: ['a'] }, within(60_000));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await both).toMatchObject({ rejection: { reason: 'DATABASE_UNAVAILABLE' } });
  expect(await behind).toEqual(succeed(2));
  release();
  expect(await first).toEqual(succeed(0));
});

it('a run of many commands does not wait for those behind a commit that hangs', async () => {
  const { group, release } = createHanging('h');
  const first = group.submit({ n: 0, keys: ['h'] }, within(60_000));
  await vi.advanceTimersByTimeAsync(100);
  const hung = Array.from({ length: 6 }, () => group.submitMany(run(1_000, 'h'), within(60_000)));
  const other = group.submitMany(run(10, 'free'), within(60_000));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await (await other).completed).toEqual(answerAll(run(10, 'free')));
  release();
  await first;
  await Promise.all(hung.map(async (one) => (await one).completed));
});

it('a run waits for room among locked wallets only until these were given up', async () => {
  const group = create((commands) =>
    Promise.resolve(commands.map(({ n, keys }) => (keys.includes('locked') ? 'busy' : succeed(n)))),
  );
  const first = group.submit({ n: 0, keys: ['locked'] }, within(60_000));
  await vi.advanceTimersByTimeAsync(100);
  const locked = Array.from({ length: 5 }, () =>
    group.submitMany(run(1_000, 'locked'), within(60_000)),
  );
  const other = group.submitMany(run(10, 'free'), within(60_000));
  await vi.advanceTimersByTimeAsync(5_000);
  expect(await (await other).completed).toEqual(answerAll(run(10, 'free')));
  await vi.advanceTimersByTimeAsync(10_000);
  expect(await first).toMatchObject({ rejection: { reason: 'WALLET_BUSY' } });
  const all = await Promise.all(locked.map(async (one) => (await one).completed));
  expect(all.flat().every((result) => !result.ok)).toBe(true);
});
