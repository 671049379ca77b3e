import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Environment } from '../../../scripts/product.ts';

export const walletdFile = resolve('dist/daemon/main.js');

export type Running = {
  readonly child: ChildProcess;
  said(): string;
  /** The exit code, or the signal that ended it; 'still running' where it does not end. */
  end(): Promise<number | string>;
};

/** Where it does not end within so long, it does not end for the reason that a test looks at. */
const endTimeoutMs = 30_000;

/** A walletd that may be sent signals at any time. */
export function runProcess(
  args: readonly string[],
  env: Environment,
  stdio: StdioOptions = ['pipe', 'pipe', 'pipe'],
): Running {
  const child = spawn(process.execPath, [walletdFile, ...args], {
    env: { ...env },
    stdio,
    detached: true,
  });
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream?.on('error', () => undefined);
  }
  child.stdin?.on('error', () => undefined);
  const ended = new Promise<number | string>((settle) =>
    child.on('exit', (code, signal) => settle(code ?? signal ?? '')),
  );
  return {
    child,
    said: () => Buffer.concat(chunks).toString(),
    end: async () => {
      const timer = new AbortController();
      const late = sleep(endTimeoutMs, 'still running', { signal: timer.signal });
      const how = await Promise.race([ended, late.catch(() => 'still running')]);
      timer.abort();
      if (how === 'still running') child.kill('SIGKILL');
      return how;
    },
  };
}

/** Waits until it says so; rejects after a minute, so that a test fails instead of hanging. */
export async function waitFor(what: string, isTrue: () => boolean | Promise<boolean>) {
  for (let step = 0; step < 6_000; step += 1) {
    if (await isTrue()) return;
    await sleep(10);
  }
  throw new Error(`it did not come to this: ${what}`);
}

/** Processes whose command line names this folder, the tests' own left out. */
export function findProcesses(folder: string): string[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      return line.includes(folder) ? [`${pid}: ${line}`] : [];
    } catch {
      return [];
    }
  });
}

/** The processes that one has started and that have not ended. */
export const findChildren = (parent: number): number[] =>
  readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8')
    .split(' ')
    .filter((pid) => pid !== '')
    .map(Number);

/** What a start or a command must not leave in its data folder. */
export function findLeftovers(dataDir: string): string[] {
  if (!existsSync(dataDir)) return [];
  const files = readdirSync(dataDir).filter((name) =>
    /^(walletd\.lock|postgres\.init-|embedded\.json\.tmp-|bin-.*\.tmp-|signing-key\.pem\.)/.test(
      name,
    ),
  );
  return [...files, ...findProcesses(join(dataDir, 'postgres'))];
}

/** Ends the server that a failed test left on this data folder, by its pid. */
export async function endServer(dataDir: string): Promise<void> {
  const place = join(dataDir, 'postgres');
  const file = join(place, 'postmaster.pid');
  const pid = existsSync(file) ? Number.parseInt(readFileSync(file, 'utf8'), 10) : 0;
  if (findProcesses(place).some((line) => line.startsWith(`${pid}: `)))
    process.kill(pid, 'SIGQUIT');
  await waitFor('no server', () => findProcesses(place).length === 0);
}
