import { WalletServiceService } from '../../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { isAboutToken } from '../../../rpc/caller.ts';
import { toCliFailure, toLostFailure, type CallFailure } from '../../../rpc/errors.ts';
import { toOpenFailure } from '../../../rpc/in-doubt.ts';
import { succeed, type CliFailure, type Outcome } from '../../../outcome.ts';
import {
  askPosition,
  isBusy,
  readResults,
  toEnd,
  waitForServer,
  withPeek,
  type Answered,
  type AnsweredRow,
  type TransactionStream,
} from './answers.ts';
import { createDeferredRows } from './deferred-rows.ts';
import { isItemRow, type Chunk, type ItemRow } from '../rows/chunk.ts';
import { createRetries, type Retries } from './retry.ts';
import { patienceMs, toSentItem, type SenderOptions, type Shared } from './sender.ts';

/** Chunks in flight: as many as the server works on, and some in transit. */
const maxInFlight = 6;
const maxPauseMs = 5_000;
const maxFirstFailures = 2;

/** A chunk without an answer: which of its rows were written to the stream, and which must wait. */
type Pending = { readonly chunk: Chunk; sent: ItemRow[]; blocked: Set<ItemRow> };

/** What outlives a stream: the rows without an answer, and the input that is being waited for. */
type State = {
  readonly pending: Pending[];
  readonly shared: Shared;
  readonly retries: Retries;
  input: Promise<Chunk | undefined> | undefined;
  isAtEnd: boolean;
  answered: number;
};

/**
 * Sends chunks through a stream and gives their results in order. After a loss, or a refusal that
 * will pass, everything that has no answer yet goes again from there on, in order and under the
 * same keys; so nothing is done twice, and no row overtakes an earlier one of its wallet. A stream
 * that the server ends while the input has no rows is opened again with the next of them. Rows of a
 * wallet that is locked are deferred and tried again beside the others (retry.ts).
 */
export async function sendChunks(options: SenderOptions): Promise<Outcome<undefined>> {
  const progressAtMs = options.clock.elapsed();
  const shared: Shared = {
    ...{ deferred: createDeferredRows(), progressAtMs, blockedSinceMs: undefined, isOver: false },
    position: options.position,
  };
  const retries = createRetries(shared, options);
  const state: State = {
    ...{ pending: [], shared, retries, input: undefined, isAtEnd: false, answered: 0 },
  };
  try {
    const sent = await sendAll(state, options);
    shared.isOver = !sent.ok;
    const failure = await retries.finish();
    return failure && sent.ok ? { ok: false, failure } : sent;
  } catch (error) {
    shared.isOver = true;
    await retries.finish().catch(() => undefined);
    throw error;
  }
}

async function sendAll(state: State, options: SenderOptions): Promise<Outcome<undefined>> {
  const { clock } = options;
  const { pending, shared } = state;
  let isRenewed = false;
  for (let failures = 0; ;) {
    const opened = await options.caller.openStream(
      WalletServiceService.streamTransactions,
      isRenewed,
    );
    if (!opened.ok) return isInDoubt(state, options) ? toDoubtful(opened.failure) : opened;
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
    // Before anything was sent there is no reason to wait for a server that is not there.
    const isLate =
      clock.elapsed() - shared.progressAtMs > patienceMs ||
      (failures >= maxFirstFailures && !pending.some(({ chunk }) => isSent(chunk)));
    if (isHopeless || isLate || (options.isDryRun && hasProgress)) {
      const failure = options.isDryRun
        ? toCliFailure(end, 'read')
        : toEnd(end, isInDoubt(state, options));
      return { ok: false, failure };
    }
    isRenewed = isTokenRefused;
    failures += 1;
    if (end.reason !== 'STREAM_IDLE') await options.onRetry(end.message);
    await clock.sleep(Math.min(maxPauseMs, 100 * 2 ** failures) * (0.75 + Math.random() * 0.25));
  }
}

/** Some row was sent, and of some of those no outcome is known. */
const isInDoubt = ({ pending, shared }: State, { isDryRun }: SenderOptions): boolean =>
  !isDryRun && (pending.some(({ chunk }) => isSent(chunk)) || shared.deferred.isInDoubt());

/** Why no stream can be opened again: what was sent before is open. */
const toDoubtful = (failure: CliFailure): Outcome<undefined> => {
  const message = failure.message.replace(/; nothing was sent\b/, '');
  return { ok: false, failure: toOpenFailure({ ...failure, message }) };
};

const isSent = ({ rows }: Chunk): boolean => rows.some((row) => isItemRow(row) && row.wasSent);

/**
 * Asks for the next chunk, unless that is under way; rejects where the input cannot be read. There
 * is none where too many rows wait for their wallets.
 */
function askForInput(state: State, options: SenderOptions): Promise<Chunk | undefined> {
  if (!state.input) {
    state.input = state.retries
      .whenRoom()
      .then(() => (state.retries.hasGivenUp() ? undefined : options.next()));
    // Awaited later, if at all; a failure must not count as unhandled until then.
    state.input.catch(() => undefined);
  }
  return state.input;
}

/**
 * Waits for the next chunk. Time in which there was nothing to send is no time without progress.
 */
async function takeInput(state: State, options: SenderOptions): Promise<void> {
  const chunk = await askForInput(state, options);
  state.input = undefined;
  if (state.pending.length === 0) state.shared.progressAtMs = options.clock.elapsed();
  if (chunk) state.pending.push({ chunk, sent: [], blocked: new Set() });
  else state.isAtEnd = true;
}

/**
 * One stream to its end: `done` once all is answered, `rested` where the server ended it while
 * there was nothing to send, otherwise why it has to go again.
 */
async function runStream(
  opened: TransactionStream,
  state: State,
  options: SenderOptions,
): Promise<'done' | 'rested' | CallFailure> {
  const { clock, isDryRun, timeoutMs } = options;
  const { pending, shared } = state;
  const stream = withPeek(opened);
  let written = 0;
  let answer: Promise<Answered> | undefined;
  try {
    if (!isDryRun && shared.position === undefined) {
      const asked = await askPosition(stream, timeoutMs);
      if ('certainty' in asked) return asked;
      await options.onPosition(asked.position);
      shared.position = asked.position;
    }
    for (;;) {
      for (let next = pending[written]; next; next = pending[written]) {
        await writeChunk(stream, next, shared, options);
        written += 1;
      }
      const [first] = pending;
      if (!first && state.isAtEnd) {
        stream.end();
        const last = await stream.read();
        return last.ok ? 'done' : last.failure;
      }
      if (first) answer ??= readResults(stream, first.sent, { timeoutMs, mayBeBusy: !isDryRun });
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
        pending.shift();
        written -= 1;
        state.answered += 1;
        shared.progressAtMs = clock.elapsed();
        await takeResults(first, event.value, state, options);
      }
    }
  } finally {
    stream.cancel();
    for (const entry of pending) {
      for (const row of entry.sent) row.wasSent = true;
      for (const row of entry.blocked) shared.deferred.release(row);
      Object.assign(entry, { sent: [], blocked: new Set() });
    }
  }
}

/** Writes the rows of a chunk, but for those of wallets of which earlier rows wait. */
async function writeChunk(
  stream: TransactionStream,
  entry: Pending,
  shared: Shared,
  options: SenderOptions,
): Promise<void> {
  const { deferred } = shared;
  for (const row of entry.chunk.rows) {
    if (!isItemRow(row)) continue;
    if (!deferred.mustWait(row)) {
      entry.sent.push(row);
      continue;
    }
    deferred.block(row);
    entry.blocked.add(row);
  }
  const last = entry.sent.at(-1);
  if (!last) return;
  if (entry.sent.some(({ wasSent }) => !wasSent)) await options.onSend(last.row);
  const items = entry.sent.map((row) => (options.isDryRun ? row.item : toSentItem(row, shared)));
  await stream.write({ items, dryRun: options.isDryRun });
}

/**
 * Hands on what became of a chunk's rows; those whose wallets are locked, or that follow such,
 * wait.
 */
async function takeResults(
  { chunk, sent, blocked }: Pending,
  answers: Extract<Answered, { ok: true }>['value'],
  { shared: { deferred }, retries }: State,
  options: SenderOptions,
): Promise<void> {
  const nowMs = options.clock.elapsed();
  const answered: AnsweredRow[] = [];
  const waiting: ItemRow[] = [];
  const busy: ItemRow[] = [];
  let next = 0;
  for (const row of chunk.rows) {
    if (!isItemRow(row)) {
      answered.push({ row });
      continue;
    }
    const isBlocked = blocked.has(row);
    const answer = isBlocked ? undefined : answers[next++];
    if (!options.isDryRun && isBusy(answer)) {
      deferred.block(row);
      busy.push(row);
    } else if (!isBlocked) {
      answered.push({ row, ...(answer && { answer }) });
      continue;
    }
    deferred.enqueue(row, nowMs);
    waiting.push(row);
  }
  if (next !== sent.length) throw new Error('the answers are not those of the rows');
  if (!chunk.isLate) await options.onResults(chunk, answered, waiting);
  else if (answered.length > 0) await options.onLateResults(answered);
  for (const row of busy) await options.onBusy(row);
  retries.start();
}
