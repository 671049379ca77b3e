import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { run } from '../../../scripts/product.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dw-bench-test-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const bench = (...args: string[]) =>
  run(process.execPath, ['--import', 'tsx', 'bench/main.ts', ...args], {
    env: { PATH: process.env['PATH'] ?? '', HOME: folder },
  });

type Report = {
  machine: string;
  isQuick: boolean;
  server: Record<string, string>;
  rows: {
    id: string;
    value: number;
    baseline: number;
    ratio: number;
    cpuMicros: number | null;
    baselineCpuMicros: number | null;
    busyPercent: number;
    target: string;
    met: boolean;
  }[];
};

describe('benchmarks', () => {
  it('npm run bench measures rows, and writes a table and a report', async () => {
    const out = join(folder, 'report.json');
    const ids = ['start', 'stream', 'export', 'batch', 'table'];
    const done = await bench(...ids, '--quick', '--skip-build', '--out', out);
    expect(done.stderr).not.toContain('Error');
    expect(done.code).toBe(0);
    const report = JSON.parse(await readFile(out, 'utf8')) as Report;
    expect(report.isQuick).toBe(true);
    expect(report.machine).toContain(process.version);
    expect(report.server).toMatchObject({
      fsync: 'on',
      full_page_writes: 'on',
      synchronous_commit: 'on',
    });
    const first = ['start-version', 'start-balance', 'stream', 'export'];
    const exported = ['export-daemon-memory', 'export-cli-memory'];
    const memory = [...exported, 'table-memory'];
    const rest = ['batch', 'table', 'table-memory'];
    expect(report.rows.map(({ id }) => id)).toEqual([...first, ...exported, ...rest]);
    for (const row of report.rows) {
      expect(row.target).toMatch(/^[<>]= \d/);
      expect(typeof row.met).toBe('boolean');
      expect(row.busyPercent).toBeGreaterThan(0);
      expect(row.busyPercent).toBeLessThanOrEqual(100);
      if (memory.includes(row.id)) continue;
      expect(row.value).toBeGreaterThan(0);
      expect(row.baseline).toBeGreaterThan(0);
      expect(row.ratio).toBeGreaterThan(0);
    }
    for (const { id, cpuMicros, baselineCpuMicros } of report.rows) {
      for (const micros of [cpuMicros, baselineCpuMicros]) {
        if (memory.includes(id)) expect(micros).toBeNull();
        else expect(micros).toBeGreaterThan(1);
      }
    }
    expect(done.stdout).toMatch(/^\| id .*\| µs +\| its µs +\| busy/m);
    for (const { id } of report.rows)
      expect(done.stdout).toMatch(new RegExp(`^\\| ${id} +\\|`, 'm'));
  }, 300_000);

  it('npm run bench lists the rows if an unknown one is named', async () => {
    const done = await bench('streams');
    expect(done.code).toBe(2);
    expect(done.stderr).toContain('unknown: streams; there are start, ');
  });
});
