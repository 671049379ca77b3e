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

type Options = RelayOptions & {
  readonly lease: Lease;
  readonly progress: Pick<Part, 'wait'>;
  readonly stopped: AbortSignal;
};

type State = {
  /** Rows are left to listeners, or may be. */
  isBehind: boolean;
  token: bigint | undefined;
  /** Rows that are being left to listeners: a read may not see them yet. */
  expected: number;
  expectedEver: number;
  /** A round that was sent at once and whose answers are late. */
  late: Promise<void> | undefined;
  /** Of late rounds: these rows have reached the listeners meanwhile. */
  readonly reached: Set<bigint>;
  isFinishing: boolean;
};

/**
 * What queues of other programs get. They get a round together with our own queues as long as they
 * keep up. Such a queue may confirm slowly, refuse, or have no leader and confirm nothing: then its
 * messages are left in the outbox, and are sent from there in order, by rounds of their own, until
 * none is left.
 */
export function createListenerRounds(options: Options) {
  const { db, log, progress, stopped } = options;
  const wakeUp = createWakeUp();
  const state: State = {
    ...{ isBehind: false, token: undefined, expected: 0, expectedEver: 0, late: undefined },
    ...{ reached: new Set<bigint>(), isFinishing: false },
  };
  return {
    /** With a new lease: the relay that had it before may have left rows to listeners. */
    takeOver: async (token: bigint): Promise<void> => {
      if (token === state.token) return;
      state.isBehind = await hasListenerRows(db);
      state.token = token;
      state.reached.clear();
      wakeUp.wake();
    },
    /**
     * Sends a round to the listeners at once if they have all that came before. `none` is missed by
     * them if they have confirmed all of it in time; otherwise the rows are to be left to them.
     */
    tryAtOnce: (rows: readonly SentRow[]): Promise<'none' | 'some'> =>
      state.isBehind ? Promise.resolve('some') : sendAtOnce(options, state, rows),
    /** The rows of this work are left to the listeners once it has ended. */
    expect: async (work: Promise<void>): Promise<void> => {
      state.isBehind = true;
      state.expected += 1;
      state.expectedEver += 1;
      try {
        await work;
      } finally {
        state.expected -= 1;
        wakeUp.wake();
      }
    },
    run: async (): Promise<void> => {
      let failures = 0;
      while (!state.isFinishing || (state.isBehind && failures === 0)) {
        try {
          const sent = state.isBehind ? await sendLeft(options, state) : 0;
          failures = 0;
          if (sent === 0 && !state.isFinishing) await wakeUp.wait(pollMs);
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
      state.isFinishing = true;
      wakeUp.wake();
    },
  };
}

async function sendAtOnce(
  options: Options,
  state: State,
  rows: readonly SentRow[],
): Promise<'none' | 'some'> {
  let isLate = false;
  const sending = publish(options, rows).then(
    (unconfirmed) => {
      const isWhole = ({ messages }: SentRow) => !messages.some((m) => unconfirmed.has(m));
      if (isLate) for (const each of rows) if (isWhole(each)) state.reached.add(each.row.id);
      return unconfirmed.size === 0;
    },
    (err: unknown) => {
      options.log.warn({ err }, 'listeners not sent to; their messages are kept');
      return false;
    },
  );
  const hasAll = await within(maxWaitMs, sending);
  if (hasAll === true) return 'none';
  state.isBehind = true;
  isLate = true;
  if (hasAll === undefined) state.late = sending.then(() => undefined);
  return 'some';
}

/** Sends the first rows that were left to listeners. How many it took off. */
async function sendLeft(options: Options, state: State): Promise<number> {
  const { db, lease, load = loadNothing } = options;
  await state.late;
  state.late = undefined;
  const token = await lease.hold();
  if (token === undefined) return 0;
  const before = state.expectedEver;
  const rows = await readRound(db, 'listeners', [], load);
  if (rows.length === 0) {
    if (state.expected === 0 && state.expectedEver === before) state.isBehind = false;
    return 0;
  }
  await whileRenewed(lease, async () => {
    const unconfirmed = await publish(
      options,
      rows.filter(({ row }) => !state.reached.has(row.id)),
    );
    const isDone = await completeRows(db, rows, { unconfirmed, lease: [lease.holder, token] });
    for (const { row } of rows) state.reached.delete(row.id);
    checkDone(lease, isDone, unconfirmed.size);
  });
  return rows.length;
}

async function publish({ broker, progress }: Options, rows: readonly SentRow[]) {
  const messages = rows.flatMap((row) => row.messages);
  const slow = setTimeout(() => progress.wait(slowReason), maxWaitMs).unref();
  try {
    return new Set(await broker.publish(messages, 'listeners'));
  } finally {
    clearTimeout(slow);
  }
}

const slowReason =
  'a queue that another program has bound to wallet.events does not confirm its messages';

/** What the promise gives within that time; undefined if it takes longer. */
async function within<T>(timeoutMs: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), timeoutMs);
  });
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
