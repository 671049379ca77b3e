import { startPostgresProxy } from './proxy.ts';

export type CommitCutter = {
  /** The database's URL by way of the cutter. */
  readonly url: string;
  /** As `cutCommits` of the proxy. */
  cut(count: number, isLost?: boolean): void;
  readonly cuts: number;
  stop(): Promise<void>;
};

/** Stands between a client and Postgres, and loses answers to COMMIT: the worst moment there is. */
export async function startCommitCutter(url: string): Promise<CommitCutter> {
  const proxy = await startPostgresProxy(new URL(url).searchParams.get('host') ?? '');
  return {
    url: proxy.through(url),
    cut: proxy.cutCommits,
    get cuts() {
      return proxy.cuts;
    },
    stop: proxy.stop,
  };
}
