import type {
  StreamTransactionsRequest,
  StreamTransactionsResponse,
  TransactionResult,
} from '../../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  toCliFailure,
  toLostFailure,
  transientReasons,
  type CallFailure,
} from '../../../rpc/errors.ts';
import type { CliFailure } from '../../../outcome.ts';
import { toOpenFailure } from '../../../rpc/in-doubt.ts';
import type { MessageStream } from '../../../rpc/stream.ts';
import type { ItemRow, PreparedRow } from '../rows/chunk.ts';

export type TransactionStream = MessageStream<
  StreamTransactionsRequest,
  StreamTransactionsResponse
>;

/**
 * What is known of a row: what the server said, or that nothing was sent since the row is wrong.
 */
export type AnsweredRow = { readonly row: PreparedRow; readonly answer?: TransactionResult };

export type Answered =
  | { readonly ok: true; readonly value: readonly TransactionResult[] }
  | { readonly ok: false; readonly failure: CallFailure };

const lost = (message: string): Answered => ({ ok: false, failure: toLostFailure(message) });

const reasonOf = ({ outcome }: TransactionResult): string | undefined =>
  outcome?.$case === 'refusal' ? outcome.value.reason : undefined;

/** True where the wallet was locked by another transaction: nothing was done. */
export const isBusy = (answer: TransactionResult | undefined): boolean =>
  answer !== undefined && reasonOf(answer) === 'WALLET_BUSY';

/** True where a dry run had no room for the row: nothing is known of it. */
export function isPastDryRun(answer: TransactionResult | undefined): boolean {
  if (answer?.outcome?.$case !== 'refusal') return false;
  const { reason, metadata } = answer.outcome.value;
  const isLimit = metadata['field'] === 'items' && metadata['limit'] !== undefined;
  return reason === 'INVALID_ARGUMENT' && isLimit;
}

/**
 * The results of the rows of one message. A refusal among them that will pass fails it as a whole,
 * unless it concerns one wallet alone and `mayBeBusy`.
 */
export async function readResults(
  stream: TransactionStream,
  sent: readonly ItemRow[],
  options: { readonly timeoutMs: number; readonly mayBeBusy: boolean },
): Promise<Answered> {
  const results: TransactionResult[] = [];
  while (results.length < sent.length) {
    const read = await readInTime(stream, options.timeoutMs);
    if (!read.ok) return read;
    if (read.value === undefined) return lost('the stream ended early');
    results.push(...read.value.results);
  }
  if (results.length > sent.length) return lost('too many results came');
  for (const result of results) {
    const { outcome } = result;
    if (outcome?.$case !== 'refusal' || (options.mayBeBusy && isBusy(result))) continue;
    const { reason, message, metadata } = outcome.value;
    if (!(transientReasons as ReadonlySet<string>).has(reason)) continue;
    return { ok: false, failure: { ...toLostFailure(message), certainty: 'refused', metadata } };
  }
  return { ok: true, value: results };
}

/** Asks for the ledger position from before any row is sent, or gives why the stream is over. */
export async function askPosition(
  stream: TransactionStream,
  timeoutMs: number,
): Promise<{ readonly position: string } | CallFailure> {
  await stream.write({ items: [], dryRun: false, withPosition: true });
  const read = await readInTime(stream, timeoutMs);
  if (!read.ok) return read.failure;
  const position = read.value?.ledgerPosition;
  return position === undefined ? toLostFailure('the stream ended early') : { position };
}

/** The time for one request separates a server that hangs from one that is busy. */
async function readInTime(stream: TransactionStream, timeoutMs: number) {
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

/** Well below the time after which a server ends an idle stream. */
const keepOpenMs = 20_000;

/**
 * While there is nothing to send: `message` once the server says something, which can only be the
 * end of the stream. A dry run is over with its stream, so it is kept open by an empty message, and
 * has empty answers: then `time`, when the next is due.
 */
export function waitForServer(stream: PeekStream, isDryRun: boolean): Promise<'message' | 'time'> {
  const message = stream.peek().then(() => 'message' as const);
  if (!isDryRun) return message;
  const time = new Promise<'time'>((resolve) => {
    setTimeout(() => resolve('time'), keepOpenMs).unref();
  });
  return Promise.race([message, time]);
}

export type PeekStream = TransactionStream & {
  /** The next message, which `read` gives again. */
  peek(): ReturnType<TransactionStream['read']>;
};

/** A stream of which the next message can be looked at before it is read. */
export function withPeek(stream: TransactionStream): PeekStream {
  let ahead: ReturnType<TransactionStream['read']> | undefined;
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

/** Why a run ends; `isInDoubt`: of some row that was sent no outcome is known. */
export function toEnd(failure: CallFailure, isInDoubt: boolean): CliFailure {
  const refusal = toCliFailure(failure, 'write');
  const end = isInDoubt ? toOpenFailure(refusal) : refusal;
  return { ...end, hint: end.hint ?? 'run the same command again to continue' };
}
