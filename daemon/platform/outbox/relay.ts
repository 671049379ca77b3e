import type { OutboundMessage } from '../broker/broker.ts';
import type { Timing } from '../metrics.ts';
import { readOldestOfOutbox } from '../progress/outbox.ts';
import { describeTrouble } from '../progress/reasons.ts';
import { unwatched } from '../progress/watch.ts';
import { sleepUnlessAborted } from '../concurrency/abort.ts';
import { createWakeUp } from '../concurrency/wake-up.ts';
import { createAcking, type Acking } from './acking.ts';
import { createLease, whileRenewed, type Lease } from './lease.ts';
import { createListenerRounds, type ListenerRounds } from './listener-rounds.ts';
import { backoffMs, checkDone, loadNothing, type RelayOptions } from './round.ts';
import { completeRows, leaveToListeners, maxRoundEvents, readRound, type SentRow } from './rows.ts';

export { appendOutbox, appendReferred, type LoadReferred } from './rows.ts';

export type Relay = {
  /** Says that a commit has left something to send; polling would find it a little later. */
  wake(): void;
  start(): void;
  /** Ends once what was committed is sent, as far as that takes a moment only. */
  stop(): Promise<void>;
};

const pollMs = 200;
/**
 * Rounds begin at least so far apart, since fewer and larger ones cost less: by how many events the
 * last one had. What comes behind a pause is sent at once.
 */
const gatherMsAfter = (events: number): number => {
  if (events >= maxRoundEvents) return 0;
  return events < fewEvents ? 50 : 25;
};
const fewEvents = 250;
const stopTimeoutMs = 2_000;

/**
 * The relay of the transactional outbox, in order of id: read, publish, wait for the confirms,
 * delete. No database transaction is open while it publishes. One relay per database is active, by
 * lease; deletions carry its fencing token, so that a relay whose lease was lost deletes nothing.
 *
 * Rounds go to our own queues and to those of other programs at once. Where the latter fall behind,
 * they get the rows in rounds of their own (`listener-rounds.ts`): no program holds up statements.
 */
export function createRelay(options: RelayOptions): Relay {
  const { db, log, broker, owner = '', watch = unwatched } = options;
  const lease = createLease(db, log);
  const progress = watch.watchBacklog(
    `${owner}.outbox`,
    () => readOldestOfOutbox(db, lease.holder),
    () => broker.findTrouble?.(),
  );
  const wakeUp = createWakeUp();
  // Only a stop shortens the pause after a failure: under load commits wake the relay all the time.
  const stopping = new AbortController();
  const { signal: stopped } = stopping;
  const acking = createAcking();
  const listeners = createListenerRounds({ ...options, lease, progress, stopped });
  const parts: RoundParts = { ...options, lease, acking, listeners };
  let running: Promise<void> | undefined;

  const run = async (): Promise<void> => {
    let failures = 0;
    const listening = listeners.run();
    while (!stopped.aborted) {
      wakeUp.reset();
      const startedAt = performance.now();
      try {
        const events = await sendRound(parts);
        if (events === 0) await wakeUp.wait(pollMs);
        failures = 0;
        const gatherMs = events === 0 ? 0 : gatherMsAfter(events);
        const restMs = gatherMs - (performance.now() - startedAt);
        if (restMs > 0) await sleepUnlessAborted(restMs, stopped);
      } catch (err) {
        failures += 1;
        log.warn({ err, failures }, 'outbox not sent; it is kept and tried again');
        progress.wait(describeTrouble(err));
        await acking.end().catch(() => undefined);
        await sleepUnlessAborted(backoffMs(failures), stopped);
      }
    }
    if (failures === 0) await sendRest().catch((err: unknown) => log.debug({ err }, 'outbox kept'));
    await acking.end().catch(() => undefined);
    listeners.finish();
    await listening;
    await lease.release();
  };
  /** What the last commits left is sent at a stop, not at the next start. */
  const sendRest = async (): Promise<void> => {
    const endsAt = performance.now() + stopTimeoutMs / 2;
    while (performance.now() < endsAt && (await sendRound(parts)) > 0);
  };

  return {
    wake: wakeUp.wake,
    start: () => {
      running ??= run();
    },
    stop: async () => {
      stopping.abort();
      wakeUp.wake();
      // A broker that confirms nothing is not waited for: the rows stay for the next start.
      const late = new Promise((resolve) => setTimeout(resolve, stopTimeoutMs).unref());
      await Promise.race([running, late]);
    },
  };
}

type RoundParts = RelayOptions & {
  readonly lease: Lease;
  readonly acking: Acking;
  readonly listeners: ListenerRounds;
};

/**
 * Reads and publishes while the rows of the round before are still being deleted. How many messages
 * it sent: 0 if there was nothing to send, or nothing for us.
 */
async function sendRound(parts: RoundParts): Promise<number> {
  const { db, load = loadNothing, lease, acking, listeners } = parts;
  const token = await lease.hold();
  if (token !== undefined) await listeners.takeOver(token);
  const rows = token === undefined ? [] : await readRound(db, 'own', acking.ids(), load);
  if (token === undefined || rows.length === 0) {
    await acking.end();
    return 0;
  }
  const messages = rows.flatMap((row) => row.messages);
  await whileRenewed(lease, async () => {
    const [own, listening] = await Promise.allSettled([
      publishToOwn(parts, rows, messages),
      listeners.tryAtOnce(rows),
    ]);
    if (own.status === 'rejected') throw own.reason;
    const unconfirmed = new Set(own.value);
    const hasAll = listening.status === 'fulfilled' && listening.value === 'none';
    await acking.end();
    const confirmation = { unconfirmed, lease: [lease.holder, token] } as const;
    const finish = hasAll ? completeRows : leaveToListeners;
    const finishing = finish(db, rows, confirmation).then((isDone) =>
      checkDone(lease, isDone, unconfirmed.size),
    );
    acking.begin(rows, hasAll ? finishing : listeners.expect(finishing));
    if (unconfirmed.size > 0) await acking.end();
  });
  return messages.length;
}

/** The messages that were not confirmed. An attempt that failed is no delay: another follows. */
async function publishToOwn(
  { broker, lag }: RoundParts,
  rows: readonly SentRow[],
  messages: readonly OutboundMessage[],
): Promise<readonly OutboundMessage[]> {
  const unconfirmed = await broker.publish(messages, 'own');
  observeLag(rows, lag);
  return unconfirmed;
}

function observeLag([oldest]: readonly SentRow[], lag: Timing | undefined): void {
  if (oldest) lag?.observe((oldest.row.age_ms + performance.now() - oldest.readAt) / 1_000);
}
