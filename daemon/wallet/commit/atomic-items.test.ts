import { describe, expect, it } from 'vitest';

import { refuse, succeed, type Rejection, type Result } from '../../../core/reasons.ts';
import { createLog } from '../../platform/log.ts';
import { isBehind } from './behind.ts';
import type { Busy, LockMode } from './commit-items.ts';
import { createGroupCommit } from './group-commit.ts';

type Group = { readonly keys: readonly string[] };
type Command = { readonly n: number; readonly keys: readonly string[]; readonly group?: Group };

const log = createLog('silent');
const explain = (err: unknown): Rejection =>
  refuse('INTERNAL', err instanceof Error ? err.message : '').rejection;
const dataFault = () => Object.assign(new Error('bad'), { code: '22003', severity: 'ERROR' });
const lockTimeout = () => Object.assign(new Error('locked'), { code: '55P03', severity: 'ERROR' });
const waiting = { deadlineMs: Infinity, isCancelled: () => false };
const answerAll = (commands: readonly Command[]) => commands.map(({ n }) => succeed(n));
const reasonOf = (result: Result<number>) => (result.ok ? result.value : result.rejection.reason);

type Commit = (
  commands: readonly Command[],
  mode: LockMode,
) => Promise<readonly (Result<number> | Busy)[]>;

const create = (commit: Commit, maxCommits = 2) =>
  createGroupCommit<Command, number>({
    ...{ keysOf: ({ keys }) => keys, groupOf: ({ group }) => group },
    ...{ commit, maxCommits, explain, log },
  });

let next = 0;
const single = (key: string): Command => ({ n: next++, keys: [key] });
function groupOf(size: number, ...keys: string[]): Command[] {
  const group = { keys };
  return Array.from({ length: size }, () => ({ n: next++, keys, group }));
}

/** Whether each group in a commit is there with all its commands, side by side. */
function findCut(commands: readonly Command[], sizes: ReadonlyMap<Group, number>): Group[] {
  const cut: Group[] = [];
  for (const [group, size] of sizes) {
    const places = commands.flatMap((command, i) => (command.group === group ? [i] : []));
    const isWhole = places.length === size && (places.at(-1) ?? 0) - (places[0] ?? 0) === size - 1;
    if (places.length > 0 && !isWhole) cut.push(group);
  }
  return cut;
}

describe('atomic groups in the group commit', () => {
  it('halves of a batch that fails have no part of a group, and a bad group fails alone', async () => {
    const groups = Array.from({ length: 20 }, (_group, i) =>
      groupOf(1 + (i % 16), `a${i % 5}`, 'b'),
    );
    const bad = groups[7]!;
    const commands = groups.flatMap((group, i) => [...group, single(`s${i}`)]);
    const sizes = new Map(groups.map((group) => [group[0]!.group!, group.length]));
    const cuts: Group[] = [];
    const commit: Commit = (some) => {
      cuts.push(...findCut(some, sizes));
      return some.includes(bad[0]!)
        ? Promise.reject(dataFault())
        : Promise.resolve(answerAll(some));
    };
    const { completed } = await create(commit).submitMany(commands, waiting);
    const wanted = commands.map((command) => (bad.includes(command) ? 'INTERNAL' : command.n));
    expect((await completed).map(reasonOf)).toEqual(wanted);
    expect(cuts).toEqual([]);
  });

  it('the limit of a batch counts the commands of groups', async () => {
    const counts: number[] = [];
    const commit: Commit = (some) => {
      counts.push(some.length);
      return Promise.resolve(answerAll(some));
    };
    const commands = Array.from({ length: 200 }, () => groupOf(15, 'a')).flat();
    const { completed } = await create(commit, 1).submitMany(commands, waiting);
    expect((await completed).map(reasonOf)).toEqual(commands.map(({ n }) => n));
    expect(Math.max(...counts)).toBe(1_020);
    expect(counts.length).toBe(3);
  });

  it('a group waits as a whole for a locked wallet of one of its commands', async () => {
    const sizes = new Map<Group, number>();
    const groups = [
      groupOf(3, 'free', 'locked'),
      groupOf(2, 'locked', 'other'),
      groupOf(4, 'last'),
    ];
    for (const group of groups) sizes.set(group[0]!.group!, group.length);
    let isLocked = true;
    const cuts: Group[] = [];
    const order: number[] = [];
    const commit: Commit = (some, mode) => {
      cuts.push(...findCut(some, sizes));
      const busy = new Set(isLocked ? ['locked'] : []);
      if (mode === 'wait' && some.some(({ keys }) => keys.includes('locked')) && isLocked) {
        return Promise.reject(lockTimeout());
      }
      const isHeld = isBehind(busy, ({ keys }: Command) => keys);
      const held = new Set(some.filter(isHeld));
      for (const command of some) if (!held.has(command)) order.push(command.n);
      return Promise.resolve(some.map((one) => (held.has(one) ? 'busy' : succeed(one.n))));
    };
    const commands = [...groups.flat(), single('free')];
    const patient = { ...waiting, busyAfterMs: 60_000 };
    const { completed } = await create(commit).submitMany(commands, patient);
    const free = groups[2]!.map(({ n }) => n);
    await expect.poll(() => order, { timeout: 20_000 }).toEqual(expect.arrayContaining(free));
    expect(order).toEqual(free);
    isLocked = false;
    expect((await completed).map(reasonOf)).toEqual(commands.map(({ n }) => n));
    expect(order.indexOf(commands.at(-1)!.n)).toBeGreaterThan(order.indexOf(groups[0]![2]!.n));
    expect(cuts).toEqual([]);
  });

  it('a group that is given up is refused as a whole, once', async () => {
    const given: string[] = [];
    const group = groupOf(3, 'a', 'b');
    const commit: Commit = (some) => Promise.resolve(some.map(() => 'busy'));
    const { completed } = await create(commit).submitMany(group, {
      ...waiting,
      busyAfterMs: 100,
      onGivenUp: ({ reason }, { n }) => given.push(`${reason} ${n - group[0]!.n}`),
    });
    expect((await completed).map(reasonOf)).toEqual(Array(3).fill('WALLET_BUSY'));
    expect(given).toEqual(['WALLET_BUSY 0']);
  });
});
