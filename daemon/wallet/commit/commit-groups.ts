import type { Rejection, Result } from '../../../core/reasons.ts';

/** What a caller waits with: how long, and whether it is still there. */
export type Waiting<Command> = {
  readonly deadlineMs: number;
  /** How long an unavailable database is waited for; default 5 s. */
  readonly patienceMs?: number;
  /** How long a locked wallet is waited for; default 1 s. */
  readonly busyAfterMs?: number;
  /**
   * True once this command of the caller need not be begun any more. Of an atomic group only the
   * first is asked for, also below.
   */
  isCancelled(command: Command): boolean;
  /**
   * Called for each command that was given up or failed. Asked after it, `isCancelled` may say that
   * nothing later is to be begun, so that nothing overtakes.
   */
  onGivenUp?(rejection: Rejection, command: Command): void;
};

/**
 * Commands that were submitted together; each has its index. Times are those of `performance.now`.
 */
export type Group<Command, Answer> = {
  readonly waiting: Waiting<Command>;
  readonly deadlineAtMs: number;
  readonly giveUpAtMs: number;
  readonly busyAtMs: number;
  /** The same of a command on two wallets. */
  readonly pairBusyAtMs: number;
  resolve(index: number, result: Result<Answer>): void;
};

/** How long an unavailable database is waited for before the caller is answered. */
const defaultPatienceMs = 5_000;
const defaultBusyAfterMs = 1_000;
/**
 * Of that time a command on two wallets waits: what comes behind it on its other wallet, which is
 * free, is to be done within the second.
 */
const pairShare = 0.5;
/** So long before its deadline a caller is answered that the wallet is locked: in time. */
const answerMs = 150;
export function createGroup<Command, Answer>(
  waiting: Waiting<Command>,
  resolve: Group<Command, Answer>['resolve'],
): Group<Command, Answer> {
  const { deadlineMs, patienceMs = defaultPatienceMs, busyAfterMs = defaultBusyAfterMs } = waiting;
  const nowMs = performance.now();
  const giveUpAtMs = Math.min(deadlineMs, nowMs + patienceMs);
  const busyAtOf = (share: number): number =>
    Math.min(nowMs + share * busyAfterMs, deadlineMs - answerMs);
  const [busyAtMs, pairBusyAtMs] = [busyAtOf(1), busyAtOf(pairShare)];
  return { waiting, deadlineAtMs: deadlineMs, giveUpAtMs, busyAtMs, pairBusyAtMs, resolve };
}
