import { readdirSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The clock of processes that are started with `env`. */
export type SteppedClock = {
  readonly env: Readonly<Record<string, string>>;
  /** From now on their clock differs from this host's by so many seconds; no drift, no slewing. */
  set(offsetSeconds: number): Promise<void>;
  readonly offsetSeconds: number;
};

/**
 * A wall clock that steps, by libfaketime. Monotonic clocks and time-outs stay true. `folder` must be
 * open to the user of the processes.
 */
export async function createSteppedClock(folder: string): Promise<SteppedClock> {
  const file = join(folder, 'clock');
  let current = 0;
  const set = async (offsetSeconds: number): Promise<void> => {
    // Renamed into place: the file is read at each look at the clock, and may never be empty.
    const next = `${file}.next`;
    const text = `${offsetSeconds < 0 ? '' : '+'}${offsetSeconds}\n`;
    await writeFile(next, text, { mode: 0o644 });
    await rename(next, file);
    current = offsetSeconds;
  };
  await set(0);
  return {
    env: {
      LD_PRELOAD: findLibrary(),
      FAKETIME_TIMESTAMP_FILE: file,
      // Reading the file allocates, also in a signal's handler: at each look it would corrupt the heap
      // of a Postgres under load. So a process sees a step up to a second later.
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      FAKETIME_DISABLE_SHM: '1',
      NO_FAKE_STAT: '1',
    },
    set,
    get offsetSeconds() {
      return current;
    },
  };
}

/** Debian keeps it in a folder that is named after the processor. */
function findLibrary(): string {
  const folders = readdirSync('/usr/lib').filter((name) => name.endsWith('-linux-gnu'));
  for (const name of folders) {
    const folder = join('/usr/lib', name, 'faketime');
    try {
      if (readdirSync(folder).includes('libfaketime.so.1')) return join(folder, 'libfaketime.so.1');
    } catch {
      // Not this processor's.
    }
  }
  throw new Error(
    'libfaketime.so.1 not found. On Debian or Ubuntu: ' +
      'apt-get install -y --no-install-recommends libfaketime',
  );
}
