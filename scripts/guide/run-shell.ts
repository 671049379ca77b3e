import { spawn } from 'node:child_process';

export type ShellResult = {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Both, in the order in which they came. */
  readonly output: string;
};

/**
 * Runs a command with `sh` in a folder, with these variables and nothing of ours but PATH, and
 * without standard input.
 */
export function runShell(
  command: string,
  variables: Readonly<Record<string, string>>,
  cwd: string,
): Promise<ShellResult> {
  return new Promise((resolve, reject) => {
    const env = { PATH: process.env['PATH'] ?? '', HOME: cwd, ...variables };
    const child = spawn('sh', ['-c', command], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const chunks: { isError: boolean; bytes: Buffer }[] = [];
    child.stdout.on('data', (bytes: Buffer) => chunks.push({ isError: false, bytes }));
    child.stderr.on('data', (bytes: Buffer) => chunks.push({ isError: true, bytes }));
    child.on('error', reject);
    child.on('close', (code) => {
      const textOf = (wanted?: boolean): string =>
        Buffer.concat(
          chunks.filter(({ isError }) => wanted === undefined || isError === wanted).map(toBytes),
        ).toString();
      resolve({ code, stdout: textOf(false), stderr: textOf(true), output: textOf() });
    });
  });
}

const toBytes = ({ bytes }: { readonly bytes: Buffer }): Buffer => bytes;
