import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';

export type SmallDisk = {
  readonly folder: string;
  /** Takes what room there is, so that nothing more can be written. */
  fill(): Promise<void>;
  empty(): void;
};

/** A disk in memory, of this size, at `folder`; undefined where this user may not mount one. */
export function mountSmallDisk(
  folder: string,
  size: string,
  releases: (() => unknown)[],
): SmallDisk | undefined {
  mkdirSync(folder, { recursive: true });
  try {
    const options = ['-t', 'tmpfs', '-o', `size=${size},mode=0711`, 'tmpfs', folder];
    execFileSync('mount', options, { stdio: 'pipe' });
  } catch {
    return undefined;
  }
  const unmount = (): void => void execFileSync('umount', ['-l', folder], { stdio: 'pipe' });
  // Before the folder is removed.
  process.prependOnceListener('exit', unmount);
  releases.push(() => {
    process.removeListener('exit', unmount);
    unmount();
  });
  const filler = join(folder, 'filler');
  return {
    folder,
    fill: () => fillUp(folder, filler),
    empty: () => rmSync(filler, { force: true }),
  };
}

/** By a program of its own: this process has to go on. */
async function fillUp(folder: string, filler: string): Promise<void> {
  let size = statSync(filler, { throwIfNoEntry: false })?.size ?? 0;
  const { bavail, bsize } = statfsSync(folder);
  // What is taken meanwhile is room for a few pages: the next round takes those.
  for (let room = bavail * bsize; room >= bsize; room = Math.floor(room / 2 / bsize) * bsize) {
    const isDone = await fallocate(filler, size, room);
    if (isDone) size += room;
  }
}

const fallocate = (file: string, offset: number, length: number): Promise<boolean> =>
  new Promise((resolve) => {
    const args = ['-o', String(offset), '-l', String(length), file];
    execFile('fallocate', args, (err) => resolve(err === null));
  });
