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
    let isCommitting = false;
    client.on('data', (chunk) => {
      if (pending > 0 && chunk.includes('COMMIT\0')) {
        pending -= 1;
        isCommitting = true;
        if (losesCommits) {
          cuts += 1;
          client.destroy();
          return void upstream.destroy();
        }
      }
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (!isCommitting) return void client.write(chunk);
      cuts += 1;
      client.destroy();
      upstream.destroy();
    });
    for (const end of [client, upstream]) {
      end.on('error', () => undefined);
      end.on('close', () => {
        client.destroy();
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
