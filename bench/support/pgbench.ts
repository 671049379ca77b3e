import type { BenchServer } from './server.ts';
import { runTool } from './tools.ts';

const database = 'bench_tpcb';
const clientCounts = [8, 16, 32];

export type Pgbench = {
  /** Transactions a second: the best of 8, 16 and 32 clients, each for so many seconds. */
  measure(seconds: number): Promise<number>;
};

/** `pgbench -M prepared`, TPC-B-like, on a database of its own on the same server. */
export async function createPgbench(server: BenchServer, scale: number): Promise<Pgbench> {
  await server.query('postgres', `CREATE DATABASE ${database}`);
  await runTool(server, 'pgbench', ['-i', '-q', '-s', String(scale), database]);
  return {
    measure: async (seconds) => {
      const rates: number[] = [];
      for (const clients of clientCounts) {
        await server.query('postgres', 'CHECKPOINT');
        rates.push(await measureWith(server, clients, seconds));
      }
      return Math.max(...rates);
    },
  };
}

async function measureWith(server: BenchServer, clients: number, seconds: number): Promise<number> {
  const args = ['-M', 'prepared', '-c', String(clients), '-j', '2', '-T', String(seconds), '-n'];
  const output = await runTool(server, 'pgbench', [...args, database]);
  const tps = /^tps = ([\d.]+)/m.exec(output)?.[1];
  if (tps === undefined) throw new Error(`pgbench said no tps:\n${output}`);
  return Number(tps);
}
