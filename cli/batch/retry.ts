import { WalletServiceService } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { isAboutToken } from '../caller.ts';
import { toCliFailure, type CallFailure } from '../errors.ts';
import { exitCodes, type CliFailure } from '../failures.ts';
import { toOpenFailure, toUnknownOutcome } from '../open-outcome.ts';
import { isBusy, readResults, type AnsweredRow, type TransactionStream } from './answers.ts';
import type { Aside } from './aside.ts';
import { countFitting, maxRows, type ItemRow } from './chunk.ts';
import type { SenderOptions } from './send.ts';

/** Without any progress for so long the run ends; it can be resumed. */
export const patienceMs = 120_000;
/** A wait is looked at so often whether it is still needed. */
const lookMs = 250;

/** What the sending and the retries know of each other. */
export type Shared = {
  readonly aside: Aside;
  progressAtMs: number;
  /** Since when nothing is left to do but what is set aside. */
  blockedSinceMs: number | undefined;
  /** No more retries: the run is over. */
  isOver: boolean;
};

export type Retries = {
  /** Tries what is set aside until nothing is; does nothing if that is under way. */
  start(): void;
  /** Resolves when there is room for more rows that must wait, or no more retries are made. */
  whenRoom(): Promise<void>;
  /** Resolves once nothing is set aside, or gives why it remains so. */
  finish(): Promise<CliFailure | undefined>;
  hasGivenUp(): boolean;
};

/**
 * Tries rows that are set aside again, on streams of their own: one stream refuses all later rows of
 * a wallet that was locked once, so that their order holds. Each user's rows have their own pauses.
 */
export function createRetries(shared: Shared, options: SenderOptions): Retries {
  const { aside } = shared;
  const { clock } = options;
  let running: Promise<void> | undefined;
  let failure: CliFailure | undefined;
  const isStopped = (): boolean => shared.isOver || options.isStopped();
  const isLate = (): boolean =>
    shared.blockedSinceMs !== undefined &&
    clock.now() - Math.max(shared.progressAtMs, shared.blockedSinceMs) > patienceMs;
  const rounds = createRounds(shared, options, isLate);
  const run = async (): Promise<void> => {
    while (aside.size() > 0 && !failure && !isStopped()) {
      const now = clock.now();
      const due = aside.findDue(now);
      if (due.length > 0) failure = await rounds.run(due);
      else if (isLate()) failure = toBusyFailure(aside);
      else await clock.sleep(Math.max(1, Math.min(lookMs, aside.nextDueMs() - now)));
    }
    running = undefined;
  };
  return {
    start: () => {
      if (failure || aside.size() === 0) return;
      running ??= run();
      // Awaited at the end of the run.
      running.catch(() => undefined);
    },
    whenRoom: async () => {
      while (!aside.hasRoom() && !failure && !isStopped()) {
        shared.blockedSinceMs ??= clock.now();
        await Promise.race([running, clock.sleep(lookMs)]);
      }
      shared.blockedSinceMs = undefined;
    },
    finish: async () => {
      shared.blockedSinceMs ??= clock.now();
      await running;
      return failure;
    },
    hasGivenUp: () => failure !== undefined,
  };
}

/** What is told where rows still wait at the end. */
function toBusyFailure(aside: Aside): CliFailure {
  const [rows, wallets] = [aside.size(), aside.wallets()];
  const failure: CliFailure = {
    reason: 'WALLET_BUSY',
    exitCode: exitCodes.unavailable,
    message:
      `${rows === 1 ? '1 row waits' : `${rows} rows wait`} for ` +
      `${wallets === 1 ? 'a wallet that is' : `the wallets of ${wallets} users, which are`} locked ` +
      `by another transaction, row ${aside.first()?.row ?? 0} first; the other rows were sent`,
    hint: 'run the same command again to go on; no row is done twice',
  };
  return aside.isInDoubt() ? toUnknownOutcome(failure) : failure;
}

type Message = { readonly userId: string; readonly rows: readonly ItemRow[] }[];

function createRounds(shared: Shared, options: SenderOptions, isLate: () => boolean) {
  const { aside } = shared;
  const { clock } = options;
  let isRenewed = false;
  let failures = 0;

  /** An equal share for each user, so that one who waits does not keep another from being tried. */
  const takeMessage = (users: readonly string[]): Message => {
    const share = Math.max(1, Math.floor(maxRows / users.length));
    const shares = users.map((userId) => aside.rowsOf(userId).slice(0, share));
    let room = countFitting(shares.flat());
    return users.flatMap((userId, i) => {
      const rows = (shares[i] ?? []).slice(0, room);
      room -= rows.length;
      return rows.length > 0 ? [{ userId, rows }] : [];
    });
  };

  /** Tries one message; gives the users whose rows are to go on at once, or why the stream is over. */
  const tryMessage = async (
    stream: TransactionStream,
    message: Message,
  ): Promise<readonly string[] | CallFailure> => {
    const sent = message.flatMap(({ rows }) => rows);
    await options.onSend(Math.max(...sent.map(({ row }) => row)));
    await stream.write({ items: sent.map(({ item }) => item), dryRun: false });
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
    const free: string[] = [];
    for (const { userId, rows } of message) {
      const left = rows.filter((row) => busy.has(row));
      aside.settle(userId, rows.length, left);
      if (left.length === 0) free.push(userId);
      else aside.postpone(userId, clock.now(), left.length < rows.length);
    }
    if (answered.length > 0) {
      shared.progressAtMs = clock.now();
      await options.onLateResults(answered);
    }
    return free;
  };

  const runOn = async (
    stream: TransactionStream,
    due: readonly string[],
  ): Promise<CallFailure | undefined> => {
    try {
      let users = due;
      for (;;) {
        const message = takeMessage(users);
        if (message.length === 0) break;
        const end = await tryMessage(stream, message);
        if ('certainty' in end) return end;
        const tried = new Set(message.map(({ userId }) => userId));
        users = users.filter((userId) => !tried.has(userId) || end.includes(userId));
        failures = 0;
        if (options.isStopped()) break;
      }
      stream.end();
      const last = await stream.read();
      return last.ok ? undefined : last.failure;
    } finally {
      stream.cancel();
    }
  };

  return {
    /** Tries the rows of these users once, in order; gives a failure that ends the run. */
    run: async (due: readonly string[]): Promise<CliFailure | undefined> => {
      const method = WalletServiceService.streamTransactions;
      const opened = await options.caller.openStream(method, isRenewed);
      if (!opened.ok) return aside.isInDoubt() ? toOpenFailure(opened.failure) : opened.failure;
      const end = opened.value.ok ? await runOn(opened.value.value, due) : opened.value.failure;
      const wasRenewed = isRenewed;
      isRenewed = end !== undefined && isAboutToken(end);
      if (end === undefined) return undefined;
      for (const userId of due) {
        if (aside.rowsOf(userId).length > 0) aside.postpone(userId, clock.now(), false);
      }
      failures += 1;
      const canPass = end.isTransient || end.reason === 'CANCELLED';
      const isHopeless = isRenewed ? wasRenewed && failures > 1 : !canPass;
      if (isHopeless || isLate()) {
        const told = toCliFailure(end, 'write');
        return { ...told, hint: told.hint ?? 'run the same command again to go on' };
      }
      if (shared.blockedSinceMs !== undefined) await options.onRetry(end.message);
      return undefined;
    },
  };
}
