import { parseArgs } from 'node:util';

import { ensureTestServices } from '../scripts/test-services.ts';
import { rows } from './rows/index.ts';
import { createPgbench, type Pgbench } from './support/pgbench.ts';
import { describeMachine, formatTable, writeReport } from './support/report.ts';
import type { Bench, ResultRow } from './support/row.ts';
import { startServer, type BenchServer } from './support/server.ts';

// `npm run bench -- [ids] [--rounds N] [--seconds N] [--quick] [--out FILE]`; bench/README.md says
// how it measures. Ends with 1 if a row failed, not if a target was missed: that is what the table
// is for.

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '10' },
    quick: { type: 'boolean', default: false },
    out: { type: 'string', default: 'bench/results/latest.json' },
    // A folder for CPU profiles of the daemons; they cost some speed.
    profile: { type: 'string' },
    // For a test that shares `dist` with others.
    'skip-build': { type: 'boolean', default: false },
  },
});
const unknown = positionals.filter((id) => !rows.some((row) => row.id === id));
if (unknown.length > 0) {
  console.error(
    `unknown: ${unknown.join(', ')}; there are ${rows.map((row) => row.id).join(', ')}`,
  );
  process.exit(2);
}
const chosen = positionals.length > 0 ? rows.filter((r) => positionals.includes(r.id)) : rows;
const isQuick = values.quick;
const rounds = isQuick ? 1 : readCount('rounds', values.rounds, 3);
const seconds = isQuick ? 1 : readCount('seconds', values.seconds, 1);

ensureTestServices();
if (!values['skip-build']) await import('../scripts/build.ts');
const server = await startServer(values.profile);
try {
  const results = await runAll(server);
  const report = { machine: describeMachine(), isQuick, rounds, seconds };
  await writeReport(values.out, { ...report, server: server.settings, rows: results });
  console.log(`\n${report.machine}`);
  console.log(
    `${rounds} rounds of ${seconds} s${isQuick ? '; a smoke run: no number counts' : ''}`,
  );
  console.log(
    Object.entries(server.settings)
      .map((setting) => setting.join('='))
      .join(' '),
  );
  console.log(`\n${formatTable(results)}\n\nwritten to ${values.out}`);
} finally {
  await server.stop();
}

function readCount(name: string, text: string, least: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least) return value;
  console.error(`--${name} must be a whole number of at least ${least}`);
  process.exit(2);
}

async function runAll(to: BenchServer): Promise<ResultRow[]> {
  let pgbench: Promise<Pgbench> | undefined;
  const bench: Bench = {
    server: to,
    pgbench: () => (pgbench ??= createPgbench(to, isQuick ? 1 : 20)),
    rounds,
    seconds,
    isQuick,
    note: (text) => console.error(`  ${text}`),
  };
  const results: ResultRow[] = [];
  for (const row of chosen) {
    console.error(`${row.id} …`);
    try {
      results.push(...(await row.run(bench)));
    } catch (err) {
      console.error(err);
      process.exitCode = 1;
      const [value, baseline, ratio, met] = [null, null, null, null];
      const reason = 'failed';
      results.push({
        id: row.id,
        what: '',
        unit: '',
        value,
        baseline,
        ratio,
        target: '',
        met,
        reason,
      });
    }
  }
  return results;
}
