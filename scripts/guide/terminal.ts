import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';

const execute = promisify(execFile);

/** What is typed once the screen shows a text. */
export type Answer = { readonly after: string; readonly keys: readonly string[] };

export type ScreenOptions = {
  readonly command: string;
  readonly columns: number;
  /** The whole environment of the command. */
  readonly variables: Readonly<Record<string, string>>;
  /** Where the terminal's socket lives; also the working folder. */
  readonly folder: string;
  readonly answers?: readonly Answer[];
};

const endMark = '[ended with ';
const waitTimeoutMs = 60_000;
const rows = 120;

/**
 * Runs a command with `sh` in a terminal of tmux, and gives the screen once it has ended; lines that
 * the terminal wrapped are one line.
 */
export async function captureScreen(options: ScreenOptions): Promise<string> {
  const { command, columns, variables, folder, answers = [] } = options;
  const socket = `${folder}/tmux-${columns}`;
  const tmux = async (...args: readonly string[]): Promise<string> => {
    const env = { ...variables, TERM: 'xterm', SHELL: '/bin/sh' };
    const all = ['-u', '-f', '/dev/null', '-S', socket, ...args];
    return (await execute('tmux', all, { cwd: folder, env })).stdout;
  };
  const waitFor = async (text: string): Promise<string> => {
    const endMs = performance.now() + waitTimeoutMs;
    for (;;) {
      const screen = await tmux('capture-pane', '-p', '-J', '-t', 'screen');
      if (screen.includes(text)) return screen;
      if (performance.now() > endMs) throw new Error(`no ${text} on the screen:\n${screen}`);
      await sleep(50);
    }
  };
  const shown = `${command}; echo "${endMark}$?]"; exec sleep 60`;
  const size = ['-x', String(columns), '-y', String(rows)];
  try {
    await tmux('new-session', '-d', '-s', 'screen', ...size, shown);
    for (const { after, keys } of answers) {
      await waitFor(after);
      await tmux('send-keys', '-t', 'screen', ...keys);
    }
    const screen = await waitFor(endMark);
    return screen.slice(0, screen.indexOf(endMark)).replace(/ +$/gm, '').trimEnd();
  } finally {
    await tmux('kill-server').catch(() => undefined);
  }
}
