import { exitCodes, type CliFailure } from '../../../outcome.ts';
import { toUnknownOutcome } from '../../../rpc/in-doubt.ts';
import type { DeferredRows } from './deferred-rows.ts';
import { runRound, type Round } from './retry-round.ts';
import { patienceMs, type SenderOptions, type Shared } from './sender.ts';

/** A wait is looked at so often whether it is still needed. */
const lookMs = 250;

export type Retries = {
  /** Tries what is deferred until nothing is; does nothing if that is under way. */
  start(): void;
  /** Resolves when there is room for more rows that must wait, or no more retries are made. */
  whenRoom(): Promise<void>;
  /** Resolves once nothing is deferred, or gives why it remains so. */
  finish(): Promise<CliFailure | undefined>;
  hasGivenUp(): boolean;
};

/**
 * Tries rows that are deferred again, on streams of their own: one stream refuses all later rows
 * of a wallet that was locked once, so that their order holds. Each user's rows have their own
 * pauses.
 */
export function createRetries(shared: Shared, options: SenderOptions): Retries {
  const { deferred } = shared;
  const { clock } = options;
  let running: Promise<void> | undefined;
  let failure: CliFailure | undefined;
  const isStopped = (): boolean => shared.isOver || options.isStopped();
  const isLate = (): boolean =>
    shared.blockedSinceMs !== undefined &&
    clock.elapsed() - Math.max(shared.progressAtMs, shared.blockedSinceMs) > patienceMs;
  const round: Round = { shared, options, isLate, isRenewed: false, failures: 0 };
  const run = async (): Promise<void> => {
    while (deferred.size() > 0 && !failure && !isStopped()) {
      const now = clock.elapsed();
      const due = deferred.findDue(now);
      if (due.length > 0) failure = await runRound(round, due);
      else if (isLate()) failure = toBusyFailure(deferred);
      else await clock.sleep(Math.max(1, Math.min(lookMs, deferred.nextDueMs() - now)));
    }
    running = undefined;
  };
  return {
    start: () => {
      if (failure || deferred.size() === 0) return;
      running ??= run();
      // Awaited at the end of the run.
      running.catch(() => undefined);
    },
    whenRoom: async () => {
      while (!deferred.hasRoom() && !failure && !isStopped()) {
        shared.blockedSinceMs ??= clock.elapsed();
        await Promise.race([running, clock.sleep(lookMs)]);
      }
      shared.blockedSinceMs = undefined;
    },
    finish: async () => {
      shared.blockedSinceMs ??= clock.elapsed();
      await running;
      return failure;
    },
    hasGivenUp: () => failure !== undefined,
  };
}

/** What the summary says where rows still wait at the end. */
function toBusyFailure(deferred: DeferredRows): CliFailure {
  const [rows, wallets] = [deferred.size(), deferred.wallets()];
  const failure: CliFailure = {
    reason: 'WALLET_BUSY',
    exitCode: exitCodes.unavailable,
    message:
      `${rows === 1 ? '1 row waits' : `${rows} rows wait`} for ` +
      `${wallets === 1 ? 'a wallet that is' : `the wallets of ${wallets} users, which are`} locked ` +
      `by another transaction, row ${deferred.first()?.row ?? 0} first; the other rows were sent`,
    hint: 'run the same command again to continue; no row is run twice',
  };
  return deferred.isInDoubt() ? toUnknownOutcome(failure) : failure;
}
