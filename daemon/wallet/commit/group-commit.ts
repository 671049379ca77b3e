import { refuse, type Result } from '../../../core/reasons.ts';
import { maxBatch } from './schedule/commit-queue.ts';
import { createScheduler, type ScheduleOptions } from './schedule/scheduler.ts';
import { createItem } from './commit-item.ts';
import { createGroup, type Group, type Waiting } from './commit-groups.ts';

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
/**
 * Groups of many commands wait while so many items are queued, so that single commands go on. What
 * waits behind a commit that hangs does not count, up to half of what may be queued.
 */
const roomyQueue = 4 * maxBatch;

/**
 * Group commit: what arrives while a commit is under way shares the next one. No timer decides
 * when: the busier the database, the larger the batches. Behind a commit that hangs, and in one,
 * callers are answered when their time is over.
 */
export function createGroupCommit<Command, Answer>(
  options: ScheduleOptions<Command, Answer>,
): GroupCommit<Command, Answer> {
  const waitingGroups: (() => void)[] = [];
  const scheduler = createScheduler(options, () => admitGroups());
  const hasRoom = (): boolean =>
    scheduler.countCrowding() < roomyQueue && scheduler.countQueued() < maxQueued / 2;
  const admitGroups = (): void => {
    while (hasRoom()) {
      const submitGroup = waitingGroups.shift();
      if (!submitGroup) return;
      submitGroup();
    }
  };

  return {
    submit: (command, waiting) =>
      new Promise((resolve) => {
        if (scheduler.countQueued() >= maxQueued) {
          resolve(
            refuse('OVERLOADED', 'the server has too many commands pending: try again shortly'),
          );
          return;
        }
        const group = createGroup<Command, Answer>(waiting, (_place, result) => resolve(result));
        scheduler.push(createItem(command, group, 0, options.keysOf(command)));
      }),
    submitMany: (commands, waiting) =>
      new Promise((resolve) => {
        waitingGroups.push(() => {
          const { group, completed } = createLargeGroup<Command, Answer>(commands.length, waiting);
          for (const [place, command, others] of listItems(commands, options.groupOf)) {
            scheduler.push(createItem(command, group, place, options.keysOf(command), others));
          }
          resolve({ completed });
        });
        admitGroups();
      }),
    // Waiting groups are admitted before the queue has run empty.
    drain: scheduler.whenIdle,
  };
}

/** The commands that make an item each, with their places and the others of their atomic groups. */
function* listItems<Command>(
  commands: readonly Command[],
  groupOf: ScheduleOptions<Command, unknown>['groupOf'],
): Generator<readonly [place: number, command: Command, others?: readonly Command[]]> {
  let inGroup: object | undefined;
  for (const [place, command] of commands.entries()) {
    const group = groupOf?.(command);
    if (!group) yield [place, command];
    else if (group !== inGroup) {
      const end = commands.findIndex((other, i) => i > place && groupOf?.(other) !== group);
      yield [place, command, commands.slice(place + 1, end < 0 ? undefined : end)];
    }
    inGroup = group;
  }
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
