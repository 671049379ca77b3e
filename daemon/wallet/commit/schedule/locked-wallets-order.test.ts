import fc from 'fast-check';
import { expect, it } from 'vitest';

import { refuse, succeed, type Result } from '../../../../core/reasons.ts';
import { seededRandom } from '../../../../tests/support/ledger/ledger-rows.ts';
import { createLog } from '../../../platform/log.ts';
import { isBehind } from '../behind.ts';
import type { Busy, LockMode } from '../commit-items.ts';
import { createGroupCommit } from '../group-commit.ts';

type Command = { readonly n: number; readonly keys: readonly string[] };

const walletNames = ['a', 'b', 'c', 'd', 'e', 'f'];

/** What becomes of a commit: a turn of the loop or several, a failure, or locked wallets. */
const anyEvent = fc.record({
  turns: fc.integer({ min: 0, max: 4 }),
  kind: fc.constantFrom('done', 'done', 'done', 'fails', 'locked'),
  locked: fc.shuffledSubarray(walletNames, { minLength: 1, maxLength: 3 }),
});
const anyRun = fc.record({
  seed: fc.nat(),
  // Hundreds of commands are committed beside others, fewer together.
  size: fc.constantFrom(40, 3_000),
  pairShare: fc.constantFrom(0.01, 0.1, 0.5, 1),
  events: fc.array(anyEvent, { minLength: 1, maxLength: 12 }),
  maxCommits: fc.constantFrom(1, 2, 4),
});
type Run = typeof anyRun extends fc.Arbitrary<infer One> ? One : never;

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const waiting = {
  ...{ deadlineMs: Infinity, patienceMs: 60_000, busyAfterMs: 60_000 },
  isCancelled: () => false,
};

/** Commits that take time, fail and find wallets locked; notes what must not be. */
function createObserved({ events, maxCommits }: Run) {
  const inFlight = new Set<string>();
  const done: Command[] = [];
  const faults: string[] = [];
  let commits = 0;
  let lock: { keys: readonly string[]; commits: number } = { keys: [], commits: 0 };
  const commit = async (
    commands: readonly Command[],
    mode: LockMode,
  ): Promise<readonly (Result<number> | Busy)[]> => {
    // After so many the rest is done without trouble, so that each run ends.
    const event = commits < 12 ? events[commits % events.length] : undefined;
    commits += 1;
    const keys = new Set(commands.flatMap((command) => command.keys));
    for (const key of keys) if (inFlight.has(key)) faults.push(`${key} is in two commits at once`);
    for (const key of keys) inFlight.add(key);
    for (let i = 0; i < (event?.turns ?? 0); i += 1) await turn();
    for (const key of keys) inFlight.delete(key);
    if (event?.kind === 'fails') {
      throw Object.assign(new Error('bad'), { code: '22003', severity: 'ERROR' });
    }
    if (event?.kind === 'locked') lock = { keys: event.locked, commits: 4 };
    lock.commits -= 1;
    const locked = new Set(lock.commits > 0 ? lock.keys : []);
    if (locked.size > 0 && mode === 'wait') {
      throw Object.assign(new Error('locked'), { code: '55P03', severity: 'ERROR' });
    }
    const isHeld = isBehind<Command>(locked, (command) => command.keys);
    return commands.map((command): Result<number> | Busy => {
      if (isHeld(command)) return command.keys.some((key) => locked.has(key)) ? 'busy' : 'behind';
      done.push(command);
      return succeed(command.n);
    });
  };
  const group = createGroupCommit<Command, number>({
    ...{ keysOf: (command: Command) => command.keys, maxCommits, commit },
    explain: () => refuse('INTERNAL', 'bad').rejection,
    log: createLog('silent'),
  });
  return { group, done, faults };
}

/** The wallets of each command. */
function makeKeys({ seed, size, pairShare }: Run): readonly (readonly string[])[] {
  const random = seededRandom(seed);
  const pick = () => walletNames[Math.floor(random() * walletNames.length)] ?? 'a';
  return Array.from({ length: size }, () => {
    const keys = random() < pairShare ? [pick(), pick()] : [pick()];
    return [...new Set(keys)];
  });
}

it('commands with two wallets keep their order on both, in no two commits at once, and end', async () => {
  await fc.assert(
    fc.asyncProperty(anyRun, async (run) => {
      const { group, done, faults } = createObserved(run);
      const answers: Promise<Result<number>>[] = [];
      const random = seededRandom(run.seed + 1);
      const keys = makeKeys(run);
      let burst = 1;
      for (const [n, own] of keys.entries()) {
        answers.push(group.submit({ n, keys: own }, waiting));
        burst -= 1;
        if (burst > 0) continue;
        burst = Math.ceil(random() ** 3 * run.size);
        await turn();
      }
      const results = await Promise.all(answers);
      await group.drain();
      expect(faults).toEqual([]);
      // What failed by itself was refused; all else was done once.
      const accepted = results.flatMap((result) => (result.ok ? [result.value] : []));
      expect(done.map((command) => command.n).sort((a, b) => a - b)).toEqual(accepted);
      for (const key of walletNames) {
        const order = done.filter(({ keys }) => keys.includes(key)).map((command) => command.n);
        expect(order).toEqual([...order].sort((a, b) => a - b));
      }
    }),
    { numRuns: 60, endOnFailure: true },
  );
}, 60_000);

it('a command on a locked wallet waits for what its other wallet has under way', async () => {
  const done: number[] = [];
  let isLocked = true;
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const group = createGroupCommit<Command, number>({
    keysOf: (command) => command.keys,
    maxCommits: 2,
    commit: async (commands) => {
      if (commands.some(({ n }) => n === 1)) await held;
      return commands.map(({ n, keys }): Result<number> | Busy => {
        if (isLocked && keys.includes('locked')) return 'busy';
        done.push(n);
        return succeed(n);
      });
    },
    explain: () => refuse('INTERNAL', 'bad').rejection,
    log: createLog('silent'),
  });
  const first = group.submit({ n: 0, keys: ['locked'] }, waiting);
  for (let i = 0; i < 5; i += 1) await turn();
  const others = [['free'], ['locked', 'free']].map((keys, i) =>
    group.submit({ n: i + 1, keys }, waiting),
  );
  for (let i = 0; i < 5; i += 1) await turn();
  isLocked = false;
  await first;
  // Time for a try of what waits for the lock, which is made every 50 ms.
  await new Promise((resolve) => setTimeout(resolve, 150));
  release();
  await Promise.all(others);
  expect(done).toEqual([0, 1, 2]);
});

it('a command on two wallets that one look met as locked is tried again, however late it is', async () => {
  const modes: LockMode[] = [];
  const group = createGroupCommit<Command, number>({
    ...{ keysOf: (command: Command) => command.keys, maxCommits: 2 },
    commit: async ([command], mode) => {
      // Longer than a command on two wallets waits, if each look finds it locked.
      if (command?.n === 0) await new Promise((resolve) => setTimeout(resolve, 1_100));
      else modes.push(mode);
      return [modes.length === 1 ? 'busy' : succeed(command?.n ?? -1)];
    },
    explain: () => refuse('INTERNAL', 'bad').rejection,
    log: createLog('silent'),
  });
  const slow = group.submit({ n: 0, keys: ['a'] }, waiting);
  await turn();
  await turn();
  const pair = group.submit({ n: 1, keys: ['a', 'b'] }, { ...waiting, busyAfterMs: 2_000 });
  expect([await slow, await pair]).toEqual([succeed(0), succeed(1)]);
  expect(modes).toEqual(['wait', 'skip']);
});
