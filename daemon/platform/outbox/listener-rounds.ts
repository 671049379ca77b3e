import { sleepUnlessAborted } from '../concurrency/abort.ts';
import { createWakeUp } from '../concurrency/wake-up.ts';
import { describeTrouble } from '../progress/reasons.ts';
import type { Part } from '../progress/watch.ts';
import { whileRenewed, type Lease } from './lease.ts';
import { backoffMs, checkDone, loadNothing, type RelayOptions } from './round.ts';
import { completeRows, hasListenerRows, readRound, type SentRow } from './rows.ts';

export type ListenerRounds = ReturnType<typeof createListenerRounds>;

/** How long a round waits for listeners before our own queues go on without them. */
const maxWaitMs = 500;
const pollMs = 200;

/**
 * What queues of other programs get. They get a round together with our own queues as long as they
 * keep up. Such a queue may confirm slowly, refuse, or have no leader and confirm nothing: then its
 * messages are left in the outbox, and are sent from there in order, by rounds of their own, until
 * none is left.
 */
export function createListenerRounds(
  options: RelayOptions & {
    readonly lease: Lease;
    readonly progress: Pick<Part, 'wait'>;
    readonly stopped: AbortSignal;
  },
) {
  const { db, broker, log, load = loadNothing, lease, progress, stopped } = options;
  const wakeUp = createWakeUp();
  let isBehind = false;
  let lastToken: bigint | undefined;
  /** Rows that are being left to listeners: a read may not see them yet. */
  let expected = 0;
  let expectedEver = 0;
  /** A round that was sent at once and whose answers are late. */
  let late: Promise<void> | undefined;
  /** Of late rounds: these rows have reached the listeners meanwhile. */
  const reached = new Set<bigint>();
  let isFinishing = false;

  const reportSlowness = (): NodeJS.Timeout =>
    setTimeout(() => progress.wait(slowReason), maxWaitMs).unref();

  const publish = async (rows: readonly SentRow[]) => {
    const messages = rows.flatMap((row) => row.messages);
    const slow = reportSlowness();
    try {
      return new Set(await broker.publish(messages, 'listeners'));
    } finally {
      clearTimeout(slow);
    }
  };

  /** How many rows it took off. */
  const sendRound = async (): Promise<number> => {
    await late;
    late = undefined;
    const token = await lease.hold();
    if (token === undefined) return 0;
    const before = expectedEver;
    const rows = await readRound(db, 'listeners', [], load);
    if (rows.length === 0) {
      if (expected === 0 && expectedEver === before) isBehind = false;
      return 0;
    }
    await whileRenewed(lease, async () => {
      const unconfirmed = await publish(rows.filter(({ row }) => !reached.has(row.id)));
      const confirmation = { unconfirmed, lease: [lease.holder, token] } as const;
      const isDone = await completeRows(db, rows, confirmation);
      for (const { row } of rows) reached.delete(row.id);
      checkDone(lease, isDone, unconfirmed.size);
    });
    return rows.length;
  };

  return {
    /** With a new lease: the relay that had it before may have left rows to listeners. */
    takeOver: async (token: bigint): Promise<void> => {
      if (token === lastToken) return;
      isBehind = await hasListenerRows(db);
      lastToken = token;
      reached.clear();
      wakeUp.wake();
    },
    /**
     * Sends a round to the listeners at once if they have all that came before. `none` is missed by
     * them if they have confirmed all of it in time; otherwise the rows are to be left to them.
     */
    tryAtOnce: async (rows: readonly SentRow[]): Promise<'none' | 'some'> => {
      if (isBehind) return 'some';
      let isLate = false;
      const sending = publish(rows).then(
        (unconfirmed) => {
          const isWhole = ({ messages }: SentRow) => !messages.some((m) => unconfirmed.has(m));
          if (isLate) for (const each of rows) if (isWhole(each)) reached.add(each.row.id);
          return unconfirmed.size === 0;
        },
        (err: unknown) => {
          log.warn({ err }, 'listeners of the events exchange are sent to again');
          return false;
        },
      );
      const hasAll = await within(maxWaitMs, sending);
      if (hasAll === true) return 'none';
      isBehind = true;
      isLate = true;
      if (hasAll === undefined) late = sending.then(() => undefined);
      return 'some';
    },
    /** The rows of this work are left to the listeners once it has ended. */
    expect: async (work: Promise<void>): Promise<void> => {
      isBehind = true;
      expected += 1;
      expectedEver += 1;
      try {
        await work;
      } finally {
        expected -= 1;
        wakeUp.wake();
      }
    },
    run: async (): Promise<void> => {
      let failures = 0;
      while (!isFinishing || (isBehind && failures === 0)) {
        try {
          const sent = isBehind ? await sendRound() : 0;
          failures = 0;
          if (sent === 0 && !isFinishing) await wakeUp.wait(pollMs);
        } catch (err) {
          failures += 1;
          log.warn({ err, failures }, 'listeners not sent to; their messages are kept');
          progress.wait(`listeners: ${describeTrouble(err)}`);
          await sleepUnlessAborted(backoffMs(failures), stopped);
        }
      }
    },
    /** Ends `run` once the listeners have all. */
    finish: (): void => {
      isFinishing = true;
      wakeUp.wake();
    },
  };
}

const slowReason =
  'a queue that another program has bound to wallet.events does not confirm its messages';

/** What the promise gives within that time; undefined if it takes longer. */
async function within<T>(timeoutMs: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
