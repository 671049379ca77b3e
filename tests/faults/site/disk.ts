import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export type SmallDisk = {
  readonly folder: string;
  /** Takes what room there is, so that nothing more can be written. */
  fill(): void;
  empty(): void;
};

const chunk = Buffer.alloc(1_048_576);

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
  process.once('exit', unmount);
  releases.push(() => {
    process.removeListener('exit', unmount);
    unmount();
  });
  const filler = join(folder, 'filler');
  return {
    folder,
    fill: () => fillUp(filler),
    empty: () => rmSync(filler, { force: true }),
  };
}

function fillUp(file: string): void {
  const handle = openSync(file, 'a');
  try {
    for (let size = chunk.length; size >= 4_096;) {
      try {
        writeSync(handle, chunk, 0, size);
      } catch {
        size = Math.floor(size / 2);
      }
    }
  } finally {
    closeSync(handle);
  }
}
