import { setTimeout as sleep } from 'node:timers/promises';

import { refuse, type Rejection, type Result } from '../../../core/reasons.ts';
import { classifyDbError, isCommitInDoubt, isLockTimeout } from '../../platform/db/db.ts';
import { databaseUnavailable, databaseBusy, isDatabaseBusy } from '../../platform/db/refusals.ts';
import type { Log } from '../../platform/log.ts';
import { walletBusy } from '../domain-integrity.ts';

/** What a caller waits with: how long, and whether it is still there. */
export type Waiting<Command> = {
  readonly deadlineMs: number;
  /** How long an unavailable database is waited for; default 5 s. */
  readonly patienceMs?: number;
  /** How long a locked wallet is waited for; default 1 s. */
  readonly busyAfterMs?: number;
  /** True once this command of the caller need not be begun any more. */
  isCancelled(command: Command): boolean;
  /**
   * Called for each command that was given up or failed. Asked after it, `isCancelled` may say that
   * nothing later is to be begun, so that nothing overtakes.
   */
  onGivenUp?(rejection: Rejection, command: Command): void;
};

/** What a commit gives for a command whose wallet another transaction has locked. */
export type Busy = 'busy';

/** `wait`: for locks. `skip`: commands whose wallets are locked are left out, as `busy`. */
export type LockMode = 'wait' | 'skip';

export type CommitOptions<Command, Answer> = {
  /** Commands with the same text are committed in the order in which they were submitted. */
  readonly laneKey: (command: Command) => string;
  /** One database transaction: an answer per command, in order. */
  readonly commit: (
    commands: readonly Command[],
    mode: LockMode,
  ) => Promise<readonly (Result<Answer> | Busy)[]>;
  /** The refusal for a defect. Nothing was done: its commit was rolled back. */
  readonly explain: (err: unknown) => Rejection;
  readonly log: Log;
};

/**
 * Commands that were submitted together; each has its index. Times are those of `performance.now`.
 */
export type Group<Command, Answer> = {
  readonly waiting: Waiting<Command>;
  readonly deadlineAtMs: number;
  readonly giveUpAtMs: number;
  readonly busyAtMs: number;
  resolve(index: number, result: Result<Answer>): void;
};

export type Item<Command, Answer> = {
  readonly command: Command;
  readonly group: Group<Command, Answer>;
  readonly index: number;
  /** A commit with this item is in doubt: it may have been done. */
  isInDoubt: boolean;
  /** Its wallet was locked by another transaction at the last look. */
  isBusy: boolean;
  /** At the last try the database answered, and was in the way. */
  isDatabaseBusy: boolean;
  /** It has failed by itself once, for no reason that is known. */
  isRetried: boolean;
  /** A commit with it in it is under way: it may be done. */
  isBegun: boolean;
  /** It has its answer: nothing later changes that, and it is not begun again. */
  isAnswered: boolean;
};

export const createItem = <Command, Answer>(
  command: Command,
  group: Group<Command, Answer>,
  index: number,
): Item<Command, Answer> => ({
  command,
  group,
  index,
  isInDoubt: false,
  isBusy: false,
  isDatabaseBusy: false,
  isRetried: false,
  isBegun: false,
  isAnswered: false,
});

/** How long an unavailable database is waited for before the caller is answered. */
const defaultPatienceMs = 5_000;
const defaultBusyAfterMs = 1_000;
/** So long before its deadline a caller is answered that the wallet is locked: in time. */
const answerMs = 150;
const maxBackoffMs = 1_000;
/** Before a command that failed unexpectedly, by itself, goes once more. */
const retryAfterMs = 100;
/**
 * After so many failures in a row that are no item's own fault, a batch is not taken apart further.
 */
const maxDefects = 24;

export function createGroup<Command, Answer>(
  waiting: Waiting<Command>,
  resolve: Group<Command, Answer>['resolve'],
): Group<Command, Answer> {
  const { deadlineMs, patienceMs = defaultPatienceMs, busyAfterMs = defaultBusyAfterMs } = waiting;
  const nowMs = performance.now();
  const giveUpAtMs = Math.min(deadlineMs, nowMs + patienceMs);
  const busyAtMs = Math.min(nowMs + busyAfterMs, deadlineMs - answerMs);
  return { waiting, deadlineAtMs: deadlineMs, giveUpAtMs, busyAtMs, resolve };
}

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
      const answers = await options.commit(
        items.map((item) => item.command),
        state.mode,
      );
      state.defectsLeft = maxDefects;
      return answerAll(items, answers);
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
  answers: readonly (Result<Answer> | Busy)[],
): readonly Item<Command, Answer>[] {
  // Before any is answered: what is thrown from here is committed again.
  if (answers.length !== items.length) throw new Error('a commit did not answer each command');
  return items.filter((item, i) => {
    const result = answers[i] ?? 'busy';
    item.isBegun = false;
    item.isBusy = result === 'busy';
    if (result !== 'busy') answer(item, result);
    return result === 'busy';
  });
}

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
  for (const item of items) item.isBusy = true;
  return items;
}

async function commitHalves<Command, Answer>(
  items: readonly Item<Command, Answer>[],
  options: CommitOptions<Command, Answer>,
  state: Attempt,
): Promise<readonly Item<Command, Answer>[]> {
  const middle = items.length >> 1;
  const busy = await commitPart(items.slice(0, middle), options, state);
  // A wallet's later commands do not overtake those that wait for its lock.
  const keys = new Set(busy.map(({ command }) => options.laneKey(command)));
  const rest = items.slice(middle);
  const waitsForLock = ({ command }: Item<Command, Answer>): boolean =>
    keys.has(options.laneKey(command));
  const others = rest.filter((item) => !waitsForLock(item));
  return [...busy, ...rest.filter(waitsForLock), ...(await commitPart(others, options, state))];
}

function answer<Command, Answer>(item: Item<Command, Answer>, result: Result<Answer>): void {
  if (item.isAnswered) return;
  item.isAnswered = true;
  item.group.resolve(item.index, result);
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
  } else if (item.isBusy && nowMs >= group.busyAtMs) giveUp(item, walletBusy);
  else if (nowMs >= group.giveUpAtMs) {
    giveUp(item, item.isDatabaseBusy ? databaseBusy : databaseUnavailable);
  } else return false;
  return true;
}

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
