import { spawn, type ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { findFreePort } from '../free-port.ts';
import { findRunAs, makeServerFolder, stopChild, waitUntil } from './server.ts';
import { withClient } from './client.ts';

export type PoolMode = 'session' | 'transaction' | 'statement';

export type Pooler = {
  url(user: string, database: string): string;
  /** Ends it, and starts it again in this mode on the same port. */
  restart(mode: PoolMode): Promise<void>;
  stop(): Promise<void>;
};

/** A real PgBouncer before the server on this port; `lines` are further lines of its settings. */
export async function startPooler(
  serverPort: number,
  mode: PoolMode,
  lines: readonly string[] = [],
): Promise<Pooler> {
  const folder = await makeServerFolder();
  const port = await findFreePort();
  const file = join(folder, 'pgbouncer.ini');
  const roles = ['auth', 'wallet', 'statement'].flatMap((name) => [`${name}_owner`, `${name}_app`]);
  const users = ['super', ...roles].map((user) => `"${user}" ""\n`).join('');
  writeFileSync(join(folder, 'users.txt'), users);
  let child: ChildProcess | undefined;
  const start = async (poolMode: PoolMode): Promise<void> => {
    const text = [
      '[databases]',
      `* = host=127.0.0.1 port=${serverPort}`,
      '[pgbouncer]',
      `listen_addr = 127.0.0.1`,
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'auth_type = trust',
      `auth_file = ${join(folder, 'users.txt')}`,
      `pool_mode = ${poolMode}`,
      ...lines,
    ];
    writeFileSync(file, `${text.join('\n')}\n`);
    const running = spawn('/usr/sbin/pgbouncer', [file], { ...findRunAs(), stdio: 'ignore' });
    child = running;
    await waitUntil(() => probe(port), running);
  };
  await start(mode);
  const end = async (): Promise<void> => {
    if (child) await stopChild(child, 'SIGKILL');
  };
  return {
    url: (user, database) => `postgres://${user}@127.0.0.1:${port}/${database}`,
    restart: async (poolMode) => {
      await end();
      await start(poolMode);
    },
    stop: async () => {
      await end();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function probe(port: number): Promise<void> {
  const connectionString = `postgres://super@127.0.0.1:${port}/postgres`;
  await withClient(connectionString, () => Promise.resolve());
}
