import type pg from 'pg';

import { markUnconnected } from './connection-fault.ts';

const pending = new WeakMap<object, Promise<unknown>>();

/** Past it the connection is given up, and with it whatever the server still does on it. */
const giveUpMs = 15 * 60_000;

/**
 * Sends COMMIT, and gives the tag of the answer. Rejects where none comes in time; what holds the
 * answer up (a synchronous standby, say) may go on for much longer.
 */
export async function sendCommit(client: pg.ClientBase, timeoutMs: number): Promise<string> {
  const config = { text: 'COMMIT', query_timeout: giveUpMs };
  const answer = client.query(config);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const err = new Error(`COMMIT: no answer within ${timeoutMs} ms: timeout`);
      pending.set(err, answer);
      reject(err);
    }, timeoutMs);
  });
  try {
    return (await Promise.race([answer, late])).command;
  } finally {
    clearTimeout(timer);
  }
}

const lookEveryMs = 5_000;
const waitingText =
  "SELECT pid FROM pg_stat_activity WHERE pid = ANY($1) AND wait_event = 'SyncRep'";

/** Those of the server's processes that wait for a synchronous standby. */
export async function findWaiting(
  client: pg.ClientBase,
  pids: readonly number[],
): Promise<ReadonlySet<number>> {
  const { rows } = await client.query<{ pid: number }>(waitingText, [pids]);
  return new Set(rows.map(({ pid }) => pid));
}

/** COMMITs of a pool in which the server waits for a synchronous standby. */
export type HangingCommits = {
  /** Throws where another COMMIT would most likely hang, too. Nothing was sent then. */
  check(): void;
  /**
   * Keeps a connection whose COMMIT got no answer, and its place in the pool, while the server
   * waits in it. Says whether it does so, by what the work on it failed with.
   */
  keep(client: pg.PoolClient, err: unknown): boolean;
  /** Gives the connections up. */
  release(): void;
};

type Kept = { readonly pid: number; release(): void };

/**
 * The server goes on waiting in such a COMMIT also where its connection is gone: each one that is
 * given up leaves a process of the server behind, and a new connection would add the next. So half
 * of a pool's connections at most hang, and the others are left to those who read. Whether the
 * server still waits is looked at over another connection: one that is gone, or another after a
 * failover, keeps nothing.
 */
export function createHangingCommits(
  maxConnections: number,
  findPids: (pids: readonly number[]) => Promise<ReadonlySet<number>>,
): HangingCommits {
  const maxHanging = Math.max(1, maxConnections >> 1);
  const kept = new Set<Kept>();
  let timer: NodeJS.Timeout | undefined;
  const look = async (): Promise<void> => {
    const looked = [...kept];
    const waiting = await findPids(looked.map(({ pid }) => pid)).catch(() => new Set<number>());
    for (const one of looked) if (!waiting.has(one.pid)) one.release();
    clearTimeout(timer);
    if (kept.size > 0) timer = setTimeout(() => void look(), lookEveryMs).unref();
  };
  return {
    check: () => {
      if (kept.size < maxHanging) return;
      const text = `${kept.size} COMMITs hang in the database: no other is begun`;
      throw markUnconnected(new Error(text));
    },
    keep: (client, err) => {
      const cause: unknown = err instanceof Error ? err.cause : undefined;
      const answer = cause instanceof Error ? pending.get(cause) : undefined;
      const pid = 'processID' in client ? client.processID : undefined;
      if (!answer || typeof pid !== 'number') return false;
      const one: Kept = {
        pid,
        release: () => {
          if (kept.delete(one)) client.release(true);
        },
      };
      kept.add(one);
      void answer.then(one.release, one.release);
      void look();
      return true;
    },
    release: () => {
      for (const one of [...kept]) one.release();
      clearTimeout(timer);
    },
  };
}
