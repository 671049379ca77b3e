import { readdir, readFile } from 'node:fs/promises';

/** What /proc/PID/stat says of a process: its parent, and its processor time in ticks. */
export type ProcessTimes = {
  readonly pid: number;
  readonly parent: number;
  /** User and system. */
  readonly own: number;
  /** The same of its children that have ended and were waited for, and of theirs. */
  readonly ended: number;
};

/** Ticks are hundredths of a second on every Linux that Node runs on (USER_HZ). */
const microsPerTick = 10_000;

/**
 * Reads a line of /proc/PID/stat; undefined if it is none. The name may hold spaces and brackets.
 */
export function parseStat(text: string): ProcessTimes | undefined {
  const nameEnd = text.lastIndexOf(')');
  const pid = Number.parseInt(text, 10);
  // Numbered as in proc(5): the first of these is the third, state.
  const fields = text.slice(nameEnd + 2).split(' ');
  const ticks = (n: number): number => Number(fields[n - 3]);
  const times = { pid, parent: ticks(4), own: ticks(14) + ticks(15), ended: ticks(16) + ticks(17) };
  return nameEnd > 0 && Object.values(times).every(Number.isFinite) ? times : undefined;
}

/**
 * Ticks that the processes below these roots have used, the roots included. What a child has used
 * is in its own figures while it lives, and in its parent's `ended` once it was waited for: never
 * in both.
 */
export function sumTrees(all: readonly ProcessTimes[], roots: readonly number[]): number {
  const children = new Map<number, ProcessTimes[]>();
  for (const times of all) {
    children.set(times.parent, [...(children.get(times.parent) ?? []), times]);
  }
  const counted = new Set<number>();
  const waiting = all.filter(({ pid }) => roots.includes(pid));
  let ticks = 0;
  for (let times = waiting.pop(); times; times = waiting.pop()) {
    if (counted.has(times.pid)) continue;
    counted.add(times.pid);
    ticks += times.own + times.ended;
    waiting.push(...(children.get(times.pid) ?? []));
  }
  return ticks;
}

/** Processor time of these processes and all below them so far, in microseconds; Linux only. */
export async function readCpuMicros(roots: readonly number[]): Promise<number> {
  let all: readonly (ProcessTimes | undefined)[] = [];
  for (let reading = 0; reading < maxReadings; reading += 1) {
    const names = await readdir('/proc').catch(() => []);
    const pids = names.filter((name) => /^\d+$/.test(name));
    const texts = await Promise.all(
      pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')),
    );
    all = texts.map(parseStat);
    // One that ended meanwhile may be in no figures: its parent's may have been read before.
    if (!all.includes(undefined)) break;
  }
  const known = all.filter((times) => times !== undefined);
  return sumTrees(known, roots) * microsPerTick;
}

/** The seconds of a backend that ends at the wrong moment would count as a transaction's. */
const maxReadings = 20;

/** Of one transaction; null where nothing was measured. */
export function perTransaction(
  beforeMicros: number,
  afterMicros: number,
  transactions: number,
): number | null {
  const micros = afterMicros - beforeMicros;
  return transactions > 0 && micros > 0 ? micros / transactions : null;
}

/** Processor time of the children of this process that have ended, in microseconds; Linux only. */
export async function readEndedCpuMicros(): Promise<number> {
  const times = parseStat(await readFile('/proc/self/stat', 'utf8'));
  return (times?.ended ?? 0) * microsPerTick;
}

/** Time of all processors of the machine since its start, in ticks. */
export type MachineTimes = { readonly busy: number; readonly total: number };

/**
 * Reads the first line of /proc/stat; undefined where there is none. What a hypervisor gave to other
 * machines is neither busy nor idle.
 */
export function parseMachineStat(text: string): MachineTimes | undefined {
  const fields = /^cpu +([\d ]+)$/m.exec(text)?.[1]?.split(' ').map(Number) ?? [];
  // As in proc(5); the time of guests is in that of users.
  const [user = NaN, nice = NaN, system = NaN, idle = NaN, wait = NaN, irq = NaN, softIrq = NaN] =
    fields;
  const busy = user + nice + system + irq + softIrq;
  const total = busy + idle + wait;
  return Number.isFinite(total) ? { busy, total } : undefined;
}

/** The share of all processors that was in use between two readings, 0 to 100; null if unknown. */
export function busyBetween(
  before: MachineTimes | undefined,
  after: MachineTimes | undefined,
): number | null {
  if (!before || !after || after.total <= before.total) return null;
  return ((after.busy - before.busy) / (after.total - before.total)) * 100;
}

/** How busy the machine is from now until the function is called that this gives; Linux only. */
export async function watchBusy(): Promise<() => Promise<number | null>> {
  const read = async () => parseMachineStat(await readFile('/proc/stat', 'utf8').catch(() => ''));
  const before = await read();
  return async () => busyBetween(before, await read());
}
