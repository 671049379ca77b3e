import { WalletServiceService } from '../../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { isAboutToken } from '../../../rpc/caller.ts';
import type { CallFailure } from '../../../rpc/errors.ts';
import type { CliFailure } from '../../../outcome.ts';
import { toOpenFailure } from '../../../rpc/in-doubt.ts';
import { isBusy, readResults, toEnd, type AnsweredRow, type TransactionStream } from './answers.ts';
import type { DeferredRows } from './deferred-rows.ts';
import { countFitting, maxRows, type ItemRow } from '../rows/chunk.ts';
import { toSentItem, type SenderOptions, type Shared } from './sender.ts';

/** What the rounds know of each other. */
export type Round = {
  readonly shared: Shared;
  readonly options: SenderOptions;
  readonly isLate: () => boolean;
  /** The last stream was refused for its token: the next takes a new one. */
  isRenewed: boolean;
  /** Rounds without an answer, in a row. */
  failures: number;
};

type Message = { readonly userId: string; readonly rows: readonly ItemRow[] }[];

/**
 * Tries the rows of these users on a stream of its own, each user's in order and up to the first
 * that is refused; gives a failure that ends the run.
 */
export async function runRound(
  round: Round,
  due: readonly string[],
): Promise<CliFailure | undefined> {
  const { shared, options } = round;
  const { deferred } = shared;
  const wasRenewed = round.isRenewed;
  const method = WalletServiceService.streamTransactions;
  const opened = await options.caller.openStream(method, wasRenewed);
  if (!opened.ok) return deferred.isInDoubt() ? toOpenFailure(opened.failure) : opened.failure;
  const end = opened.value.ok ? await runOn(round, opened.value.value, due) : opened.value.failure;
  round.isRenewed = end !== undefined && isAboutToken(end);
  if (end === undefined) return undefined;
  for (const userId of due) {
    if (deferred.rowsOf(userId).length > 0)
      deferred.postpone(userId, options.clock.elapsed(), false);
  }
  round.failures += 1;
  const canPass = end.isTransient || end.reason === 'CANCELLED';
  const isHopeless = round.isRenewed ? wasRenewed && round.failures > 1 : !canPass;
  if (isHopeless || round.isLate()) return toEnd(end, deferred.isInDoubt());
  // Otherwise the main stream has the same trouble, and says so.
  if (shared.blockedSinceMs !== undefined) await options.onRetry(end.message);
  return undefined;
}

async function runOn(
  round: Round,
  stream: TransactionStream,
  due: readonly string[],
): Promise<CallFailure | undefined> {
  try {
    let users = due;
    for (;;) {
      const message = takeMessage(round.shared.deferred, users);
      if (message.length === 0) break;
      const end = await tryMessage(round, stream, message);
      if ('certainty' in end) return end;
      const tried = new Set(message.map(({ userId }) => userId));
      users = users.filter((userId) => !tried.has(userId) || end.includes(userId));
      round.failures = 0;
      if (round.options.isStopped()) break;
    }
    stream.end();
    const last = await stream.read();
    return last.ok ? undefined : last.failure;
  } finally {
    stream.cancel();
  }
}

/** An equal share for each user, so that one who waits does not keep another from being tried. */
function takeMessage(deferred: DeferredRows, users: readonly string[]): Message {
  const share = Math.max(1, Math.floor(maxRows / users.length));
  const shares = users.map((userId) => deferred.rowsOf(userId).slice(0, share));
  let room = countFitting(shares.flat());
  return users.flatMap((userId, i) => {
    const rows = (shares[i] ?? []).slice(0, room);
    room -= rows.length;
    return rows.length > 0 ? [{ userId, rows }] : [];
  });
}

/**
 * Tries one message; gives the users whose rows are to go on at once, or why the stream is over.
 */
async function tryMessage(
  { shared, options }: Round,
  stream: TransactionStream,
  message: Message,
): Promise<readonly string[] | CallFailure> {
  const { deferred } = shared;
  const sent = message.flatMap(({ rows }) => rows);
  await options.onSend(Math.max(...sent.map(({ row }) => row)));
  await stream.write({ items: sent.map((row) => toSentItem(row, shared)), dryRun: false });
  const read = await readResults(stream, sent, { ...options, mayBeBusy: true });
  if (!read.ok) {
    for (const row of sent) row.wasSent = true;
    return read.failure;
  }
  const answered: AnsweredRow[] = [];
  const busy = new Set<ItemRow>();
  sent.forEach((row, i) => {
    const answer = read.value[i];
    if (isBusy(answer)) busy.add(row);
    else answered.push({ row, ...(answer && { answer }) });
  });
  const nowMs = options.clock.elapsed();
  const free: string[] = [];
  for (const { userId, rows } of message) {
    const left = rows.filter((row) => busy.has(row));
    deferred.finish(userId, rows, left);
    if (left.length === 0) free.push(userId);
    else deferred.postpone(userId, nowMs, left.length < rows.length);
  }
  if (answered.length > 0) {
    shared.progressAtMs = nowMs;
    await options.onLateResults(answered);
  }
  return free;
}
