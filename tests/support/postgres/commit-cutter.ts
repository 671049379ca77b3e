import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type CommitCutter = {
  /** The database's URL by way of the cutter. */
  readonly url: string;
  /**
   * From now on, so many answers to COMMIT are cut off after the server has committed; those of
   * `isLost` before it gets the COMMIT, and it rolls back. Both look the same to the client.
   */
  cut(count: number, isLost?: boolean): void;
  readonly cuts: number;
  stop(): Promise<void>;
};

/** COMMIT as a statement, and as what it is answered with, behind the head of the message. */
const tag = 'COMMIT\0';
const headBytes = 5;

/** Stands between a client and Postgres, and loses answers to COMMIT: the worst moment there is. */
export async function startCommitCutter(url: string): Promise<CommitCutter> {
  const target = new URL(url);
  const folder = await mkdtemp(join(tmpdir(), 'dw-cut-'));
  const socket = join(target.searchParams.get('host') ?? '', '.s.PGSQL.5432');
  let pending = 0;
  let cuts = 0;
  let losesCommits = false;
  const server = createServer((client) => {
    const upstream = createConnection(socket);
    client.on('data', (chunk) => {
      if (!losesCommits || pending === 0 || !chunk.includes(tag)) return void upstream.write(chunk);
      pending -= 1;
      cuts += 1;
      client.destroy();
      upstream.destroy();
    });
    upstream.on('data', (chunk) => {
      const at = pending > 0 && !losesCommits ? chunk.indexOf(tag) : -1;
      if (at < 0) return void client.write(chunk);
      pending -= 1;
      cuts += 1;
      // What the statements before it were answered arrives.
      client.end(chunk.subarray(0, at - headBytes));
      upstream.destroy();
    });
    for (const end of [client, upstream]) {
      end.on('error', () => undefined);
      end.on('close', () => {
        client.end();
        upstream.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(join(folder, '.s.PGSQL.5432'), resolve));
  target.searchParams.set('host', folder);
  return {
    url: target.href,
    cut: (count, isLost = false) => {
      pending = count;
      losesCommits = isLost;
    },
    get cuts() {
      return cuts;
    },
    stop: async () => {
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
