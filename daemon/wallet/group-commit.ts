import { refuse, type Result } from '../../core/reasons.ts';
import { classifyDbError, isCommitInDoubt } from '../platform/db.ts';
import type { Log } from '../platform/log.ts';

/** What a caller waits with: how long, and whether it is still there. */
type Waiting = { readonly deadlineMs: number; isCancelled(): boolean };

export type GroupCommit<Command, Answer> = {
  /** Resolves once the command's commit is durable, or refused. Rejects on a defect only. */
  submit(command: Command, waiting: Waiting): Promise<Result<Answer>>;
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

type Item<Command, Answer> = {
  readonly command: Command;
  readonly waiting: Waiting;
  readonly giveUpAtMs: number;
  /** An answer to COMMIT was lost with this item in it: it may have been done. */
  isInDoubt: boolean;
  settle(result: Result<Answer>): void;
  fail(err: unknown): void;
};

/** 1,024: past it, the arrays of one statement cost more than a further commit saves. */
const maxBatch = 1_024;
const maxQueued = 16_384;
/** How long a database that is away is waited for before the caller is told. */
const patienceMs = 5_000;
const maxBackoffMs = 1_000;

/**
 * Group commit: what arrives while a commit is under way shares the next one. Each lane has one
 * commit in flight, so no timer is needed: the busier the database, the larger the batches.
 */
export function createGroupCommit<Command, Answer>(
  options: GroupCommitOptions<Command, Answer>,
): GroupCommit<Command, Answer> {
  const lanes = Array.from({ length: options.laneCount }, () => createLane(options));
  return {
    submit: (command, waiting) => {
      const lane = lanes[hashOf(options.laneKey(command)) % lanes.length];
      if (!lane) throw new Error('a group commit needs at least one lane');
      return lane.submit(command, waiting);
    },
    drain: async () => {
      await Promise.all(lanes.map((lane) => lane.drain()));
    },
  };
}

function createLane<Command, Answer>(
  options: GroupCommitOptions<Command, Answer>,
): GroupCommit<Command, Answer> {
  const queue: Item<Command, Answer>[] = [];
  let running: Promise<void> | undefined;

  const run = async (): Promise<void> => {
    while (queue.length > 0) {
      await commitItems(queue.splice(0, maxBatch), options);
    }
    running = undefined;
  };

  return {
    submit: (command, waiting) =>
      new Promise((settle, fail) => {
        if (queue.length >= maxQueued) {
          settle(refuse('OVERLOADED', 'the server has too much in hand: try again shortly'));
          return;
        }
        const giveUpAtMs = Math.min(waiting.deadlineMs, Date.now() + patienceMs);
        queue.push({ command, waiting, giveUpAtMs, isInDoubt: false, settle, fail });
        // Begun in a later turn of the loop, so that what came in one read is one batch.
        running ??= new Promise<void>((begin) => setImmediate(begin)).then(run);
      }),
    drain: async () => {
      while (running) await running;
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
        if (answer) item.settle(answer);
        else item.fail(new Error('the commit gave no answer for a command'));
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
    items.forEach((item) => item.fail(err));
    return;
  }
  const middle = items.length >> 1;
  await commitItems(items.slice(0, middle), options);
  await commitItems(items.slice(middle), options);
}

/** Answers an item whose caller is gone or out of patience, and says whether it did. */
function isGivenUp<Command, Answer>(item: Item<Command, Answer>): boolean {
  const nowMs = Date.now();
  if (item.isInDoubt) {
    if (nowMs < item.waiting.deadlineMs) return false;
    item.settle(
      refuse(
        'OUTCOME_UNKNOWN',
        'the database was lost during the commit: send it again with the same idempotency key',
      ),
    );
    return true;
  }
  if (item.waiting.isCancelled()) {
    item.settle(refuse('CANCELLED', 'the caller went away before the transaction was begun'));
    return true;
  }
  if (nowMs < item.giveUpAtMs) return false;
  item.settle(
    refuse('DATABASE_UNAVAILABLE', 'the database is out of reach: nothing was done, try again'),
  );
  return true;
}

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
