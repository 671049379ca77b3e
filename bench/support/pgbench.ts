import { perTransaction, readCpuMicros } from './cpu.ts';
import type { Measure } from './rounds.ts';
import type { BenchServer } from './server.ts';
import { runTool } from './tools.ts';

const database = 'bench_tpcb';
const clientCounts = [8, 16, 32];

export type Pgbench = {
  /** Transactions a second: the best of 8, 16 and 32 clients, each for so many seconds. */
  measure(seconds: number): Promise<Measure>;
};

/** `pgbench -M prepared`, TPC-B-like, on a database of its own on the same server. */
export async function createPgbench(server: BenchServer, scale: number): Promise<Pgbench> {
  await server.query('postgres', `CREATE DATABASE ${database}`);
  await runTool(server, 'pgbench', ['-i', '-q', '-s', String(scale), database]);
  return {
    measure: async (seconds) => {
      const measures: Measure[] = [];
      for (const clients of clientCounts) {
        await server.query('postgres', 'CHECKPOINT');
        measures.push(await measureWith(server, clients, seconds));
      }
      return measures.reduce((best, next) => (next.value > best.value ? next : best));
    },
  };
}

async function measureWith(
  server: BenchServer,
  clients: number,
  seconds: number,
): Promise<Measure> {
  const args = ['-M', 'prepared', '-c', String(clients), '-j', '2', '-T', String(seconds), '-n'];
  const before = await readCpuMicros([server.pid]);
  const output = await runTool(server, 'pgbench', [...args, database]);
  const after = await readCpuMicros([server.pid]);
  const tps = /^tps = ([\d.]+)/m.exec(output)?.[1];
  if (tps === undefined) throw new Error(`pgbench said no tps:\n${output}`);
  const done = /^number of transactions actually processed: (\d+)/m.exec(output)?.[1];
  return { value: Number(tps), cpuMicros: perTransaction(before, after, Number(done ?? 0)) };
}
