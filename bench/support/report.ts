import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { dirname } from 'node:path';

import type { ResultRow } from './row.ts';

export type Report = {
  readonly machine: string;
  readonly isQuick: boolean;
  readonly rounds: number;
  readonly seconds: number;
  readonly server: Readonly<Record<string, string>>;
  readonly rows: readonly ResultRow[];
};

export function describeMachine(): string {
  const [first] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  const { platform, arch, version } = process;
  const model = first?.model.trim() ?? 'unknown';
  return `${cpus().length} × ${model}, ${memory} GiB, ${platform} ${arch}, Node ${version}`;
}

/** The table as people read it; columns are padded, so that it also reads as Markdown. */
export function formatTable(rows: readonly ResultRow[]): string {
  const cells = [
    [
      'id',
      'work',
      'product',
      'baseline',
      'unit',
      'ratio',
      'µs',
      'its µs',
      'busy',
      'must be',
      'met',
    ],
    ...rows.map((row) => [
      row.id,
      row.what,
      formatNumber(row.value),
      formatNumber(row.baseline),
      row.unit,
      row.ratio === null ? '–' : row.ratio.toFixed(2),
      formatMicros(row.cpuMicros),
      formatMicros(row.baselineCpuMicros),
      formatPercent(row.busyPercent),
      row.target,
      row.met === null ? `not run: ${row.reason ?? ''}` : row.met ? 'yes' : 'NO',
    ]),
  ];
  const widths = cells[0]?.map((_cell, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, i) => cell.padEnd(widths?.[i] ?? 0)).join(' | ')} |`;
  const [head = [], ...body] = cells;
  return [line(head), line((widths ?? []).map((w) => '-'.repeat(w))), ...body.map(line)].join('\n');
}

const formatMicros = (micros: number | null | undefined): string =>
  micros === null || micros === undefined ? '–' : micros.toFixed(1);

const formatPercent = (percent: number | null | undefined): string =>
  percent === null || percent === undefined ? '–' : `${Math.round(percent)} %`;

function formatNumber(value: number | null): string {
  if (value === null) return '–';
  return value >= 1_000 ? Math.round(value).toLocaleString('en') : value.toPrecision(4);
}

export async function writeReport(file: string, report: Report): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const rows = report.rows.map((row) => ({
    ...row,
    cpuMicros: row.cpuMicros ?? null,
    baselineCpuMicros: row.baselineCpuMicros ?? null,
    busyPercent: row.busyPercent ?? null,
  }));
  await writeFile(file, `${JSON.stringify({ ...report, rows }, null, 2)}\n`);
}
