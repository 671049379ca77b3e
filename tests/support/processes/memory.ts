import { readFile, writeFile } from 'node:fs/promises';

/** Resident memory of a process, in bytes: now, and at its most. Linux only; 0 elsewhere. */
export type Memory = { readonly now: number; readonly peak: number };

/** proc(5): VmRSS, and VmHWM since the start or since `forgetPeak`. */
export async function readMemory(pid: number): Promise<Memory> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const bytesOf = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0) * 1_024;
  return { now: bytesOf('VmRSS'), peak: bytesOf('VmHWM') };
}

/** Lets a process's peak begin anew. */
export async function forgetPeak(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, '5').catch(() => undefined);
}

const lookEveryMs = 20;

/** Looks at a process until it has ended; gives its peak as it was last seen. */
export function watchPeak(pid: number): () => number {
  let peak = 0;
  const timer = setInterval(() => {
    void readMemory(pid).then((memory) => {
      if (memory.peak > peak) peak = memory.peak;
    });
  }, lookEveryMs);
  return () => {
    clearInterval(timer);
    return peak;
  };
}
