import { refuse, type Result } from '../../../core/reasons.ts';
import { createLanes, maxBatch, type LaneOptions } from './lanes.ts';
import { createGroup, createItem, type Group, type Waiting } from './commit-items.ts';

export type GroupCommit<Command, Answer> = {
  /** Resolves once the command's commit is durable, or refused. */
  submit(command: Command, waiting: Waiting<Command>): Promise<Result<Answer>>;
  /**
   * Many commands of one caller, in order. Resolves when there was room for them; `completed` gives
   * an answer for each once all have one, and never rejects.
   */
  submitMany(
    commands: readonly Command[],
    waiting: Waiting<Command>,
  ): Promise<{ readonly completed: Promise<readonly Result<Answer>[]> }>;
  /** Resolves when nothing is queued or in flight any more. */
  drain(): Promise<void>;
};

const maxQueued = 16_384;
/** Groups of many commands wait while a lane has so many items, so that single commands go on. */
const roomyQueue = 4 * maxBatch;

/**
 * Group commit: what arrives while a commit is under way shares the next one. No timer decides
 * when: the busier the database, the larger the batches. Behind a commit that hangs, and in one,
 * callers are answered when their time is over.
 */
export function createGroupCommit<Command, Answer>(
  options: LaneOptions<Command, Answer>,
): GroupCommit<Command, Answer> {
  const waitingGroups: (() => void)[] = [];
  const lanes = createLanes(options, () => admitGroups());
  const admitGroups = (): void => {
    while (lanes.mostQueued() < roomyQueue) {
      const submitGroup = waitingGroups.shift();
      if (!submitGroup) return;
      submitGroup();
    }
  };

  return {
    submit: (command, waiting) =>
      new Promise((resolve) => {
        if (lanes.queuedBeside(command) >= maxQueued) {
          resolve(
            refuse('OVERLOADED', 'the server has too many commands pending: try again shortly'),
          );
          return;
        }
        const group = createGroup<Command, Answer>(waiting, (_place, result) => resolve(result));
        lanes.push(createItem(command, group, 0));
      }),
    submitMany: (commands, waiting) =>
      new Promise((resolve) => {
        waitingGroups.push(() => {
          const { group, completed } = createLargeGroup<Command, Answer>(commands.length, waiting);
          commands.forEach((command, place) => lanes.push(createItem(command, group, place)));
          resolve({ completed });
        });
        admitGroups();
      }),
    // Waiting groups are admitted before a lane has run empty.
    drain: lanes.whenIdle,
  };
}

/** One promise for all: a promise for each of thousands would cost more than what they wait for. */
function createLargeGroup<Command, Answer>(
  count: number,
  waiting: Waiting<Command>,
): {
  readonly group: Group<Command, Answer>;
  readonly completed: Promise<readonly Result<Answer>[]>;
} {
  const results: Result<Answer>[] = [];
  let left = count;
  let finish: (results: readonly Result<Answer>[]) => void = () => undefined;
  const completed = new Promise<readonly Result<Answer>[]>((resolve) => (finish = resolve));
  if (count === 0) finish(results);
  const group = createGroup<Command, Answer>(waiting, (place, result) => {
    results[place] = result;
    left -= 1;
    if (left === 0) finish(results);
  });
  return { group, completed };
}
