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

/** How the sending ended: all answered, or why not, and whether something is left open. */
export type Sent = Outcome<undefined> & { readonly isOpen?: boolean };

/**
 * Sends chunks through a stream and gives their results in order. After a loss, or a refusal that
 * will pass, everything that has no answer yet goes again from there on, in order and under the
 * same keys; so nothing is done twice, and no row overtakes an earlier one of its wallet.
 */
export async function sendChunks(options: SenderOptions): Promise<Sent> {
  const { clock } = options;
  const pending: Chunk[] = [];
  const state = { isAtEnd: false, progressAtMs: clock.now() };
  let isRenewed = false;
  for (let failures = 0; ;) {
    const opened = await options.caller.openStream(
      WalletServiceService.streamTransactions,
      isRenewed,
    );
    if (!opened.ok) return { ...opened, isOpen: pending.length > 0 };
    const before = state.progressAtMs;
    const failure = opened.value.ok
      ? await runStream(opened.value.value, pending, state, options)
      : opened.value.failure;
    if (!failure) return succeed(undefined);
    if (state.progressAtMs !== before) failures = 0;
    const isTokenRefused = isAboutToken(failure);
    const canPass = failure.isTransient || failure.reason === 'CANCELLED';
    const isHopeless = isTokenRefused ? isRenewed && failures > 0 : !canPass;
    // Before anything was sent nobody needs to wait for a server that is not there.
    const isLate =
      clock.now() - state.progressAtMs > patienceMs ||
      (failures >= maxFirstFailures && !pending.some((chunk) => chunk.wasSent));
    if (isHopeless || isLate || (options.isDryRun && before !== state.progressAtMs)) {
      return { ok: false, failure: toEnd(failure, options.isDryRun), isOpen: pending.length > 0 };
    }
    isRenewed = isTokenRefused;
    failures += 1;
    await options.onRetry(failure.message);
    await clock.sleep(Math.min(maxPauseMs, 100 * 2 ** failures) * (0.75 + Math.random() * 0.25));
  }
}

function toEnd(failure: CallFailure, isDryRun: boolean): CliFailure {
  const told = toCliFailure(failure, isDryRun ? 'read' : 'write');
  return isDryRun ? told : { ...told, hint: told.hint ?? 'run the same command again to go on' };
}

/** One stream to its end: undefined once all is answered, otherwise why it has to go again. */
async function runStream(
  stream: Stream,
  pending: Chunk[],
  state: { isAtEnd: boolean; progressAtMs: number },
  options: SenderOptions,
): Promise<CallFailure | undefined> {
  const { clock, isDryRun } = options;
  let written = 0;
  const fill = async (): Promise<void> => {
    for (;;) {
      const chunk = pending[written];
      if (chunk) {
        const items = itemsOf(chunk);
        if (items.length > 0 && !chunk.wasSent) await options.onSend(chunk);
        if (items.length > 0) await stream.write({ items, dryRun: isDryRun });
        written += 1;
      } else {
        if (state.isAtEnd || pending.length >= maxInFlight) return;
        const next = await options.next();
        if (next) pending.push(next);
        else state.isAtEnd = true;
      }
    }
  };
  try {
    for (;;) {
      await fill();
      const [chunk] = pending;
      if (!chunk) {
        stream.end();
        const last = await stream.read();
        return last.ok ? undefined : last.failure;
      }
      const answered = await readResults(stream, chunk, options.timeoutMs);
      if (!answered.ok) return answered.failure;
      await options.onResults(chunk, answered.value);
      pending.shift();
      written -= 1;
      state.progressAtMs = clock.now();
    }
  } finally {
    stream.cancel();
    for (const chunk of pending.slice(0, written)) chunk.wasSent = true;
  }
}

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
    if (read.value === undefined)
      return { ok: false, failure: toLostFailure('the stream ended early') };
    results.push(...read.value.results);
  }
  if (results.length > expected)
    return { ok: false, failure: toLostFailure('too many results came') };
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
