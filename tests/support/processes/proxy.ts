import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export type Proxy = { stop(): Promise<void> };

/** A configuration as docs/operations.md shows it, under this heading; the first one if none. */
export function readDocumentedProxy(program: 'nginx' | 'haproxy', heading = ''): string {
  const documented = readFileSync(join(import.meta.dirname, '../../../docs/operations.md'), 'utf8');
  const at = documented.indexOf(heading);
  const block = new RegExp(`\`\`\`${program}\\n([^\`]+)\`\`\``).exec(documented.slice(at))?.[1];
  if (at < 0 || block === undefined) throw new Error(`docs/operations.md shows no ${program}`);
  return block;
}

/** Everything that is to be replaced must be there: the document may not drift away. */
export function replaceAll(text: string, pairs: readonly (readonly [string, string])[]): string {
  return pairs.reduce((before, [from, to]) => {
    if (!before.includes(from)) throw new Error(`docs/operations.md no longer has ${from}`);
    return before.replaceAll(from, to);
  }, text);
}

/** nginx with these `server` and `upstream` blocks, which listen on the port. */
export function startNginx(folder: string, port: number, blocks: string): Promise<Proxy> {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${folder};`)
    .join('\n');
  const file = join(folder, 'nginx.conf');
  const logs = `pid ${folder}/nginx.pid;\nerror_log ${folder}/nginx.log;\n`;
  const main = `daemon off;\nuser root;\n${logs}`;
  const http = `http {\naccess_log off;\n${temporary}\n${blocks}\n}\n`;
  writeFileSync(file, `${main}events {}\n${http}`);
  return runProxy('/usr/sbin/nginx', ['-c', file, '-p', folder], port);
}

/** Runs a proxy until it is stopped. Rejects with what it said if it does not listen in 10 s. */
export async function runProxy(
  program: string,
  args: readonly string[],
  port: number,
): Promise<Proxy> {
  const child = spawn(program, args, { stdio: 'pipe' });
  let said = '';
  for (const output of [child.stdout, child.stderr]) {
    output.on('data', (chunk: Buffer) => (said += chunk.toString()));
  }
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  for (let tries = 0; !(await isListening(port)); tries += 1) {
    if (child.exitCode !== null || tries > 200)
      throw new Error(`${program} does not run:\n${said}`);
    await sleep(50);
  }
  return {
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
