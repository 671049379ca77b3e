import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createConnection, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createCommitFinder } from './commit-finder.ts';

/** Stands between clients and a Postgres on a Unix socket, and does what networks do. */
export type PostgresProxy = {
  /** A URL of the database by way of the proxy. */
  through(url: string): string;
  /**
   * From now on, so many answers to COMMIT are cut off after the server has committed; those of
   * `isLost` before it gets the COMMIT, and it rolls back. Both look the same to the client. The
   * rest of a count that was not used up is forgotten.
   */
  cutCommits(count: number, isLost?: boolean): void;
  readonly cuts: number;
  /** Each piece of data takes so much longer, in each direction; the order stays. */
  delay(ms: number): void;
  /** Nothing passes, and no connection is closed, until `release`. */
  hold(): void;
  release(): void;
  /** Ends all connections; new ones are closed at once until `accept`. */
  refuse(): void;
  accept(): void;
  stop(): Promise<void>;
};

type State = {
  pending: number;
  isLost: boolean;
  cuts: number;
  delayMs: number;
  isRefusing: boolean;
  held: Promise<void> | undefined;
};

const socketName = '.s.PGSQL.5432';

/** `socketDir`: the folder of the server's socket. */
export async function startPostgresProxy(socketDir: string): Promise<PostgresProxy> {
  const folder = await mkdtemp(join(tmpdir(), 'dw-proxy-'));
  const state: State = {
    ...{ pending: 0, isLost: false, cuts: 0, delayMs: 0, isRefusing: false },
    held: undefined,
  };
  const sockets = new Set<Socket>();
  let letGo: () => void = () => undefined;
  const release = (): void => {
    state.held = undefined;
    letGo();
  };
  const server = createServer((client) => {
    if (state.isRefusing) return void client.destroy();
    const upstream = createConnection(join(socketDir, socketName));
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        client.end();
        upstream.destroy();
      });
    }
    joinSockets(client, upstream, state);
  });
  await new Promise<void>((resolve) => server.listen(join(folder, socketName), resolve));
  // A daemon that was started by root is another user's by then.
  await chmod(folder, 0o711);
  await chmod(join(folder, socketName), 0o777);
  return {
    through: (url) => {
      const target = new URL(url);
      target.searchParams.set('host', folder);
      return target.href;
    },
    cutCommits: (count, isLost = false) => Object.assign(state, { pending: count, isLost }),
    get cuts() {
      return state.cuts;
    },
    delay: (ms) => void (state.delayMs = ms),
    hold: () => void (state.held ??= new Promise((resolve) => (letGo = resolve))),
    release,
    refuse: () => {
      state.isRefusing = true;
      for (const socket of sockets) socket.destroy();
    },
    accept: () => void (state.isRefusing = false),
    stop: async () => {
      release();
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Carries data both ways, and cuts the connection at a COMMIT where that is wanted. */
function joinSockets(client: Socket, upstream: Socket, state: State): void {
  const toServer = createPipe(upstream, state);
  const toClient = createPipe(client, state);
  const findAsked = createCommitFinder('Q');
  const findAnswered = createCommitFinder('C');
  const isWanted = (isLost: boolean): boolean => state.pending > 0 && state.isLost === isLost;
  const count = (): void => {
    state.pending -= 1;
    state.cuts += 1;
  };
  client.on('data', (chunk) => {
    const at = findAsked(chunk);
    if (at === undefined || !isWanted(true)) {
      toServer(chunk);
      return;
    }
    count();
    client.destroy();
    upstream.destroy();
  });
  upstream.on('data', (chunk) => {
    const at = findAnswered(chunk);
    if (at === undefined || !isWanted(false)) {
      toClient(chunk);
      return;
    }
    count();
    upstream.removeAllListeners('data');
    // What the statements before it were answered arrives.
    toClient(chunk.subarray(0, at), () => {
      client.end();
      upstream.destroy();
    });
  });
}

/** Writes to this socket, in order, as soon as the state allows it. */
function createPipe(to: Socket, state: State): (chunk: Buffer, then?: () => void) => void {
  let waiting = 0;
  let last: Promise<void> = Promise.resolve();
  const write = (chunk: Buffer, then?: () => void): void => {
    if (!to.destroyed && chunk.length > 0) to.write(chunk);
    then?.();
  };
  return (chunk, then) => {
    if (waiting === 0 && state.delayMs === 0 && !state.held) {
      write(chunk, then);
      return;
    }
    waiting += 1;
    const dueMs = performance.now() + state.delayMs;
    last = last.then(async () => {
      const restMs = dueMs - performance.now();
      if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs));
      while (state.held) await state.held;
      waiting -= 1;
      write(chunk, then);
    });
  };
}
