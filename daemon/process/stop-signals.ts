const names = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
export type StopSignalName = (typeof names)[number];

/** That this process shall end: and which signal requested it. */
export type StopSignals = {
  /** Aborted once a signal has come, or `ask` was called. */
  readonly signal: AbortSignal;
  /** The first signal; undefined where none came. */
  findName(): StopSignalName | undefined;
  /** As a signal does, by the process itself, because something failed. */
  ask(why: string): void;
  /** Whether `ask` came first. */
  hasFailed(): boolean;
};

const forcedExitCode = 1;
/** A terminal and the program that started us (npm) may both send what is one Ctrl-C. */
const sameCtrlCMs = 250;

/**
 * Listens for the signals that ask a process to end. The first one asks; a second one ends the
 * process at once, unless it may be the same: a terminal that closes sends SIGHUP more than once.
 */
export function watchStopSignals(): StopSignals {
  const controller = new AbortController();
  let hasFailed = false;
  let first: { readonly name: StopSignalName; readonly at: number } | undefined;
  const isSame = (name: StopSignalName): boolean =>
    name === 'SIGHUP' ||
    (name === 'SIGINT' && first?.name === name && performance.now() - first.at < sameCtrlCMs);
  const take = (name: StopSignalName): void => {
    if (first) {
      if (!isSame(name)) process.exit(forcedExitCode);
      return;
    }
    first = { name, at: performance.now() };
    controller.abort(new Error(`interrupted by ${name}`));
  };
  for (const name of names) process.on(name, () => take(name));
  return {
    signal: controller.signal,
    findName: () => first?.name,
    ask: (why) => {
      hasFailed ||= !controller.signal.aborted;
      controller.abort(new Error(why));
    },
    hasFailed: () => hasFailed,
  };
}

/** What a shell says of a program that a signal ended. */
export const exitCodeOf: Readonly<Record<StopSignalName, number>> = {
  SIGHUP: 129,
  SIGINT: 130,
  SIGTERM: 143,
};
