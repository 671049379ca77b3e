import type { Log } from '../log.ts';

/** The oldest unfinished work; `level` grows while it is worked on. */
export type Oldest = {
  readonly key: string;
  readonly level?: number;
  /** Why it waits, where that is stored with it. */
  readonly reason?: string | undefined;
};

/** What a worker reports about itself. */
export type Part = {
  /** There is work. */
  begin(): void;
  /** Some of it was finished; there may be more. */
  advance(): void;
  /** There is none left, or none of it is this worker's any more. */
  rest(): void;
  /** Why the work waits; kept until something is finished. There is work, or it cannot be seen. */
  wait(reason: string): void;
};

export type PartState = {
  readonly part: string;
  /** Since work was last finished, while there is some; otherwise 0. */
  readonly ageMs: number;
  readonly isStalled: boolean;
  readonly reason: string;
};

/** More about why nothing is done than the last thing that was reported. */
type Explain = () => string | undefined;

export type ProgressWatch = {
  /** Work that only the worker sees, such as messages in flight. */
  watchWork(part: string, explain?: Explain): Part;
  /**
   * Work that waits in a database: `look` gives the oldest work, undefined if there is none. It is
   * finished work when other work becomes the oldest, whichever daemon did it.
   */
  watchBacklog(
    part: string,
    look: () => Promise<Oldest | undefined>,
    explain?: Explain,
  ): Pick<Part, 'wait'>;
  read(): readonly PartState[];
  start(): void;
  stop(): void;
};

const defaultStallMs = 30_000;
const unknownReason = 'nothing was finished, and no error was reported';

type Watched = {
  readonly name: string;
  readonly explain: Explain;
  readonly look: (() => Promise<Oldest | undefined>) | undefined;
  /** By the watch's own clock. */
  waitingSinceMs: number | undefined;
  reason: string | undefined;
  isStalled: boolean;
  oldest: Oldest | undefined;
  lookFailure: string | undefined;
  isLooking: boolean;
};

/**
 * Sees which parts of the daemon have work and finish none of it. A part is stalled after `stallMs`
 * without progress. One log line says when that begins, one when it ends.
 */
export function createProgressWatch(options: {
  readonly log: Log;
  /** Why the database cannot be looked at. */
  readonly describe: (err: unknown) => string;
  /** For tests. */
  readonly stallMs?: number;
}): ProgressWatch {
  const { log, describe, stallMs = defaultStallMs } = options;
  const tickMs = Math.max(20, stallMs / 30);
  const parts: Watched[] = [];
  const clock = createClock(tickMs * 3);
  let timer: NodeJS.Timeout | undefined;

  const tick = (): void => {
    clock.tick();
    for (const part of parts) {
      if (part.look) lookAt(part, part.look, clock.nowMs, describe);
      reportStalls(part, clock.nowMs(), stallMs, log);
    }
  };
  const add = (part: string, explain: Explain, look: Watched['look']): Watched => {
    const watched: Watched = {
      ...{ name: part, explain, look, waitingSinceMs: undefined, reason: undefined },
      ...{ isStalled: false, oldest: undefined, lookFailure: undefined, isLooking: false },
    };
    parts.push(watched);
    return watched;
  };
  return {
    watchWork: (part, explain = noReason) => createPart(add(part, explain, undefined), clock.nowMs),
    watchBacklog: (part, look, explain = noReason) => {
      const watched = add(part, explain, look);
      // Whether there is work is for the database to say.
      return { wait: (reason) => void (watched.reason = reason) };
    },
    read: () =>
      parts.map((part) => ({
        part: part.name,
        ageMs: ageOf(part, clock.nowMs()),
        isStalled: part.isStalled,
        reason: reasonOf(part),
      })),
    start: () => {
      timer ??= setInterval(tick, tickMs).unref();
    },
    stop: () => clearInterval(timer),
  };
}

const noReason: Explain = () => undefined;

/** For workers that are not watched. */
export const unwatched: ProgressWatch = {
  watchWork: () => createPart(undefined, () => 0),
  watchBacklog: () => ({ wait: () => undefined }),
  read: () => [],
  start: () => undefined,
  stop: () => undefined,
};

/**
 * Monotonic, and counts at most `maxStepMs` between two ticks: a process that was stopped has not
 * waited for anything meanwhile.
 */
function createClock(maxStepMs: number) {
  let nowMs = 0;
  let tickedAt = performance.now();
  return {
    nowMs: () => nowMs,
    tick: () => {
      const at = performance.now();
      nowMs += Math.min(at - tickedAt, maxStepMs);
      tickedAt = at;
    },
  };
}

function createPart(part: Watched | undefined, nowMs: () => number): Part {
  if (!part) {
    const nothing = (): void => undefined;
    return { begin: nothing, advance: nothing, rest: nothing, wait: nothing };
  }
  return {
    begin: () => {
      part.waitingSinceMs ??= nowMs();
    },
    advance: () => {
      part.waitingSinceMs = nowMs();
      part.reason = undefined;
    },
    rest: () => {
      part.waitingSinceMs = undefined;
      part.reason = undefined;
    },
    wait: (reason) => {
      part.waitingSinceMs ??= nowMs();
      part.reason = reason;
    },
  };
}

/** Looks at a backlog, one look at a time; one that gets no answer counts as work that waits. */
function lookAt(
  part: Watched,
  look: () => Promise<Oldest | undefined>,
  nowMs: () => number,
  describe: (err: unknown) => string,
): void {
  if (part.isLooking) {
    part.waitingSinceMs ??= nowMs();
    return;
  }
  part.isLooking = true;
  look()
    .then(
      (oldest) => {
        part.lookFailure = undefined;
        if (!hasMoved(part.oldest, oldest)) {
          // The highest level stays: what was begun anew is no progress.
          part.oldest = oldest && { ...oldest, level: part.oldest?.level ?? 0 };
          return;
        }
        if (part.oldest) part.reason = undefined;
        part.oldest = oldest;
        part.waitingSinceMs = oldest && nowMs();
      },
      (err: unknown) => {
        part.waitingSinceMs ??= nowMs();
        part.lookFailure = describe(err);
      },
    )
    .finally(() => (part.isLooking = false));
}

function hasMoved(before: Oldest | undefined, now: Oldest | undefined): boolean {
  if (!before || !now) return true;
  return before.key !== now.key || (now.level ?? 0) > (before.level ?? 0);
}

function reportStalls(part: Watched, nowMs: number, stallMs: number, log: Log): void {
  const isStalled = ageOf(part, nowMs) >= stallMs;
  if (isStalled === part.isStalled) return;
  part.isStalled = isStalled;
  if (isStalled) {
    log.warn(
      { part: part.name, reason: reasonOf(part) },
      'no progress: there is work, and none is done',
    );
  } else log.info({ part: part.name }, 'progress again');
}

const ageOf = ({ waitingSinceMs }: Watched, nowMs: number): number =>
  waitingSinceMs === undefined ? 0 : nowMs - waitingSinceMs;

/** One line, whatever a database or a broker has written. */
function reasonOf(part: Watched): string {
  const reason = part.lookFailure ?? part.explain() ?? part.reason ?? part.oldest?.reason;
  return (reason ?? unknownReason).replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').slice(0, 300);
}
