import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { TestProject } from 'vitest/node';

import { startEmbedded } from '../../../daemon/embedded/index.ts';
import { createLog } from '../../../daemon/platform/log.ts';
import { migrate } from '../../../daemon/platform/db/migrate/migrate.ts';
import { connectClient } from './client.ts';

export type TestServer = {
  /** As superuser, to the database `postgres`. */
  readonly adminUrl: string;
  /** Passwords of `<service>_owner` and `<service>_app`. */
  readonly passwords: Readonly<Record<string, { owner: string; runtime: string }>>;
  readonly socketDir: string;
};

declare module 'vitest' {
  interface ProvidedContext {
    postgres: TestServer;
  }
}

const services = ['auth', 'wallet', 'statement'] as const;

/** One real Postgres for the run, with a migrated template database per service. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'dw-test-'));
  // The server runs as another user where the tests run as root.
  await chmod(folder, 0o711);
  const dataDir = join(folder, 'data');
  const log = createLog('warn');
  const started = await startEmbedded({ dataDir, log, extraSettings: { max_connections: '200' } });
  if (!started.ok) throw new Error(`${started.fault.fault} ${started.fault.hint}`);
  const secrets = JSON.parse(await readFile(join(dataDir, 'embedded.json'), 'utf8')) as {
    socketDir: string;
    adminPassword: string;
    passwords: TestServer['passwords'];
  };
  const url = new URL(started.value.databases.auth.ownerUrl);
  const admin = await findAdminUrl(url, secrets);
  for (const name of services) {
    const { ownerUrl } = started.value.databases[name];
    const runtimeRole = `${name}_app`;
    const outcome = await migrate({ ownerUrl, folder: `migrations/${name}`, runtimeRole, log });
    if (!outcome.ok) throw new Error(outcome.fault);
  }
  const { passwords, socketDir } = secrets;
  project.provide('postgres', { adminUrl: admin, passwords, socketDir });
  return async () => {
    await started.value.stop();
    await rm(folder, { recursive: true, force: true });
  };
}

async function findAdminUrl(
  url: URL,
  secrets: { socketDir: string; adminPassword: string },
): Promise<string> {
  const owner = await connectClient(url.href);
  try {
    const { rows } = await owner.query<{ rolname: string }>(
      'SELECT rolname FROM pg_roles WHERE rolsuper ORDER BY oid LIMIT 1',
    );
    const role = encodeURIComponent(rows[0]?.rolname ?? '');
    const host = encodeURIComponent(secrets.socketDir);
    return `postgres://${role}:${secrets.adminPassword}@localhost/postgres?host=${host}`;
  } finally {
    await owner.end();
  }
}
