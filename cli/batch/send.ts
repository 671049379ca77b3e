import {
  WalletServiceService,
  type StreamTransactionsRequest,
  type StreamTransactionsResponse,
  type TransactionItem,
  type TransactionResult,
} from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Clock } from '../call.ts';
import { isAboutToken, type Caller } from '../caller.ts';
import { toCliFailure, toLostFailure, transientReasons, type CallFailure } from '../errors.ts';
import { succeed, type CliFailure, type Outcome } from '../failures.ts';
import type { MessageStream } from '../stream.ts';
import type { InvalidRow } from './check.ts';

/** A row on its way: with the item that is sent for it, or with the reason why none is. */
export type PreparedRow =
  { readonly row: number; readonly userId: string; readonly item: TransactionItem } | InvalidRow;

/** Rows that travel together, in one message. */
export type Chunk = {
  readonly rows: readonly PreparedRow[];
  /** Sent before without an answer: what is found there may be our own doing. */
  wasSent: boolean;
};

export type SenderOptions = {
  readonly caller: Caller;
  readonly clock: Clock;
  readonly isDryRun: boolean;
  readonly timeoutMs: number;
  /** The next chunk, or undefined at the end of the input. */
  readonly next: () => Promise<Chunk | undefined>;
  /** Before a chunk is sent for the first time. */
  readonly onSend: (chunk: Chunk) => Promise<void>;
  /** A chunk with a result for each row that was sent, in order. */
  readonly onResults: (chunk: Chunk, results: readonly TransactionResult[]) => Promise<void>;
  readonly onRetry: (why: string) => Promise<void>;
};

type Stream = MessageStream<StreamTransactionsRequest, StreamTransactionsResponse>;

/** Chunks in flight: as many as the server has in hand, and some on their way to it. */
const maxInFlight = 6;
/** Without any progress for so long the run ends; it can be resumed. */
const patienceMs = 120_000;
const maxPauseMs = 5_000;
const maxFirstFailures = 2;
/** Well below the time after which a server ends an idle stream. */
const keepOpenMs = 20_000;

/** How the sending ended: all answered, or why not, and whether something is left open. */
export type Sent = Outcome<undefined> & { readonly isOpen?: boolean };

/** What outlives a stream: the rows without an answer, and the input that is being waited for. */
type State = {
  readonly pending: Chunk[];
  input: Promise<Chunk | undefined> | undefined;
  isAtEnd: boolean;
  answered: number;
  progressAtMs: number;
};

/**
 * Sends chunks through a stream and gives their results in order. After a loss, or a refusal that
 * will pass, everything that has no answer yet goes again from there on, in order and under the
 * same keys; so nothing is done twice, and no row overtakes an earlier one of its wallet. A stream
 * that the server ends while the input has no rows is opened again with the next of them.
 */
export async function sendChunks(options: SenderOptions): Promise<Sent> {
  const { clock } = options;
  const pending: Chunk[] = [];
  const progressAtMs = clock.now();
  const state: State = { pending, input: undefined, isAtEnd: false, answered: 0, progressAtMs };
  let isRenewed = false;
  for (let failures = 0; ;) {
    const opened = await options.caller.openStream(
      WalletServiceService.streamTransactions,
      isRenewed,
    );
    if (!opened.ok) return { ...opened, isOpen: pending.length > 0 };
    const before = state.answered;
    const end = opened.value.ok
      ? await runStream(opened.value.value, state, options)
      : opened.value.failure;
    if (end === 'rested') await takeInput(state, options);
    if (end === 'done' || (end === 'rested' && state.isAtEnd)) return succeed(undefined);
    const hasProgress = state.answered !== before;
    if (hasProgress || end === 'rested') failures = 0;
    if (end === 'rested') {
      isRenewed = false;
      continue;
    }
    const isTokenRefused = isAboutToken(end);
    const canPass = end.isTransient || end.reason === 'CANCELLED';
    const isHopeless = isTokenRefused ? isRenewed && failures > 0 : !canPass;
    // Before anything was sent nobody needs to wait for a server that is not there.
    const isLate =
      clock.now() - state.progressAtMs > patienceMs ||
      (failures >= maxFirstFailures && !pending.some((chunk) => chunk.wasSent));
    if (isHopeless || isLate || (options.isDryRun && hasProgress)) {
      return { ok: false, failure: toEnd(end, options.isDryRun), isOpen: pending.length > 0 };
    }
    isRenewed = isTokenRefused;
    failures += 1;
    if (end.reason !== 'STREAM_IDLE') await options.onRetry(end.message);
    await clock.sleep(Math.min(maxPauseMs, 100 * 2 ** failures) * (0.75 + Math.random() * 0.25));
  }
}

/** Asks for the next chunk, unless that is under way; rejects where the input cannot be read. */
function askForInput(state: State, options: SenderOptions): Promise<Chunk | undefined> {
  if (!state.input) {
    state.input = options.next();
    // Awaited later, if at all; a failure must not count as unhandled until then.
    state.input.catch(() => undefined);
  }
  return state.input;
}

/** Waits for the next chunk. Time in which there was nothing to send is no time without progress. */
async function takeInput(state: State, options: SenderOptions): Promise<void> {
  const chunk = await askForInput(state, options);
  state.input = undefined;
  if (state.pending.length === 0) state.progressAtMs = options.clock.now();
  if (chunk) state.pending.push(chunk);
  else state.isAtEnd = true;
}

function toEnd(failure: CallFailure, isDryRun: boolean): CliFailure {
  const told = toCliFailure(failure, isDryRun ? 'read' : 'write');
  return isDryRun ? told : { ...told, hint: told.hint ?? 'run the same command again to go on' };
}

/**
 * One stream to its end: `done` once all is answered, `rested` where the server ended it while there
 * was nothing to send, otherwise why it has to go again.
 */
async function runStream(
  opened: Stream,
  state: State,
  options: SenderOptions,
): Promise<'done' | 'rested' | CallFailure> {
  const { clock, isDryRun } = options;
  const { pending } = state;
  const stream = withPeek(opened);
  let written = 0;
  let answer: Promise<Answered> | undefined;
  try {
    for (;;) {
      for (let chunk = pending[written]; chunk; chunk = pending[written]) {
        await writeChunk(stream, chunk, options);
        written += 1;
      }
      const [first] = pending;
      if (!first && state.isAtEnd) {
        stream.end();
        const last = await stream.read();
        return last.ok ? 'done' : last.failure;
      }
      if (first) answer ??= readResults(stream, first, options.timeoutMs);
      const events: Promise<'input' | 'message' | 'time' | Answered>[] = [
        answer ?? waitForServer(stream, isDryRun),
      ];
      if (!state.isAtEnd && pending.length < maxInFlight) {
        events.push(askForInput(state, options).then(() => 'input' as const));
      }
      const event = await Promise.race(events);
      if (event === 'input') {
        await takeInput(state, options);
      } else if (event === 'time') {
        await stream.write({ items: [], dryRun: isDryRun });
      } else if (event === 'message') {
        if (!isDryRun) return 'rested';
        const read = await stream.read();
        if (!read.ok) return read.failure;
        if (read.value === undefined) return toLostFailure('the stream ended early');
      } else if (!event.ok) {
        return event.failure;
      } else if (first) {
        answer = undefined;
        await options.onResults(first, event.value);
        pending.shift();
        written -= 1;
        state.answered += 1;
        state.progressAtMs = clock.now();
      }
    }
  } finally {
    stream.cancel();
    for (const chunk of pending.slice(0, written)) chunk.wasSent = true;
  }
}

async function writeChunk(stream: Stream, chunk: Chunk, options: SenderOptions): Promise<void> {
  const items = itemsOf(chunk);
  if (items.length === 0) return;
  if (!chunk.wasSent) await options.onSend(chunk);
  await stream.write({ items, dryRun: options.isDryRun });
}

/**
 * While there is nothing to send: `message` once the server says something, which can only be the
 * end of the stream. A dry run is over with its stream, so it is kept open by an empty message, and
 * has empty answers: then `time`, when the next is due.
 */
function waitForServer(stream: PeekStream, isDryRun: boolean): Promise<'message' | 'time'> {
  const message = stream.peek().then(() => 'message' as const);
  if (!isDryRun) return message;
  const time = new Promise<'time'>((resolve) => {
    setTimeout(() => resolve('time'), keepOpenMs).unref();
  });
  return Promise.race([message, time]);
}

type PeekStream = Stream & {
  /** The next message, which `read` gives again. */
  peek(): ReturnType<Stream['read']>;
};

function withPeek(stream: Stream): PeekStream {
  let ahead: ReturnType<Stream['read']> | undefined;
  return {
    ...stream,
    peek: () => (ahead ??= stream.read()),
    read: () => {
      const next = ahead ?? stream.read();
      ahead = undefined;
      return next;
    },
  };
}

const lost = (message: string): Answered => ({ ok: false, failure: toLostFailure(message) });

const itemsOf = (chunk: Chunk): TransactionItem[] =>
  chunk.rows.flatMap((row) => ('item' in row ? [row.item] : []));

type Answered =
  | { readonly ok: true; readonly value: readonly TransactionResult[] }
  | { readonly ok: false; readonly failure: CallFailure };

/** The results of one chunk; a refusal among them that will pass fails it as a whole. */
async function readResults(stream: Stream, chunk: Chunk, timeoutMs: number): Promise<Answered> {
  const expected = itemsOf(chunk).length;
  const results: TransactionResult[] = [];
  while (results.length < expected) {
    const read = await withTimeout(stream, timeoutMs);
    if (!read.ok) return read;
    if (read.value === undefined) return lost('the stream ended early');
    results.push(...read.value.results);
  }
  if (results.length > expected) return lost('too many results came');
  for (const { outcome } of results) {
    if (outcome?.$case !== 'refusal') continue;
    const { reason, message, metadata } = outcome.value;
    if (!(transientReasons as ReadonlySet<string>).has(reason)) continue;
    return { ok: false, failure: { ...toLostFailure(message), certainty: 'refused', metadata } };
  }
  return { ok: true, value: results };
}

/** A server that hangs is told from one that is busy by the time for one request. */
async function withTimeout(stream: Stream, timeoutMs: number) {
  const late = { isLate: false };
  const timer = setTimeout(() => {
    late.isLate = true;
    stream.cancel();
  }, timeoutMs);
  try {
    const read = await stream.read();
    return late.isLate && !read.ok
      ? { ok: false as const, failure: toLostFailure('no answer in time') }
      : read;
  } finally {
    clearTimeout(timer);
  }
}
