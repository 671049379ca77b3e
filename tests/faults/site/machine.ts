import { setTimeout as sleep } from 'node:timers/promises';

import pg from 'pg';

import type { FaultSite } from './fault-site.ts';
import type { Timeline } from '../timeline.ts';

export type MachineWatch = {
  /** Stalls so far, and how long they were in all. */
  describe(): string;
  stop(): Promise<void>;
};

const probeEveryMs = 100;
/** Longer than a commit or a timer ever takes on a machine that has something left for them. */
const stallMs = 500;
const probeText = "SELECT pg_logical_emit_message(true, 'probe', '')";

/**
 * Looks for what no daemon can help: commits of a transaction that locks nothing, and timers of
 * this process, that take long. They are put on the timeline, so that a slow machine does not look
 * like a slow daemon.
 */
export function watchMachine(site: FaultSite, timeline: Timeline): MachineWatch {
  // A new connection for each commit that follows on a failed one: faults end connections.
  const pool = new pg.Pool({ connectionString: site.ownerUrl, max: 1 });
  pool.on('error', () => undefined);
  let isStopped = false;
  let stalls = 0;
  let totalMs = 0;
  const note = (target: string, fromMs: number): (() => void) => {
    stalls += 1;
    const end = timeline.begin('machine', target, fromMs);
    return () => {
      end();
      totalMs += performance.now() - fromMs;
    };
  };
  const probe = async (): Promise<void> => {
    const fromMs = performance.now();
    let end: (() => void) | undefined;
    const timer = setTimeout(() => (end = note('a commit', fromMs)), stallMs);
    // Refused or cut off by a fault: that is no stall.
    await pool.query(probeText).catch(() => undefined);
    clearTimeout(timer);
    end?.();
  };
  const probeAll = async (): Promise<void> => {
    while (!isStopped) {
      await probe();
      await sleep(probeEveryMs);
    }
  };
  let lastMs = performance.now();
  const ticking = setInterval(() => {
    const nowMs = performance.now();
    if (nowMs - lastMs > stallMs) note('a timer', lastMs)();
    lastMs = nowMs;
  }, probeEveryMs);
  const probing = probeAll();
  return {
    describe: () => `${stalls} stalls of the machine, ${(totalMs / 1_000).toFixed(1)} s in all`,
    stop: async () => {
      isStopped = true;
      clearInterval(ticking);
      await probing;
      await pool.end();
    },
  };
}
