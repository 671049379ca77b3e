import { spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { chown, mkdir, rm } from 'node:fs/promises';

import pg from 'pg';

import { locatePackage, prepareBinaries } from '../../daemon/embedded/binaries.ts';
import { formatServerArgs } from '../../daemon/embedded/cluster.ts';
import { startEmbedded } from '../../daemon/embedded/index.ts';
import type { Result } from '../../daemon/embedded/result.ts';
import { asUser, childEnv } from '../../daemon/embedded/run.ts';
import { ensureSystemUser } from '../../daemon/embedded/system-user.ts';
import { createLog } from '../../daemon/platform/log.ts';
import { waitUntil, readUrls } from '../support/ledger.ts';

export type Postgres = { stop(): Promise<void> };

/**
 * A Postgres with the roles and databases that `walletd` makes for its embedded one, but started and
 * stopped here, with `env` besides: that is how its clock is not the host's.
 */
export async function startPostgres(
  dataDir: string,
  env: Readonly<Record<string, string>>,
): Promise<Postgres> {
  const made = need(await startEmbedded({ dataDir, log: createLog('warn') }));
  await made.stop();
  const runAs = process.geteuid?.() === 0 ? need(await ensureSystemUser()) : null;
  const binaries = need(await prepareBinaries(need(await locatePackage()), dataDir, runAs));
  const { admin, socketDir } = await readUrls(dataDir);
  const args = formatServerArgs({
    pgData: join(dataDir, 'postgres'),
    socketDir,
    lz4: false,
    memoryBytes: 2 * 1024 ** 3,
    extraSettings: { max_connections: '200' },
  });
  // The other server took its socket's folder with it.
  await mkdir(socketDir, { recursive: true, mode: 0o700 });
  if (runAs) await chown(socketDir, runAs.uid, runAs.gid);
  const log = openSync(join(dataDir, 'postgres.log'), 'a');
  const child = spawn(binaries.postgres, args, {
    ...asUser(runAs),
    cwd: '/',
    env: { ...childEnv, ...env },
    detached: true,
    stdio: ['ignore', log, log],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const endNow = (): void => void child.kill('SIGQUIT');
  process.once('exit', endNow);
  await waitUntil('Postgres answers', () => answers(admin('postgres')));
  return {
    stop: async () => {
      process.removeListener('exit', endNow);
      child.kill('SIGINT');
      await ended;
      await rm(socketDir, { recursive: true, force: true });
    },
  };
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('SELECT 1');
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

function need<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new Error(`${result.fault.fault} ${result.fault.hint}`);
}
