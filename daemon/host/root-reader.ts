import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { runToEnd } from '../embedded/run.ts';
import type { Account } from './account.ts';
import type { FileAnswer, FileRequest } from './file-reader.ts';
import type { ReadFile } from './secret-files.ts';

/** Reads a fixed list of files with root's rights, after this process has given them up. */
export type RootReader = {
  read(path: string): Promise<ReadFile>;
  stop(): void;
};

const checkTimeoutMs = 10_000;

/** Whether a user may read all of these files, by its main group. */
export async function canRead(account: Account, paths: readonly string[]): Promise<boolean> {
  const script = 'for file; do [ -r "$file" ] || exit 1; done';
  const args = ['-c', script, 'sh', ...paths];
  const { code } = await runToEnd('/bin/sh', args, { runAs: account, timeoutMs: checkTimeoutMs });
  return code === 0;
}

/** Starts the process that reads the files. Only root can; it ends with this process. */
export function startRootReader(paths: readonly string[]): RootReader {
  const child = fork(fileURLToPath(readerUrl()), paths, {
    cwd: '/',
    env: {},
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    execArgv: process.execArgv.filter((flag) => !flag.startsWith('--inspect')),
  });
  child.unref();
  child.channel?.unref();
  let lastId = 0;
  const waiting = new Map<number, { resolve(file: ReadFile): void; reject(error: Error): void }>();
  // Only while something is asked may it keep this process alive.
  const unrefIfIdle = (): void => {
    if (waiting.size === 0) child.channel?.unref();
  };
  const failAll = (): void => {
    for (const { reject } of waiting.values()) reject(readerLost());
    waiting.clear();
    unrefIfIdle();
  };
  child.on('message', (message) => {
    const answer = message as FileAnswer;
    const asked = waiting.get(answer.id);
    waiting.delete(answer.id);
    unrefIfIdle();
    if ('base64' in answer) asked?.resolve(toReadFile(answer));
    else asked?.reject(Object.assign(new Error(answer.message), { code: answer.code }));
  });
  child.on('error', failAll);
  child.on('exit', failAll);
  child.on('disconnect', failAll);
  return {
    read: (path) =>
      new Promise((resolve, reject) => {
        if (!child.connected) {
          reject(readerLost());
          return;
        }
        lastId += 1;
        waiting.set(lastId, { resolve, reject });
        child.channel?.ref();
        const request: FileRequest = { id: lastId, index: paths.indexOf(path) };
        child.send(request, (error) => error && failAll());
      }),
    stop: () => {
      if (child.connected) child.disconnect();
    },
  };
}

const readerLost = (): Error =>
  Object.assign(new Error('the process that reads files as root has ended'), { code: 'EPIPE' });

function toReadFile({ base64, facts }: Extract<FileAnswer, { base64: string }>): ReadFile {
  const { isRegular, ...ids } = facts;
  return { bytes: Buffer.from(base64, 'base64'), facts: { ...ids, isFile: () => isRegular } };
}

/** Beside this file from source; beside `main.js` where this code is in a chunk of the bundle. */
function readerUrl(): URL {
  const here = import.meta.url;
  return new URL(here.endsWith('.ts') ? './file-reader.ts' : '../host/file-reader.js', here);
}
