import type { Reason } from '../../../core/reasons.ts';
import { createLoop, type Loop } from '../../platform/concurrency/loop.ts';
import { readClock, type Db } from '../../platform/db/db.ts';
import type { Log } from '../../platform/log.ts';
import { describeTrouble } from '../../platform/progress/reasons.ts';
import type { Part, ProgressWatch } from '../../platform/progress/watch.ts';
import { toExpiryCommand } from '../domain-holds.ts';
import type { GroupCommit } from '../commit/group-commit.ts';
import type { AuditedCommand, AuditedDecision } from '../requests/audited-command.ts';
import { listExpired, type ExpiredHold, type HoldPlace } from '../store/holds.ts';
import { createStepWatch } from './clock-steps.ts';

export type SweeperOptions = {
  readonly db: Db;
  readonly groupCommit: Pick<GroupCommit<AuditedCommand, AuditedDecision>, 'submitMany'>;
  /** True while so many events wait to be sent that no more are taken on. */
  readonly isOutboxFull: () => boolean;
  readonly log: Log;
  readonly watch: ProgressWatch;
};

const batchSize = 512;
const pollMs = 1_000;
const jitterMs = 500;
/** A daemon that stops waits for a sweep. */
const patienceMs = 2_000;
const deadlineMs = 5_000;

/** Daemons that were started together do not look at the same moment. */
const nextPollMs = (): number => pollMs + jitterMs * (2 * Math.random() - 1);

/**
 * Releases what holds reserve whose time is over, on wallets that nothing else happens to. Nothing
 * depends on it: every commit does so for its own wallets first, and reads look at the time. A
 * release has an id that follows from its hold, so that any number of daemons enter it once.
 * After a step of the database's clock it waits: an entry of a wrong time would stop its wallet.
 */
export function createSweeper(options: SweeperOptions): Pick<Loop, 'start' | 'stop'> {
  const { db, isOutboxFull, log, watch } = options;
  const progress = watch.watchWork('wallet.holds');
  let isStopped = false;
  const clock = createStepWatch();
  const work = async (): Promise<boolean> => {
    const isSteady = clock.isSteady(await db.read(readClock));
    if (isSteady && !isOutboxFull()) await sweep(options, progress, () => isStopped);
    return false;
  };
  const onFailure = (err: unknown): void => progress.wait(describeTrouble(err));
  const loop = createLoop({ name: 'expired holds', work, pollMs: nextPollMs, log, onFailure });
  return {
    start: loop.start,
    stop: () => {
      isStopped = true;
      return loop.stop();
    },
  };
}

/** Goes through all holds whose time is over now, once: one that cannot be released blocks none. */
async function sweep(
  { db, groupCommit }: SweeperOptions,
  progress: Part,
  isStopped: () => boolean,
): Promise<void> {
  let trouble: Reason | undefined;
  for (let after: HoldPlace | undefined; !isStopped();) {
    const place = after;
    const expired = await db.read((tx) => listExpired(tx, place, batchSize));
    if (expired.length > 0) progress.begin();
    const commands = toCommands(expired);
    const { completed } = await groupCommit.submitMany(commands, {
      deadlineMs: performance.now() + deadlineMs,
      patienceMs,
      isCancelled: isStopped,
    });
    const refused = (await completed).flatMap((one) => (one.ok ? [] : [one.rejection.reason]));
    trouble ??= refused.find((reason) => transient.has(reason));
    if (refused.length < commands.length) progress.advance();
    after = expired.at(-1);
    if (expired.length < batchSize) break;
  }
  if (trouble) progress.wait(trouble);
  else progress.rest();
}

/** The first hold of each wallet: with it all others are released whose time is over. */
function toCommands(expired: readonly ExpiredHold[]): AuditedCommand[] {
  const commands = new Map<string, AuditedCommand>();
  for (const { id, wallet } of expired) {
    if (!commands.has(wallet.id)) commands.set(wallet.id, toExpiryCommand(wallet, id));
  }
  return [...commands.values()];
}

/** What will pass by itself. A corrupt wallet has alarms of its own. */
const transient: ReadonlySet<Reason> = new Set<Reason>([
  ...(['WALLET_BUSY', 'DATABASE_BUSY', 'DATABASE_UNAVAILABLE'] as const),
  ...(['OUTCOME_UNKNOWN', 'OVERLOADED'] as const),
]);
