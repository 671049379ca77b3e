import { setTimeout as sleep } from 'node:timers/promises';

import { refuse, type Rejection, type Result } from '../../../core/reasons.ts';
import { classifyDbError, isCommitInDoubt, isLockTimeout } from '../../platform/db/db.ts';
import { databaseUnavailable, databaseBusy, isDatabaseBusy } from '../../platform/db/refusals.ts';
import type { Log } from '../../platform/log.ts';
import { walletBusy } from '../domain-integrity.ts';
import { isBehind } from './behind.ts';
import { countCommands, listCommands, type Item } from './commit-item.ts';

/**
 * What a commit gives for a command that it left out. `busy`: another transaction has one of its
 * wallets locked. `behind`: its wallets are free, and an earlier command with one of them waits.
 */
export type Busy = 'busy' | 'behind';

/** `wait`: for locks. `skip`: commands whose wallets are locked are left out, as `busy`. */
export type LockMode = 'wait' | 'skip';

export type CommitOptions<Command, Answer> = {
  /** The wallets of a command. Commands that share one are committed in the order of submission. */
  readonly keysOf: (command: Command) => readonly string[];
  /**
   * One object for all commands of an atomic group: they stand side by side, have the same wallets,
   * and are committed together. Undefined for a command by itself. Default: for each.
   */
  readonly groupOf?: (command: Command) => object | undefined;
  /** One database transaction: an answer per command, in order. */
  readonly commit: (
    commands: readonly Command[],
    mode: LockMode,
  ) => Promise<readonly (Result<Answer> | Busy)[]>;
  /** The refusal for a defect. Nothing was done: its commit was rolled back. */
  readonly explain: (err: unknown) => Rejection;
  readonly log: Log;
};

const maxBackoffMs = 1_000;
/** Before a command that failed unexpectedly, by itself, goes once more. */
const retryAfterMs = 100;
/**
 * After so many failures in a row that are no item's own fault, a batch is not taken apart further.
 */
const maxDefects = 24;

type Attempt = { mode: LockMode; defectsLeft: number };

/**
 * Commits items to their end: again while the database is in the way, in halves if something in
 * them cannot be committed. Gives those back whose wallets are locked, in order.
 */
export function commitItems<Command, Answer>(
  items: readonly Item<Command, Answer>[],
  options: CommitOptions<Command, Answer>,
  mode: LockMode,
): Promise<readonly Item<Command, Answer>[]> {
  return commitPart(items, options, { mode, defectsLeft: maxDefects });
}

async function commitPart<Command, Answer>(
  part: readonly Item<Command, Answer>[],
  options: CommitOptions<Command, Answer>,
  state: Attempt,
): Promise<readonly Item<Command, Answer>[]> {
  let items = part;
  for (let attempt = 0; ; attempt += 1) {
    items = items.filter((item) => !isGivenUp(item));
    if (items.length === 0) return [];
    for (const item of items) item.isBegun = true;
    try {
      const commands = listCommands(items);
      const answers = await options.commit(commands, state.mode);
      state.defectsLeft = maxDefects;
      return answerAll(items, commands.length, answers);
    } catch (err) {
      for (const item of items) item.isBegun = false;
      if (isLockTimeout(err)) {
        if (state.mode === 'skip') return isolateLocked(items, options, state);
        state.mode = 'skip';
        continue;
      }
      const kind = classifyDbError(err);
      if (kind !== 'transient') {
        if (kind === 'unexpected') state.defectsLeft -= 1;
        return isolateFault(items, err, options, state);
      }
      if (isCommitInDoubt(err)) items.forEach((item) => (item.isInDoubt = true));
      for (const item of items) item.isDatabaseBusy = isDatabaseBusy(err);
      options.log.warn({ err, attempt, items: items.length }, 'commit failed; it will be retried');
      await sleep(Math.min(maxBackoffMs, 20 * 2 ** attempt));
    }
  }
}

function answerAll<Command, Answer>(
  items: readonly Item<Command, Answer>[],
  commandCount: number,
  answers: readonly (Result<Answer> | Busy)[],
): readonly Item<Command, Answer>[] {
  // Before any is answered: what is thrown from here is committed again.
  if (answers.length !== commandCount) throw new Error('a commit did not answer each command');
  let next = 0;
  return items.filter((item) => {
    const [start, end] = [next, next + countCommands(item)];
    next = end;
    const result = answers[start] ?? 'busy';
    item.isBegun = false;
    noteBusy(item, result === 'busy');
    const isLeftOut = typeof result === 'string';
    if (!isLeftOut) answer(item, result, listResults(answers, start + 1, end));
    return isLeftOut;
  });
}

const listResults = <Answer>(
  answers: readonly (Result<Answer> | Busy)[],
  start: number,
  end: number,
): readonly Result<Answer>[] =>
  start === end ? [] : answers.slice(start, end).filter((answer) => typeof answer !== 'string');

/** One bad item must not fail its neighbours: the halves are committed by themselves. */
async function isolateFault<Command, Answer>(
  items: readonly Item<Command, Answer>[],
  err: unknown,
  options: CommitOptions<Command, Answer>,
  state: Attempt,
): Promise<readonly Item<Command, Answer>[]> {
  const [only] = items.length === 1 ? items : [];
  if (only && !only.isRetried && classifyDbError(err) === 'unexpected') {
    only.isRetried = true;
    await sleep(retryAfterMs);
    return commitPart(items, options, state);
  }
  if (only || state.defectsLeft <= 0) {
    const rejection = options.explain(err);
    // An earlier commit of it, whose answer was lost, may have been done.
    for (const item of items)
      giveUp(item, item.isInDoubt ? outcomeUnknown : { ok: false, rejection });
    return [];
  }
  return commitHalves(items, options, state);
}

/** A lock that is not a wallet's, on the key of a message say, must not hold its neighbours up. */
async function isolateLocked<Command, Answer>(
  items: readonly Item<Command, Answer>[],
  options: CommitOptions<Command, Answer>,
  state: Attempt,
): Promise<readonly Item<Command, Answer>[]> {
  if (items.length > 1) return commitHalves(items, options, state);
  for (const item of items) noteBusy(item, true);
  return items;
}

function noteBusy<Command, Answer>(item: Item<Command, Answer>, isBusy: boolean): void {
  if (!isBusy) item.busySinceMs = Infinity;
  else if (!item.isBusy) item.busySinceMs = performance.now();
  item.isBusy = isBusy;
}

async function commitHalves<Command, Answer>(
  items: readonly Item<Command, Answer>[],
  options: CommitOptions<Command, Answer>,
  state: Attempt,
): Promise<readonly Item<Command, Answer>[]> {
  const middle = items.length >> 1;
  const busy = await commitPart(items.slice(0, middle), options, state);
  // A wallet's later commands do not overtake those that wait for its lock.
  const rest = items.slice(middle);
  const held = new Set(busy.flatMap((item) => item.keys));
  const behind = new Set(rest.filter(isBehind(held, (item) => item.keys)));
  const others = rest.filter((item) => !behind.has(item));
  const waiting = new Set([...busy, ...behind, ...(await commitPart(others, options, state))]);
  // In order: one of the others may come before one that is behind, on the other wallet of that.
  return items.filter((item) => waiting.has(item));
}

/** `others`: the results of the others of its group; absent: the same one. */
function answer<Command, Answer>(
  item: Item<Command, Answer>,
  result: Result<Answer>,
  others: readonly Result<Answer>[] = [],
): void {
  if (item.isAnswered) return;
  item.isAnswered = true;
  const { index, group } = item;
  group.resolve(index, result);
  item.others.forEach((_command, i) => group.resolve(index + 1 + i, others[i] ?? result));
}

/**
 * Answers an item whose time is over also while a commit with it is under way, and says whether it
 * has its answer. That commit may hang for longer than any caller is to wait, and be done later.
 */
export function isOverdue<Command, Answer>(item: Item<Command, Answer>): boolean {
  if (item.isAnswered || !item.isBegun) return isGivenUp(item);
  if (performance.now() < item.group.deadlineAtMs) return false;
  giveUp(item, unanswered);
  return true;
}

/** Answers an item whose caller is gone or out of patience, and says whether it has its answer. */
function isGivenUp<Command, Answer>(item: Item<Command, Answer>): boolean {
  const { group, isInDoubt, isAnswered, command } = item;
  if (isAnswered) return true;
  if (!isInDoubt && group.waiting.isCancelled(command)) {
    answer(item, cancelled);
    return true;
  }
  const nowMs = performance.now();
  if (isInDoubt) {
    if (nowMs < group.deadlineAtMs && !group.waiting.isCancelled(command)) return false;
    giveUp(item, outcomeUnknown);
  } else if (item.isBusy && nowMs >= busyAtOf(item)) giveUp(item, walletBusy);
  else if (nowMs >= group.giveUpAtMs) {
    giveUp(item, item.isDatabaseBusy ? databaseBusy : databaseUnavailable);
  } else return false;
  return true;
}

/**
 * One look may meet another daemon that is about to end. A command on two wallets, whose time is
 * shorter, is tried for so long before it is refused.
 */
const minBusyMs = 300;

const busyAtOf = <Command, Answer>({ keys, group, busySinceMs }: Item<Command, Answer>): number =>
  keys.length > 1
    ? Math.min(group.busyAtMs, Math.max(group.pairBusyAtMs, busySinceMs + minBusyMs))
    : group.busyAtMs;

function giveUp<Command, Answer>(
  item: Item<Command, Answer>,
  refusal: { readonly ok: false; readonly rejection: Rejection },
): void {
  if (item.isAnswered) return;
  answer(item, refusal);
  item.group.waiting.onGivenUp?.(refusal.rejection, item.command);
}

/** Refuses an item for which there is no more room to wait. */
export const giveUpBusy = <Command, Answer>(item: Item<Command, Answer>): void =>
  giveUp(item, walletBusy);

const outcomeUnknown = refuse(
  'OUTCOME_UNKNOWN',
  'the database was lost during the commit: send it again with the same idempotency key',
);
const unanswered = refuse(
  'OUTCOME_UNKNOWN',
  'the database did not answer the commit in time: send it again with the same idempotency key',
);
const cancelled = refuse('CANCELLED', 'the caller cancelled before the transaction was begun');
