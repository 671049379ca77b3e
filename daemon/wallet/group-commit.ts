import { refuse, type Rejection, type Result } from '../../core/reasons.ts';
import { classifyDbError, isCommitInDoubt } from '../platform/db.ts';
import type { Log } from '../platform/log.ts';

/** What a caller waits with: how long, and whether it is still there. */
type Waiting = {
  readonly deadlineMs: number;
  /** How long a database that is away is waited for; 5 s if not given. */
  readonly patienceMs?: number;
  /** True once nothing more of this caller's need be begun. */
  isCancelled(): boolean;
  /**
   * Told of each command that was given up because of trouble that will pass. Asked after it,
   * `isCancelled` may say that nothing later is to be begun, so that nothing overtakes.
   */
  onGivenUp?(rejection: Rejection): void;
};

export type GroupCommit<Command, Answer> = {
  /** Resolves once the command's commit is durable, or refused. Rejects on a defect only. */
  submit(command: Command, waiting: Waiting): Promise<Result<Answer>>;
  /**
   * Many commands of one caller, in order. Resolves when there was room for them; `settled` gives
   * an answer for each once all have one, and never rejects: `explain` makes a refusal of a defect.
   */
  submitMany(
    commands: readonly Command[],
    waiting: Waiting,
    explain: (err: unknown) => Rejection,
  ): Promise<{ readonly settled: Promise<readonly Result<Answer>[]> }>;
  /** Resolves when nothing is queued or in flight any more. */
  drain(): Promise<void>;
};

export type GroupCommitOptions<Command, Answer> = {
  /** Commands with the same text are committed in the order in which they were submitted. */
  readonly laneKey: (command: Command) => string;
  /** One database transaction: an answer per command, in order. */
  readonly commit: (commands: readonly Command[]) => Promise<readonly Result<Answer>[]>;
  readonly laneCount: number;
  readonly log: Log;
};

/** Commands that were submitted together; each has its place. */
type Group<Answer> = {
  readonly waiting: Waiting;
  readonly giveUpAtMs: number;
  settle(place: number, result: Result<Answer>): void;
  fail(place: number, err: unknown): void;
};

type Item<Command, Answer> = {
  readonly command: Command;
  readonly group: Group<Answer>;
  readonly place: number;
  /** An answer to COMMIT was lost with this item in it: it may have been done. */
  isInDoubt: boolean;
};

/** 1,024: past it, the arrays of one statement cost more than a further commit saves. */
const maxBatch = 1_024;
/** A commit of fewer costs nearly as much as one of so many: such lanes share one. */
const worthItsOwn = 256;
/** So long a small commit has to itself. */
const smallTurnMs = 50;
const maxQueued = 16_384;
/** What comes in many at once waits outside while a lane has so much, so that others get a turn. */
const roomyQueue = 4 * maxBatch;
/** How long a database that is away is waited for before the caller is told. */
const defaultPatienceMs = 5_000;
const maxBackoffMs = 1_000;

/**
 * Group commit: what arrives while a commit is under way shares the next one. No timer is needed: the
 * busier the database, the larger the batches.
 */
export function createGroupCommit<Command, Answer>(
  options: GroupCommitOptions<Command, Answer>,
): GroupCommit<Command, Answer> {
  const gate: (() => void)[] = [];
  const lanes = createLanes(options, () => admit());
  const admit = (): void => {
    while (lanes.mostQueued() < roomyQueue) {
      const enter = gate.shift();
      if (!enter) return;
      enter();
    }
  };

  return {
    submit: (command, waiting) =>
      new Promise((resolve, reject) => {
        if (lanes.queuedBeside(command) >= maxQueued) {
          resolve(refuse('OVERLOADED', 'the server has too much in hand: try again shortly'));
          return;
        }
        const group = {
          waiting,
          giveUpAtMs: giveUpTime(waiting),
          settle: (_place: number, result: Result<Answer>) => resolve(result),
          fail: (_place: number, err: unknown) => reject(toError(err)),
        };
        lanes.push({ command, group, place: 0, isInDoubt: false });
      }),
    submitMany: (commands, waiting, explain) =>
      new Promise((resolve) => {
        gate.push(() => {
          const { group, settled } = createGroup<Answer>(commands.length, waiting, explain);
          commands.forEach((command, place) =>
            lanes.push({ command, group, place, isInDoubt: false }),
          );
          resolve({ settled });
        });
        admit();
      }),
    // What waits at the gate enters before a lane has run empty.
    drain: lanes.whenIdle,
  };
}

const giveUpTime = ({ deadlineMs, patienceMs = defaultPatienceMs }: Waiting): number =>
  Math.min(deadlineMs, Date.now() + patienceMs);

const toError = (err: unknown): Error =>
  err instanceof Error ? err : new Error('a commit failed', { cause: err });

/** One promise for all: a promise for each of thousands would cost more than what they wait for. */
function createGroup<Answer>(
  count: number,
  waiting: Waiting,
  explain: (err: unknown) => Rejection,
): { readonly group: Group<Answer>; readonly settled: Promise<readonly Result<Answer>[]> } {
  const results: Result<Answer>[] = [];
  let left = count;
  let finish: (results: readonly Result<Answer>[]) => void = () => undefined;
  const settled = new Promise<readonly Result<Answer>[]>((resolve) => (finish = resolve));
  if (count === 0) finish(results);
  const settle = (place: number, result: Result<Answer>): void => {
    results[place] = result;
    left -= 1;
    if (left === 0) finish(results);
  };
  const fail = (place: number, err: unknown): void =>
    settle(place, { ok: false, rejection: explain(err) });
  return { group: { waiting, giveUpAtMs: giveUpTime(waiting), settle, fail }, settled };
}

/** Commands whose order counts: at most one commit at a time has some of them. */
type Lane<Command, Answer> = { readonly queue: Item<Command, Answer>[]; isBusy: boolean };

/**
 * A lane with much in it is committed beside the others. What the others have is one commit together, and
 * one at a time: two of thirty each cost nearly twice what one of sixty does.
 */
function createLanes<Command, Answer>(
  options: GroupCommitOptions<Command, Answer>,
  onRoom: () => void,
) {
  type OneLane = Lane<Command, Answer>;
  const create = (): OneLane => ({ queue: [], isBusy: false });
  const lanes = Array.from({ length: options.laneCount }, create);
  const laneOf = (command: Command): OneLane => {
    const lane = lanes[hashOf(options.laneKey(command)) % lanes.length];
    if (!lane) throw new Error('a group commit needs at least one lane');
    return lane;
  };
  const isBusy = (): boolean => lanes.some((lane) => lane.isBusy || lane.queue.length > 0);
  let idleListeners: (() => void)[] = [];
  let isLookDue = false;
  let isSmallUnderWay = false;

  const commitOf = async (taken: readonly OneLane[]): Promise<void> => {
    for (const lane of taken) lane.isBusy = true;
    const batch = taken.flatMap((lane) => lane.queue.splice(0, maxBatch));
    onRoom();
    await commitItems(batch, options);
    for (const lane of taken) lane.isBusy = false;
  };
  const commitSmall = async (taken: readonly OneLane[]): Promise<void> => {
    const endTurn = (): void => void (isSmallUnderWay = false);
    isSmallUnderWay = true;
    // What holds it up for longer (a lock, say) may concern its own wallets only.
    const timer = setTimeout(() => {
      endTurn();
      look();
    }, smallTurnMs);
    await commitOf(taken);
    clearTimeout(timer);
    endTurn();
  };
  const look = (): void => {
    isLookDue = false;
    const waiting = lanes.filter((lane) => !lane.isBusy && lane.queue.length > 0);
    const small = waiting.filter((lane) => lane.queue.length < worthItsOwn);
    for (const lane of waiting) if (!small.includes(lane)) void commitOf([lane]).then(look);
    if (small.length > 0 && !isSmallUnderWay) void commitSmall(small).then(look);
    if (isBusy()) return;
    for (const tell of idleListeners) tell();
    idleListeners = [];
  };

  return {
    push: (item: Item<Command, Answer>): void => {
      laneOf(item.command).queue.push(item);
      // In a later turn of the loop, so that what came in one read is one batch.
      if (!isLookDue) setImmediate(look);
      isLookDue = true;
    },
    queuedBeside: (command: Command): number => laneOf(command).queue.length,
    mostQueued: (): number => Math.max(...lanes.map((lane) => lane.queue.length)),
    /** Resolves when nothing is queued or in flight. */
    whenIdle: async (): Promise<void> => {
      while (isBusy()) await new Promise<void>((resolve) => idleListeners.push(resolve));
    },
  };
}

/** Commits a batch to its end: again while the database is in the way, in halves if data is bad. */
async function commitItems<Command, Answer>(
  batch: readonly Item<Command, Answer>[],
  options: GroupCommitOptions<Command, Answer>,
): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    const items = batch.filter((item) => !isGivenUp(item));
    batch = items;
    if (items.length === 0) return;
    try {
      const answers = await options.commit(items.map((item) => item.command));
      items.forEach((item, i) => {
        const answer = answers[i];
        if (answer) item.group.settle(item.place, answer);
        else item.group.fail(item.place, new Error('the commit gave no answer for a command'));
      });
      return;
    } catch (err) {
      const kind = classifyDbError(err);
      if (kind !== 'transient') {
        await isolateFault(items, err, kind === 'data', options);
        return;
      }
      if (isCommitInDoubt(err)) items.forEach((item) => (item.isInDoubt = true));
      options.log.warn({ err, attempt, items: items.length }, 'commit failed; it goes again');
      await sleep(Math.min(maxBackoffMs, 20 * 2 ** attempt));
    }
  }
}

/** One bad item must not fail its neighbours: the halves are committed by themselves. */
async function isolateFault<Command, Answer>(
  items: readonly Item<Command, Answer>[],
  err: unknown,
  isData: boolean,
  options: GroupCommitOptions<Command, Answer>,
): Promise<void> {
  if (!isData || items.length === 1) {
    items.forEach((item) => item.group.fail(item.place, err));
    return;
  }
  const middle = items.length >> 1;
  await commitItems(items.slice(0, middle), options);
  await commitItems(items.slice(middle), options);
}

/** Answers an item whose caller is gone or out of patience, and says whether it did. */
function isGivenUp<Command, Answer>({ group, place, isInDoubt }: Item<Command, Answer>): boolean {
  const { waiting } = group;
  const isCancelled = waiting.isCancelled();
  const nowMs = Date.now();
  if (!isCancelled && nowMs < (isInDoubt ? waiting.deadlineMs : group.giveUpAtMs)) return false;
  const refusal = isInDoubt ? outcomeUnknown : isCancelled ? cancelled : databaseAway;
  group.settle(place, refusal);
  if (!isCancelled) waiting.onGivenUp?.(refusal.rejection);
  return true;
}

const outcomeUnknown = refuse(
  'OUTCOME_UNKNOWN',
  'the database was lost during the commit: send it again with the same idempotency key',
);
const cancelled = refuse('CANCELLED', 'the caller went away before the transaction was begun');
const databaseAway = refuse(
  'DATABASE_UNAVAILABLE',
  'the database is out of reach: nothing was done, try again',
);

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
