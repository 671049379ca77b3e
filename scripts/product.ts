import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const walletd = join(root, 'dist/daemon/main.js');
const wallet = join(root, 'dist/cli/main.js');

export type Environment = Readonly<Record<string, string>>;

export type Finished = {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
};

export type Daemon = {
  /** HOST:PORT that it said it serves. */
  readonly address: string;
  readonly pid: number;
  /** What it has written to stderr so far. */
  log(): string;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when it has ended, however that came. */
  readonly exited: Promise<number | null>;
};

const readyTimeoutMs = 60_000;

type RunOptions = {
  readonly env: Environment;
  readonly input?: string | Buffer;
  readonly onStart?: (pid: number) => void;
};

/**
 * Runs a program to its end, with this environment and nothing of ours, and this standard input.
 */
export function run(
  command: string,
  args: readonly string[],
  options: RunOptions,
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: { ...options.env }, stdio: 'pipe' });
    if (child.pid !== undefined) options.onStart?.(child.pid);
    const read = collect(child);
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, ...read() }));
    // A program that ends without reading its input closes the pipe under us.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
  });
}

/** The built `wallet`. */
export const runWallet = (args: readonly string[], options: RunOptions): Promise<Finished> =>
  run(process.execPath, [requireBuilt(wallet), ...args], options);

/** The built `walletd` for a command that ends by itself. */
export const runWalletd = (args: readonly string[], options: RunOptions): Promise<Finished> =>
  run(process.execPath, [requireBuilt(walletd), ...args], options);

/** Starts the built `walletd` and waits until it says that it is ready. */
export async function startWalletd(
  env: Environment,
  args: readonly string[] = [],
  nodeFlags: readonly string[] = [],
  program: string = walletd,
): Promise<Daemon> {
  const child = spawn(process.execPath, [...nodeFlags, requireBuilt(program), 'start', ...args], {
    env: { ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const read = collect(child);
  const exited = new Promise<number | null>((resolve) => child.on('close', resolve));
  const log = (): string => read().stderr;
  const address = await waitForReady(child, log, exited);
  return {
    address,
    pid: child.pid ?? 0,
    log,
    kill: (signal) => void child.kill(signal),
    exited,
  };
}

function waitForReady(
  child: ChildProcess,
  log: () => string,
  exited: Promise<number | null>,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (what: string): void => {
      clearTimeout(timer);
      reject(new Error(`walletd ${what}:\n${log()}`));
    };
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail('was not ready in time');
    }, readyTimeoutMs);
    void exited.then((code) => fail(`ended with ${String(code)}`));
    child.stderr?.on('data', () => {
      const ready = /^walletd ready: gRPC on (\S+)$/m.exec(log());
      if (!ready?.[1]) return;
      clearTimeout(timer);
      resolve(ready[1]);
    });
  });
}

function collect(child: ChildProcess): () => { stdout: string; stderr: string } {
  const chunks: { stdout: Buffer[]; stderr: Buffer[] } = { stdout: [], stderr: [] };
  child.stdout?.on('data', (chunk: Buffer) => chunks.stdout.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => chunks.stderr.push(chunk));
  return () => ({
    stdout: Buffer.concat(chunks.stdout).toString(),
    stderr: Buffer.concat(chunks.stderr).toString(),
  });
}

function requireBuilt(file: string): string {
  if (!existsSync(file)) throw new Error(`${file} is missing: run \`npm run build\` first`);
  return file;
}
