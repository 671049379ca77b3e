import type { Broker, OutboundMessage } from './broker.ts';
import type { Db } from './db.ts';
import type { Log } from './log.ts';
import type { Timing } from './metrics.ts';
import { createOwnError } from './progress/own-words.ts';
import { readOldestOfOutbox } from './progress/outbox.ts';
import { describeTrouble } from './progress/reasons.ts';
import { unwatched, type ProgressWatch } from './progress/watch.ts';
import { createNap } from './nap.ts';
import { createLease, renewMs, type Lease } from './outbox-lease.ts';
import {
  messagesOf,
  readRows,
  settleRows,
  type LoadReferred,
  type SentRow,
} from './outbox-rows.ts';

export { appendOutbox, appendReferred, type LoadReferred } from './outbox-rows.ts';

export type Relay = {
  /** Says that a commit has left something to send; polling would find it a little later. */
  wake(): void;
  start(): void;
  /** Ends after the round in hand. */
  stop(): Promise<void>;
};

const pollMs = 200;
/** Rounds begin at least so far apart: under load they are fewer and larger, and cost less. */
const gatherMs = 10;
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
 * Sends what the outbox holds, in order of id: read, publish, wait for the confirms, delete. No
 * database transaction is open while it publishes. One relay per database is active, by lease;
 * deletions carry the lease's token, so that one which was overtaken deletes nothing.
 */
export function createRelay(options: RelayOptions): Relay {
  const { db, log, broker, owner = '', watch = unwatched } = options;
  const lease = createLease(db, log);
  const progress = watch.watchBacklog(
    `${owner}.outbox`,
    () => readOldestOfOutbox(db, lease.holder),
    () => broker.findTrouble?.(),
  );
  const nap = createNap();
  // After a failure no commit cuts the pause short: under load that would be no pause at all.
  const pause = createNap();
  const settling = createSettling();
  let isStopped = false;
  const isRunning = (): boolean => !isStopped;
  let running: Promise<void> | undefined;

  const run = async (): Promise<void> => {
    let failures = 0;
    while (isRunning()) {
      nap.reset();
      const startedAt = performance.now();
      try {
        if (!(await sendRound(options, lease, settling))) await nap.take(pollMs);
        failures = 0;
        const restMs = gatherMs - (performance.now() - startedAt);
        if (restMs > 0 && isRunning()) await pause.take(restMs);
      } catch (err) {
        failures += 1;
        log.warn({ err, failures }, 'outbox not sent; it is kept and tried again');
        progress.wait(describeTrouble(err));
        await settling.end().catch(() => undefined);
        if (isRunning()) await pause.take(Math.min(maxBackoffMs, 100 * 2 ** failures));
      }
    }
    await settling.end().catch(() => undefined);
    await lease.release();
  };

  return {
    wake: nap.wake,
    start: () => {
      running ??= run();
    },
    stop: async () => {
      isStopped = true;
      nap.wake();
      pause.wake();
      // A broker that confirms nothing is not waited for: the rows stay for the next start.
      const late = new Promise((resolve) => setTimeout(resolve, stopTimeoutMs).unref());
      await Promise.race([running, late]);
    },
  };
}

/**
 * Reads and publishes while the rows of the round before are still being deleted. False if there
 * was nothing to send, or nothing for us.
 */
async function sendRound(
  { db, broker, load = loadNothing, lag }: RelayOptions,
  lease: Lease,
  settling: Settling,
): Promise<boolean> {
  const token = await lease.hold();
  const rows = token === undefined ? [] : await readRound(db, settling.ids(), load);
  if (token === undefined || rows.length === 0) {
    await settling.end();
    return false;
  }
  const renewal = setInterval(() => void lease.hold().catch(() => undefined), renewMs);
  try {
    const left = new Set(await broker.publish(rows.flatMap((row) => row.messages)));
    const [oldest] = rows;
    if (oldest) lag?.observe((oldest.row.age_ms + performance.now() - oldest.readAt) / 1_000);
    await settling.end();
    settling.begin(rows, settle(db, lease, rows, left, token));
    if (left.size > 0) await settling.end();
  } finally {
    clearInterval(renewal);
  }
  return true;
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

async function settle(
  db: Db,
  lease: Lease,
  sent: readonly SentRow[],
  unconfirmed: ReadonlySet<OutboundMessage>,
  token: bigint,
): Promise<void> {
  const settled = await settleRows(db, sent, unconfirmed, [lease.holder, token]);
  if (settled < sent.length) {
    lease.forget();
    throw new Error('another daemon has taken the outbox over');
  }
  if (unconfirmed.size > 0) {
    throw createOwnError(`${unconfirmed.size} messages were not confirmed`);
  }
}

const loadNothing: LoadReferred = () =>
  Promise.reject(new Error('this outbox keeps no references'));

type Settling = ReturnType<typeof createSettling>;

/** The deletion under way: which rows it concerns, and how it ended. */
function createSettling() {
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
