import { describe, expect, it } from 'vitest';

import { refuse, succeed, type Rejection, type Result } from '../../../core/reasons.ts';
import { createLog } from '../../platform/log.ts';
import { createGroupCommit } from './group-commit.ts';

type Command = { readonly wallet: string; readonly n: number };

const log = createLog('silent');
const explain = (err: unknown): Rejection =>
  refuse('INTERNAL', err instanceof Error ? err.message : '').rejection;
const transient = () => Object.assign(new Error('gone'), { code: 'ECONNRESET' });
const dataFault = () => Object.assign(new Error('bad'), { code: '22003', severity: 'ERROR' });

function create(commit: (commands: readonly Command[]) => Promise<readonly Result<number>[]>) {
  return createGroupCommit<Command, number>({
    keysOf: (command) => [command.wallet],
    commit,
    maxCommits: 2,
    explain,
    log,
  });
}

const commandsOf = (count: number): Command[] =>
  Array.from({ length: count }, (_, n) => ({ wallet: `w${n % 7}`, n }));
const waiting = { deadlineMs: Infinity, isCancelled: () => false };
const answerAll = (commands: readonly Command[]) => commands.map(({ n }) => succeed(n));
const reasonOf = (result: Result<number>) => (result.ok ? result.value : result.rejection.reason);

describe('runs of commands', () => {
  it('each command gets its own answer, and each wallet its commands in order', async () => {
    const seen = new Map<string, number[]>();
    const group = create(async (commands) => {
      await new Promise((resolve) => setTimeout(resolve, commands[0]?.wallet === 'w0' ? 5 : 0));
      for (const { wallet, n } of commands) seen.set(wallet, [...(seen.get(wallet) ?? []), n]);
      return answerAll(commands);
    });
    const parts = [commandsOf(3_000), commandsOf(3_000).map((c) => ({ ...c, n: c.n + 3_000 }))];
    const answers = await Promise.all(
      parts.map(async (part) => (await group.submitMany(part, waiting)).completed),
    );
    expect(answers.flat().map(reasonOf)).toEqual(parts.flat().map(({ n }) => n));
    for (const order of seen.values()) expect(order).toEqual([...order].sort((a, b) => a - b));
  });

  it('an empty run of commands is answered with no results', async () => {
    const { completed } = await create(() => Promise.resolve([])).submitMany([], waiting);
    expect(await completed).toEqual([]);
  });

  it('a command that cannot be stored is refused in its place, and others are done', async () => {
    const group = create((commands) =>
      commands.some(({ n }) => n === 5)
        ? Promise.reject(dataFault())
        : Promise.resolve(answerAll(commands)),
    );
    const { completed } = await group.submitMany(commandsOf(20), waiting);
    expect((await completed).map(reasonOf)).toEqual(
      commandsOf(20).map(({ n }) => (n === 5 ? 'INTERNAL' : n)),
    );
  });

  it('a single command is committed before runs that wait for room in the queue', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const order: number[] = [];
    const group = create(async (commands) => {
      await held;
      order.push(...commands.map(({ n }) => n));
      return answerAll(commands);
    });
    const same = (count: number, from: number): Command[] =>
      Array.from({ length: count }, (_, i) => ({ wallet: 'w', n: from + i }));
    const runs = [0, 1, 2, 3, 4, 5, 6, 7].map((i) =>
      group.submitMany(same(1_024, i * 1_024), waiting),
    );
    await new Promise((resolve) => setTimeout(resolve, 5));
    const single = group.submit({ wallet: 'w', n: -1 }, waiting);
    release();
    expect(reasonOf(await single)).toBe(-1);
    await Promise.all(runs.map(async (run) => (await run).completed));
    // Behind what was inside already, and before what had waited outside.
    expect(order.indexOf(-1)).toBeLessThan(6 * 1_024);
    expect(order.filter((n) => n >= 0)).toEqual([...Array(8 * 1_024).keys()]);
  });

  it('after a command was given up, a later command of its caller can be cancelled', async () => {
    let isDown = true;
    const committed: number[] = [];
    const group = create((commands) => {
      if (isDown) return Promise.reject(transient());
      committed.push(...commands.map(({ n }) => n));
      return Promise.resolve(answerAll(commands));
    });
    let trouble: Rejection | undefined;
    const impatient = {
      deadlineMs: Infinity,
      patienceMs: 60,
      isCancelled: () => trouble !== undefined,
      onGivenUp: (rejection: Rejection) => (trouble ??= rejection),
    };
    const patient = { ...impatient, patienceMs: 60_000 };
    const first = await group.submitMany([{ wallet: 'w', n: 1 }], impatient);
    const second = await group.submitMany([{ wallet: 'w', n: 2 }], patient);
    expect((await first.completed).map(reasonOf)).toEqual(['DATABASE_UNAVAILABLE']);
    isDown = false;
    expect((await second.completed).map(reasonOf)).toEqual(['CANCELLED']);
    await group.drain();
    expect(committed).toEqual([]);
  });
});

describe('commits beside each other', () => {
  /** Two wallets, and which of their commands are committed together. */
  const [one, other] = ['w0', 'w1'] as const;

  /** A group commit whose commits end when they are let. */
  function createHeld() {
    const begun: (readonly number[])[] = [];
    const releases: (() => void)[] = [];
    const group = create(async (commands) => {
      begun.push(commands.map(({ n }) => n));
      await new Promise<void>((resolve) => releases.push(resolve));
      return answerAll(commands);
    });
    const send = async (wallet: string, count: number, from: number) => {
      const commands = Array.from({ length: count }, (_, i) => ({ wallet, n: from + i }));
      await group.submitMany(commands, waiting);
    };
    const nextTurn = () => new Promise((resolve) => setImmediate(resolve));
    // A commit of few waits for a turn that brings no more.
    const turn = async () => {
      for (let i = 0; i < 3; i += 1) await nextTurn();
    };
    return { begun, group, send, turn, release: () => releases.shift()?.() };
  }

  it('few commands on two wallets share a commit, and later commands share the next', async () => {
    const { begun, group, send, turn, release } = createHeld();
    await Promise.all([send(one, 1, 1), send(other, 1, 2)]);
    await turn();
    await Promise.all([send(one, 1, 3), send(other, 1, 4)]);
    await turn();
    expect(begun.map((ns) => new Set(ns))).toEqual([new Set([1, 2])]);
    release();
    await turn();
    expect(begun.map((ns) => new Set(ns))).toEqual([new Set([1, 2]), new Set([3, 4])]);
    release();
    await group.drain();
  });

  it('many commands on two wallets are committed beside each other', async () => {
    const { begun, group, send, turn, release } = createHeld();
    await send(one, 300, 0);
    await turn();
    await send(other, 300, 1_000);
    await turn();
    expect(begun.map((ns) => ns.length)).toEqual([300, 300]);
    release();
    release();
    await group.drain();
  });

  it('a commit that hangs delays other wallets for a moment only', async () => {
    const { begun, group, send, turn, release } = createHeld();
    await send(one, 1, 1);
    await turn();
    await Promise.all([send(one, 1, 2), send(other, 1, 3)]);
    await turn();
    expect(begun).toEqual([[1]]);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(begun).toEqual([[1], [3]]);
    release();
    await turn();
    expect(begun).toEqual([[1], [3], [2]]);
    release();
    release();
    await group.drain();
  });
});

describe('hanging commits', () => {
  /** A group commit whose commits of one wallet hang until they are let. */
  function createHanging() {
    const done: number[] = [];
    let release: () => void = () => undefined;
    const hanging = new Promise<void>((resolve) => (release = resolve));
    const group = create(async (commands) => {
      if (commands.some(({ wallet }) => wallet === 'w')) await hanging;
      done.push(...commands.map(({ n }) => n));
      return answerAll(commands);
    });
    const wait = (deadlineMs: number, patienceMs: number) => ({
      ...{ deadlineMs: performance.now() + deadlineMs, patienceMs, isCancelled: () => false },
    });
    const one = (n: number): Command => ({ wallet: 'w', n });
    return { group, done, wait, one, release: () => release() };
  }

  it('commands of a hanging commit get OUTCOME_UNKNOWN, those behind it are given up', async () => {
    const { group, done, wait, one, release } = createHanging();
    const first = group.submit(one(1), wait(600, 300));
    const run = await group.submitMany([one(2), one(3)], wait(700, 10_000));
    await new Promise((resolve) => setTimeout(resolve, 20));
    const behind = group.submit(one(4), wait(10_000, 300));
    const stream = await group.submitMany([one(5), one(6)], wait(10_000, 400));
    expect(reasonOf(await behind)).toBe('DATABASE_UNAVAILABLE');
    expect((await stream.completed).map(reasonOf)).toEqual(Array(2).fill('DATABASE_UNAVAILABLE'));
    expect(reasonOf(await first)).toBe('OUTCOME_UNKNOWN');
    expect((await run.completed).map(reasonOf)).toEqual(Array(2).fill('OUTCOME_UNKNOWN'));
    expect(done).toEqual([]);
    release();
    await group.drain();
    expect(done).toEqual([1, 2, 3]);
    expect(reasonOf(await group.submit(one(4), wait(1_000, 1_000)))).toBe(4);
  });

  it('a command that fails after its caller was answered is not tried again', async () => {
    let begun = 0;
    const group = create(async () => {
      begun += 1;
      await new Promise((resolve) => setTimeout(resolve, 700));
      throw transient();
    });
    const until = { deadlineMs: performance.now() + 300, isCancelled: () => false };
    expect(reasonOf(await group.submit({ wallet: 'w', n: 1 }, until))).toBe('OUTCOME_UNKNOWN');
    await group.drain();
    expect(begun).toBe(1);
  });

  it('a caller is notified once of an unknown outcome, and nothing later is begun', async () => {
    const { group, done, wait, one, release } = createHanging();
    const given: string[] = [];
    const waits = {
      ...wait(500, 10_000),
      isCancelled: () => given.length > 0,
      onGivenUp: ({ reason }: Rejection) => void given.push(reason),
    };
    const first = await group.submitMany([one(1)], waits);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const second = await group.submitMany([one(2)], { ...waits, deadlineMs: Infinity });
    expect((await first.completed).map(reasonOf)).toEqual(['OUTCOME_UNKNOWN']);
    expect((await second.completed).map(reasonOf)).toEqual(['CANCELLED']);
    release();
    await group.drain();
    expect(given).toEqual(['OUTCOME_UNKNOWN']);
    expect(done).toEqual([1]);
  });

  it('commands behind a hanging commit are limited, and make room when given up', async () => {
    const { group, wait, one, release } = createHanging();
    const submit = (count: number) =>
      Promise.all(Array.from({ length: count }, (_, n) => group.submit(one(n), wait(600, 300))));
    const first = group.submit(one(-1), wait(60_000, 60_000));
    await new Promise((resolve) => setTimeout(resolve, 20));
    const all = await submit(16_384 + 1);
    expect(all.map(reasonOf).filter((reason) => reason === 'OVERLOADED')).toHaveLength(1);
    const others = await submit(10);
    expect(others.map(reasonOf)).toEqual(Array(10).fill('DATABASE_UNAVAILABLE'));
    const runs = await Promise.all(
      Array.from({ length: 24 }, () =>
        group.submitMany(
          Array.from({ length: 1_024 }, (_, n) => one(n)),
          wait(600, 600),
        ),
      ),
    );
    const completed = (await Promise.all(runs.map((run) => run.completed))).flat();
    expect(new Set(completed.map(reasonOf))).toEqual(new Set(['DATABASE_UNAVAILABLE']));
    release();
    expect(reasonOf(await first)).toBe(-1);
    await group.drain();
  });
});
