import { spawn } from 'node:child_process';

import { onAbort } from '../platform/concurrency/abort.ts';

/** The unprivileged user for Postgres; null where walletd itself is unprivileged. */
export type RunAs = { readonly uid: number; readonly gid: number; readonly name: string };

export type Finished = {
  readonly code: number | null;
  /** stdout and stderr as they came, the last 64 KiB */
  readonly output: string;
  /** set if the program could not be started at all: ENOENT, EACCES, EPERM */
  readonly startError: NodeJS.ErrnoException | null;
};

const outputLimitBytes = 65_536;

/** The whole environment of child processes, so that the host's cannot change their behaviour. */
export const childEnv: Readonly<Record<string, string>> = {
  PATH: '/usr/bin:/bin:/usr/sbin:/sbin',
  LC_ALL: 'C',
  TZ: 'UTC',
};

/** The spawn options that drop root's privileges; Node also clears supplementary groups. */
export function asUser(runAs: RunAs | null): { uid?: number; gid?: number } {
  return runAs === null ? {} : { uid: runAs.uid, gid: runAs.gid };
}

/** Runs a program to its end, without stdin, and collects its output. Never rejects. */
export function runToEnd(
  program: string,
  args: readonly string[],
  options: {
    readonly runAs?: RunAs | null;
    readonly timeoutMs: number;
    /** Kills the program when it is aborted. */
    readonly signal?: AbortSignal | undefined;
  },
): Promise<Finished> {
  return new Promise((resolve) => {
    let output = '';
    const collect = (chunk: Buffer): void => {
      output = (output + chunk.toString('utf8')).slice(-outputLimitBytes);
    };
    try {
      const child = spawn(program, args, {
        ...asUser(options.runAs ?? null),
        cwd: '/',
        env: childEnv,
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: options.timeoutMs,
        killSignal: 'SIGKILL',
      });
      const stopListening = onAbort(options.signal, () => child.kill('SIGKILL'));
      child.once('close', stopListening);
      child.stdout.on('data', collect);
      child.stderr.on('data', collect);
      child.once('error', (startError) => resolve({ code: null, output, startError }));
      child.once('close', (code) => resolve({ code, output, startError: null }));
    } catch (err) {
      resolve({ code: null, output, startError: err as NodeJS.ErrnoException });
    }
  });
}
