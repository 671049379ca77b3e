import { spawn, type ChildProcess } from 'node:child_process';

/** A shell at a terminal of its own, typed at as by a person. */
export type ShellTerminal = {
  /** Sends keys. */
  type(keys: string): void;
  /** Everything that was shown so far. */
  shown(): string;
  /** Waits until a text was shown that was not there before, and returns all that is new. */
  waitFor(text: string | RegExp): Promise<string>;
  close(): Promise<void>;
};

const limitMs = 30_000;

/** Starts a command at a pseudo-terminal, which `script` makes. */
export function openShellTerminal(
  command: string,
  options: { readonly env: Readonly<Record<string, string>>; readonly cwd: string },
): ShellTerminal {
  const child = spawn('script', ['-qfc', command, '/dev/null'], { ...options, stdio: 'pipe' });
  const exited = new Promise<void>((resolve) => child.on('close', () => resolve()));
  let text = '';
  let read = 0;
  const waiting = new Set<() => void>();
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8');
    for (const look of waiting) look();
  });
  return {
    type: (keys) => void child.stdin.write(keys),
    shown: () => text,
    waitFor: (wanted) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(look);
          reject(
            new Error(`${String(wanted)} was not shown:\n${JSON.stringify(text.slice(read))}`),
          );
        }, limitMs);
        const look = (): void => {
          const fresh = text.slice(read);
          const isThere = typeof wanted === 'string' ? fresh.includes(wanted) : wanted.test(fresh);
          if (!isThere) return;
          clearTimeout(timer);
          waiting.delete(look);
          read = text.length;
          resolve(fresh);
        };
        waiting.add(look);
        look();
      }),
    close: async () => {
      end(child);
      await exited;
    },
  };
}

function end(child: ChildProcess): void {
  child.stdin?.end();
  child.kill('SIGKILL');
}
