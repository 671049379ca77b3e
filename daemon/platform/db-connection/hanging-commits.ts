import type pg from 'pg';

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

/** COMMITs of a pool in which the server hangs. */
export type HangingCommits = {
  /** Throws where another COMMIT would most likely hang, too. Nothing was sent then. */
  check(): void;
  /**
   * Keeps a connection whose COMMIT got no answer, and its place in the pool, until it gets one.
   * Says whether it does so, by what the work on it failed with.
   */
  keep(client: pg.PoolClient, err: unknown): boolean;
  /** Gives the connections up. */
  release(): void;
};

/**
 * The server goes on waiting in a COMMIT also where its connection is gone: each one that is given up
 * leaves a process of the server behind, and a new connection would add the next. So half of a pool's
 * connections at most hang, and the others are left to those who read.
 */
export function createHangingCommits(maxConnections: number): HangingCommits {
  const maxHanging = Math.max(1, maxConnections >> 1);
  const kept = new Set<() => void>();
  return {
    check: () => {
      if (kept.size < maxHanging) return;
      const text = `${kept.size} COMMITs hang in the database: no other is begun`;
      throw Object.assign(new Error(text), { code: 'EBUSY' });
    },
    keep: (client, err) => {
      const cause: unknown = err instanceof Error ? err.cause : undefined;
      const answer = cause instanceof Error ? pending.get(cause) : undefined;
      if (!answer) return false;
      const release = (): void => {
        if (kept.delete(release)) client.release(true);
      };
      kept.add(release);
      void answer.then(release, release);
      return true;
    },
    release: () => {
      for (const release of [...kept]) release();
    },
  };
}
