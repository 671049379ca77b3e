/** So long a small commit waits at most for what still comes. */
const maxGatherMs = 5;
/** So long a small commit has to itself. */
const turnMs = 50;

type Options = {
  /** How many commands have come so far. */
  countPushed(): number;
  /** Commits what is ready; undefined where nothing is. */
  commit(): Promise<void> | undefined;
  /** Called when another small commit may begin. */
  onEnd(): void;
};

/**
 * One small commit at a time. Its start is put off for as long as each turn of the event loop
 * brings more commands: where the loop is busy with reading calls, these share a commit. With
 * nothing to read it is put off for one turn.
 */
export function createSmallCommits(options: Options): { begin(): void } {
  let isGathering = false;
  let isUnderWay = false;
  const run = async (commit: Promise<void>): Promise<void> => {
    isUnderWay = true;
    // What holds it up for longer (a lock, say) may concern its own wallets only.
    const timer = setTimeout(() => {
      isUnderWay = false;
      options.onEnd();
    }, turnMs);
    await commit;
    clearTimeout(timer);
    isUnderWay = false;
    options.onEnd();
  };
  const gather = (known: number, endsAtMs: number): void => {
    const pushed = options.countPushed();
    if (pushed !== known && performance.now() < endsAtMs) {
      setImmediate(gather, pushed, endsAtMs);
      return;
    }
    isGathering = false;
    const commit = options.commit();
    if (commit) void run(commit);
  };
  return {
    begin: () => {
      if (isGathering || isUnderWay) return;
      isGathering = true;
      setImmediate(gather, options.countPushed(), performance.now() + maxGatherMs);
    },
  };
}
