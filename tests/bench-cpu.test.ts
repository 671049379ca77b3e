import { spawn } from 'node:child_process';
import { once } from 'node:events';

import { describe, expect, it } from 'vitest';

import {
  busyBetween,
  parseMachineStat,
  parseStat,
  perTransaction,
  readCpuMicros,
  sumTrees,
  type ProcessTimes,
} from '../bench/support/cpu.ts';
import { runRounds } from '../bench/support/rounds.ts';
import { evaluate } from '../bench/support/row.ts';

const times = (pid: number, parent: number, own: number, ended = 0): ProcessTimes => ({
  ...{ pid, parent, own, ended },
});

describe('processor time of a tree of processes', () => {
  it('processor time includes user and system time of a process and of its ended children', () => {
    const text = '42 (a) b (c) S 7 42 42 0 -1 4194560 1 2 3 4 100 20 3000 400 20 0 1 0 5 6 7';
    expect(parseStat(text)).toEqual(times(42, 7, 120, 3_400));
    expect(parseStat('')).toBeUndefined();
    expect(parseStat('42 (cut) S 7')).toBeUndefined();
  });

  it('processor time is the sum of the roots and of all their descendants, each once', () => {
    const all = [
      ...[times(1, 0, 1_000_000, 1_000_000), times(10, 1, 1), times(11, 10, 20, 300)],
      ...[times(12, 11, 4_000), times(20, 1, 50_000), times(30, 1, 7_000_000)],
    ];
    expect(sumTrees(all, [10, 20])).toBe(54_321);
    expect(sumTrees(all, [10, 11, 12])).toBe(4_321);
    expect(sumTrees(all, [99])).toBe(0);
  });

  it('processor time of a child is counted once when the child ends', () => {
    const before = [times(10, 1, 100, 7), times(11, 10, 50)];
    const zombie = [times(10, 1, 100, 7), times(11, 10, 60)];
    const after = [times(10, 1, 100, 67)];
    expect([before, zombie, after].map((all) => sumTrees(all, [10]))).toEqual([157, 167, 167]);
  });

  it('processor time of processes is complete before and after their children end', async () => {
    // A shell that is asked to burn time in a child, waits for it, and lives on.
    const burn = 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done';
    const shell = spawn('sh', ['-c', `sh -c '${burn}; echo burnt; read x'; echo over; read y`]);
    const pids = [shell.pid ?? 0];
    try {
      await once(shell.stdout, 'data');
      const alive = await readCpuMicros(pids);
      expect(alive).toBeGreaterThan(30_000);
      shell.stdin.write('x\n');
      await once(shell.stdout, 'data');
      const ended = await readCpuMicros(pids);
      expect(ended).toBeGreaterThanOrEqual(alive);
      expect(ended).toBeLessThan(alive * 1.5);
    } finally {
      shell.kill('SIGKILL');
    }
  });
});

describe('processor time of a transaction', () => {
  it('processor time per transaction is the difference divided by the count, or null', () => {
    expect(perTransaction(1_000_000, 3_000_000, 40_000)).toBe(50);
    expect(perTransaction(1_000_000, 3_000_000, 0)).toBeNull();
    expect(perTransaction(1_000_000, 1_000_000, 10)).toBeNull();
  });

  it('processor time of product and baseline is the median of the rounds', async () => {
    const costs = [40, 90, 41];
    const measured = await runRounds(
      3,
      (round) => Promise.resolve({ value: 1, cpuMicros: [300, 310, 100][round] ?? 0 }),
      (round) => Promise.resolve({ value: 8, cpuMicros: costs[round] ?? 0 }),
    );
    expect(measured).toMatchObject({ ratio: 8, cpuMicros: 41, baselineCpuMicros: 300 });
  });

  it('processor time is null for rounds that measure none', async () => {
    const half = () => Promise.resolve(2);
    const measured = await runRounds(3, half, half);
    expect(measured).toMatchObject({ value: 2, cpuMicros: null, baselineCpuMicros: null });
  });
});

describe('how busy the machine was', () => {
  const text = 'cpu  100 20 30 1000 50 6 4 700 80 9\ncpu0 1 1 1 1 1 1 1 1 1 1\nintr 5\n';

  it('the share of busy processors excludes idle time, disks and what a hypervisor took', () => {
    const before = parseMachineStat(text);
    expect(before).toEqual({ busy: 160, total: 1_210 });
    const after = parseMachineStat('cpu  150 20 50 1020 60 6 4 9700 80 9\n');
    expect(busyBetween(before, after)).toBe(70);
  });

  it('the share of busy processors is unknown without figures or time between them', () => {
    const times = parseMachineStat(text);
    expect(parseMachineStat('')).toBeUndefined();
    expect(busyBetween(undefined, times)).toBeNull();
    expect(busyBetween(times, times)).toBeNull();
  });

  it('the share of busy processors is the median of the rounds of the product', async () => {
    const measured = await runRounds(
      3,
      () => Promise.resolve({ value: 1, cpuMicros: null, busyPercent: 1 }),
      (round) =>
        Promise.resolve({ value: 1, cpuMicros: null, busyPercent: [50, 90, 80][round] ?? null }),
    );
    expect(measured.busyPercent).toBe(80);
  });
});

describe('targets', () => {
  const row = { id: 'a', what: 'b', unit: 'c' };
  const measured = { value: 90, baseline: 10, ratio: 9, cpuMicros: 40, busyPercent: 95 };
  const bound = { atLeast: 8.5, micros: 43, busyPercent: 92 };

  it.each([
    [{}, true],
    [{ ratio: 8.4 }, false],
    [{ cpuMicros: 43.1 }, false],
    [{ cpuMicros: null }, false],
    [{ busyPercent: 91.9 }, false],
    [{ busyPercent: null }, false],
  ])('a target of several parts with %j is met: %s', (change, met) => {
    const target = '>= 8.5, <= 43 µs, busy >= 92 %';
    expect(evaluate(row, { ...measured, ...change }, bound)).toMatchObject({ target, met });
  });

  it('a target is not met unless a condition beside it holds', () => {
    const judge = (isMet: boolean) =>
      evaluate(row, measured, { atMost: 9 }, [{ text: 'lag <= 1 ms', isMet }]);
    expect(judge(true)).toMatchObject({ target: '<= 9, lag <= 1 ms', met: true });
    expect(judge(false).met).toBe(false);
  });
});
