import type { Broker, OutboundMessage } from '../broker/broker.ts';
import type { Db } from '../db/db.ts';
import type { Log } from '../log.ts';
import type { Timing } from '../metrics.ts';
import { createPublicError } from '../progress/public-error.ts';
import { readOldestOfOutbox } from '../progress/outbox.ts';
import { describeTrouble } from '../progress/reasons.ts';
import { unwatched, type ProgressWatch } from '../progress/watch.ts';
import { sleepUnlessAborted } from '../concurrency/abort.ts';
import { createWakeUp } from '../concurrency/wake-up.ts';
import { createLease, renewMs, type Lease } from './lease.ts';
import { messagesOf, readRows, completeRows, type LoadReferred, type SentRow } from './rows.ts';

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
  if (events >= roundLimits.events) return 0;
  return events < fewEvents ? 50 : 25;
};
const fewEvents = 250;
const roundLimits = { rows: 64, events: 4_000 };
const maxBackoffMs = 5_000;
const stopTimeoutMs = 2_000;

type RelayOptions = {
  readonly db: Db;
  readonly broker: Pick<Broker, 'publish'> & Partial<Pick<Broker, 'findTrouble'>>;
  readonly log: Log;
  /** The service whose outbox it is, for reports of stalls. */
  readonly owner?: string;
  readonly watch?: ProgressWatch;
  /** Makes again what was appended by reference. */
  readonly load?: LoadReferred;
  /** Told how long the oldest messages of a round took from their commit to their confirm. */
  readonly lag?: Timing;
};

/**
 * The relay of the transactional outbox, in order of id: read, publish, wait for the confirms,
 * delete. No database transaction is open while it publishes. One relay per database is active, by
 * lease; deletions carry its fencing token, so that a relay whose lease was lost deletes nothing.
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
  let running: Promise<void> | undefined;

  const run = async (): Promise<void> => {
    let failures = 0;
    while (!stopped.aborted) {
      wakeUp.reset();
      const startedAt = performance.now();
      try {
        const events = await sendRound(options, lease, acking);
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
        await sleepUnlessAborted(Math.min(maxBackoffMs, 100 * 2 ** failures), stopped);
      }
    }
    if (failures === 0) await sendRest().catch((err: unknown) => log.debug({ err }, 'outbox kept'));
    await acking.end().catch(() => undefined);
    await lease.release();
  };
  /** What the last commits left is sent at a stop, not at the next start. */
  const sendRest = async (): Promise<void> => {
    const endsAt = performance.now() + stopTimeoutMs / 2;
    while (performance.now() < endsAt && (await sendRound(options, lease, acking)) > 0);
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

/**
 * Reads and publishes while the rows of the round before are still being deleted. How many messages
 * it sent: 0 if there was nothing to send, or nothing for us.
 */
async function sendRound(
  { db, broker, load = loadNothing, lag }: RelayOptions,
  lease: Lease,
  acking: Acking,
): Promise<number> {
  const token = await lease.hold();
  const rows = token === undefined ? [] : await readRound(db, acking.ids(), load);
  if (token === undefined || rows.length === 0) {
    await acking.end();
    return 0;
  }
  const messages = rows.flatMap((row) => row.messages);
  const renewal = setInterval(() => void lease.hold().catch(() => undefined), renewMs);
  try {
    const left = new Set(await broker.publish(messages));
    const [oldest] = rows;
    if (oldest) lag?.observe((oldest.row.age_ms + performance.now() - oldest.readAt) / 1_000);
    await acking.end();
    acking.begin(rows, ackRows(db, lease, rows, left, token));
    if (left.size > 0) await acking.end();
  } finally {
    clearInterval(renewal);
  }
  return messages.length;
}

function readRound(db: Db, inHand: readonly bigint[], load: LoadReferred): Promise<SentRow[]> {
  return db.read(async (tx) => {
    const rows = await readRows(tx, inHand, roundLimits);
    const readAt = performance.now();
    const read: SentRow[] = [];
    for (const row of rows) read.push({ row, messages: await messagesOf(tx, row, load), readAt });
    return read;
  });
}

async function ackRows(
  db: Db,
  lease: Lease,
  sent: readonly SentRow[],
  unconfirmed: ReadonlySet<OutboundMessage>,
  token: bigint,
): Promise<void> {
  const acked = await completeRows(db, sent, unconfirmed, [lease.holder, token]);
  if (acked < sent.length) {
    lease.forget();
    throw new Error('another daemon has taken the outbox over');
  }
  if (unconfirmed.size > 0) {
    throw createPublicError(`${unconfirmed.size} messages were not confirmed`);
  }
}

const loadNothing: LoadReferred = () =>
  Promise.reject(new Error('this outbox keeps no references'));

type Acking = ReturnType<typeof createAcking>;

/** The deletion under way: which rows it concerns, and how it ended. */
function createAcking() {
  let inHand: readonly bigint[] = [];
  let outcome: Promise<{ readonly err?: unknown }> = Promise.resolve({});
  return {
    ids: () => inHand,
    begin: (sent: readonly SentRow[], work: Promise<void>): void => {
      inHand = sent.map(({ row }) => row.id);
      outcome = work.then(
        () => ({}),
        (err: unknown) => ({ err }),
      );
    },
    /** Waits for it; rejects once if it failed. */
    end: async (): Promise<void> => {
      const ended = await outcome;
      inHand = [];
      outcome = Promise.resolve({});
      if ('err' in ended) throw ended.err;
    },
  };
}
