import { fstatSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

/** What is done to a file: the name of it, and of the method of its handle. */
type Operation = {
  readonly method: string;
  /** The first name of the file in the folder; `folder` for the folder itself. */
  readonly file: string;
  /** All names in the folder at that time, sorted. */
  readonly names: readonly string[];
};

/** `durable`: only what was flushed is there after the crash. `all`: everything that was written. */
export type Survival = 'durable' | 'all';

export type CrashingDisk = {
  readonly operations: readonly Operation[];
  /** Resolves once the operation of that number has been begun; nothing is done from then on. */
  readonly crashed: Promise<void>;
  /** Gives each file the content that it has after the crash. */
  crash(survivalOf: (name: string) => Survival): void;
  /** Files behave as before, and those that a crash left open are closed. */
  restore(): Promise<void>;
};

const changing = ['write', 'appendFile', 'writeFile', 'truncate', 'sync', 'datasync'];
/** Watched only to know which files are open. */
const reading = ['stat', 'read', 'readFile'];

type AnyMethod = (this: FileHandle, ...args: unknown[]) => Promise<unknown>;

/**
 * Watches what is done in a folder through `FileHandle`, and stops it all before the operation with
 * the number `crashAt`. As at a loss of power, what was not flushed by then may be lost or not.
 * Names are taken to survive, and a flush keeps what was written before it was begun.
 */
export async function watchDisk(folder: string, crashAt = Infinity): Promise<CrashingDisk> {
  const probe = await open(folder, 'r');
  const prototype = Object.getPrototypeOf(probe) as Record<string, AnyMethod>;
  await probe.close();
  const originals = new Map(
    [...changing, ...reading].map((method) => [method, prototype[method]!]),
  );
  const operations: Operation[] = [];
  const durable = new Map<number, Buffer>();
  const nameOf = (ino: number): string =>
    readdirSync(folder).find((name) => statSync(join(folder, name)).ino === ino) ?? 'gone';
  const handles = new Set<FileHandle>();
  let isOver = false;
  let stop: () => void = () => undefined;
  const crashed = new Promise<void>((resolve) => (stop = resolve));

  const begin = (handle: FileHandle, method: string): (() => void) | undefined => {
    handles.add(handle);
    if (isOver || (operations.length >= crashAt && changing.includes(method))) {
      isOver = true;
      stop();
      return undefined;
    }
    if (!changing.includes(method)) return () => undefined;
    const stats = fstatSync(handle.fd);
    const isFolder = stats.isDirectory();
    const file = isFolder ? 'folder' : nameOf(stats.ino);
    operations.push({ method, file, names: readdirSync(folder).sort() });
    if (isFolder || !method.endsWith('sync') || file === 'gone') return () => undefined;
    const content = readFileSync(join(folder, file));
    return () => void durable.set(stats.ino, content);
  };
  for (const [method, original] of originals) {
    prototype[method] = async function (this: FileHandle, ...args: unknown[]) {
      const finish = begin(this, method);
      // As if the process were gone: nothing follows.
      if (!finish) return new Promise(() => undefined);
      const result = await original.apply(this, args);
      finish();
      return result;
    };
  }
  return {
    operations,
    crashed,
    crash: (survivalOf) => {
      for (const name of readdirSync(folder)) {
        const path = join(folder, name);
        const { ino } = statSync(path);
        if (survivalOf(name) === 'durable') {
          writeFileSync(path, durable.get(ino) ?? Buffer.alloc(0));
        }
      }
    },
    restore: async () => {
      isOver = true;
      for (const [method, original] of originals) prototype[method] = original;
      for (const handle of handles) await handle.close();
      handles.clear();
    },
  };
}
