import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { run, type Environment } from '../../scripts/product.ts';
import type { BenchServer } from './server.ts';

const debianFolder = '/usr/lib/postgresql';

/**
 * A program of Debian's postgresql packages, the newest there is. The wrappers in /usr/bin are of
 * another package, and look for servers of Debian's.
 */
export function findTool(program: 'psql' | 'pgbench'): string {
  const versions = existsSync(debianFolder) ? readdirSync(debianFolder) : [];
  const found = versions
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(debianFolder, version, 'bin', program))
    .find((path) => existsSync(path));
  if (found === undefined) {
    throw new Error(`${program} is missing; on Debian: apt-get install postgresql`);
  }
  return found;
}

/** Runs psql or pgbench against the server to its end; gives what it printed. */
export async function runTool(
  server: BenchServer,
  program: 'psql' | 'pgbench',
  args: readonly string[],
  env: Environment = {},
): Promise<string> {
  const done = await run(findTool(program), args, { env: { ...server.toolEnv, ...env } });
  if (done.code !== 0)
    throw new Error(`${program} ended with ${String(done.code)}: ${done.stderr}`);
  return done.stdout;
}
