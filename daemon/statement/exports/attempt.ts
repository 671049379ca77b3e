import type { Rejection } from '../../../core/reasons.ts';
import type { Db } from '../../platform/db/db.ts';
import type { Log } from '../../platform/log.ts';
import { appendOutbox } from '../../platform/outbox/relay.ts';
import { describeTrouble } from '../../platform/progress/reasons.ts';
import type { Part } from '../../platform/progress/watch.ts';
import { cutToPast, type Head } from '../domain.ts';
import { generate, type LedgerPeers } from '../pages/generate.ts';
import { toReadyMessage } from '../projection/messages.ts';
import { maxAttempts, retryDelayMs, type Export } from './export-domain.ts';
import type { FindUser } from './peers.ts';
import type { Reporter } from '../witness/record.ts';
import { pruneChunks } from './store-files.ts';
import * as work from './store-work.ts';
import { abandoned, writeFile, type WrittenFile } from './write-file.ts';

export type AttemptOptions = {
  readonly db: Db;
  readonly peers: LedgerPeers & { readonly findUser: FindUser };
  readonly reporter: Reporter;
  readonly retentionDays: number;
  readonly leaseMs: number;
  readonly isStopping: () => boolean;
  readonly onReady: () => void;
  readonly log: Log;
  readonly progress?: Pick<Part, 'wait'>;
};

type Outcome =
  | { readonly kind: 'done'; readonly file: WrittenFile }
  /** Again later: what is in the way may pass. */
  | { readonly kind: 'later'; readonly failure: string }
  | { readonly kind: 'failed' | 'inconsistent'; readonly failure: string }
  | { readonly kind: 'abandoned' };

const later = (failure: string): Outcome => ({ kind: 'later', failure });
const inconsistent = (failure: string): Outcome => ({ kind: 'inconsistent', failure });
const failed = (failure: string): Outcome => ({ kind: 'failed', failure });

/**
 * One attempt at an export that has been claimed: who, what, the file, and the end of it. The lease
 * is renewed until then; losing it ends the attempt without any effect.
 */
export async function attemptExport(options: AttemptOptions, made: Export): Promise<void> {
  const { db, leaseMs, log } = options;
  let isLost = false;
  const renewal = setInterval(() => {
    db.tx((tx) => work.renewExport(tx, made, leaseMs)).then(
      (isHeld) => (isLost ||= !isHeld),
      (err: unknown) => log.warn({ err, exportId: made.id }, 'the lease was not renewed'),
    );
  }, leaseMs / 3);
  const isWanted = (): boolean => !isLost && !options.isStopping();
  try {
    // What earlier attempts have left would only lie there.
    await pruneChunks(db, made.id, made.attempt);
    const outcome = await makeFile(options, made, isWanted).catch((err: unknown): Outcome => {
      log.error({ err, exportId: made.id, attempt: made.attempt }, 'an export was not written');
      options.progress?.wait(describeTrouble(err));
      return later('something went wrong on the server: it is in the log under the export’s id');
    });
    await complete(options, made, outcome);
  } finally {
    clearInterval(renewal);
  }
}

async function makeFile(
  options: AttemptOptions,
  made: Export,
  isWanted: () => boolean,
): Promise<Outcome> {
  const { db, peers, reporter } = options;
  const refusal = await findRefusal(peers.findUser, made);
  if (refusal) return refusal;
  const end = await findEnd(peers, made);
  if ('kind' in end) return end;
  const { throughSeq, range, head } = end;
  // Pinned before anything is read: a later attempt must not take in more.
  if (!(await db.tx((tx) => work.pinExport(tx, made, end, made.rowCount)))) {
    return { kind: 'abandoned' };
  }
  const wallet = { id: made.walletId, userId: made.userId, currency: made.currency };
  const read = { peers, reporter, head, throughSeq, neededSeq: throughSeq, areLinksLeft: true };
  const { extent, completeness } = await generate(db, wallet, range, read);
  if (!completeness.isComplete) {
    const { inconsistency, behindBy } = completeness;
    if (inconsistency !== undefined) return inconsistent(inconsistency);
    if (behindBy === undefined) return later('the wallet service is unavailable');
    return later(`incomplete: the statement is ${behindBy} transactions behind`);
  }
  const lines = extent.closingSeq - extent.openingSeq;
  const rows = made.hasHolds ? lines : lines - extent.holdCount;
  if (!(await db.tx((tx) => work.pinExport(tx, made, end, rows)))) {
    return { kind: 'abandoned' };
  }
  const cut = { ...made, range };
  const file = await writeFile({ db, leaseMs: options.leaseMs, isWanted }, cut, extent);
  if (file === abandoned) return { kind: 'abandoned' };
  if ('found' in file) return inconsistent(await reporter.report(wallet.id, file.found));
  return { kind: 'done', file };
}

/** Who asked may have lost the right since; whose wallet it is must exist. */
async function findRefusal(findUser: FindUser, made: Export): Promise<Outcome | undefined> {
  try {
    const requester = await findUser(made.requestedBy);
    if (!requester) return failed('who asked for it is unknown');
    if (requester.isDisabled) return failed('the account that asked for it is disabled');
    if (made.requestedBy === made.userId) return undefined;
    if (requester.role === 'customer') return failed('who asked for it is no longer staff');
    return (await findUser(made.userId)) ? undefined : failed('the wallet’s owner is unknown');
  } catch {
    return later('the auth service is unavailable');
  }
}

/** Where the statement ends. An end in the future is cut to now: it would not stay true. */
async function findEnd(
  peers: LedgerPeers,
  made: Export,
): Promise<(work.End & { readonly head: Head }) | Outcome> {
  const { throughSeq, range } = made;
  try {
    const head = await peers.readHead(made.userId, made.currency);
    if (!head.ok) return toOutcome(head.rejection);
    if (throughSeq !== undefined) return { throughSeq, range, head: head.value };
    const cut = cutToPast(range, head.value);
    if (!cut.ok) return failed(cut.rejection.message);
    return { throughSeq: head.value.seq, range: cut.value, head: head.value };
  } catch {
    return later('the wallet service is unavailable');
  }
}

/** What the ledger's refusal makes of an export. */
function toOutcome({ reason, message }: Rejection): Outcome {
  if (reason === 'WALLET_BUSY') return later(message);
  return reason === 'WALLET_CORRUPT' ? inconsistent(`in the ledger ${message}`) : failed(message);
}

async function complete(options: AttemptOptions, made: Export, outcome: Outcome): Promise<void> {
  const { db, log } = options;
  const { attempt } = made;
  switch (outcome.kind) {
    case 'done':
      await db.tx(async (tx) => {
        const { file } = outcome;
        if (!(await work.finishExport(tx, made, file, options.retentionDays))) return;
        await appendOutbox(tx, [toReadyMessage(made.id, made.userId, 'done')]);
        log.info({ exportId: made.id, attempt, rows: Number(file.rows) }, 'export written');
      });
      options.onReady();
      return;
    case 'later': {
      if (attempt < maxAttempts) {
        const delayMs = retryDelayMs(attempt);
        await db.tx((tx) => work.releaseExport(tx, made, outcome.failure, delayMs));
        return;
      }
      await endWithoutFile(options, made, outcome.failure);
      return;
    }
    case 'failed':
    case 'inconsistent':
      await endWithoutFile(options, made, outcome.failure, outcome.kind);
      return;
    case 'abandoned':
      // Given back if the daemon stops; if it was taken over, this changes nothing.
      await db.tx((tx) => work.releaseExport(tx, made, made.failure, 0));
  }
}

/** Ends an export permanently, and publishes its end. */
export async function endWithoutFile(
  options: Pick<AttemptOptions, 'db' | 'log' | 'onReady'>,
  made: Export,
  failure: string,
  status: 'failed' | 'inconsistent' = 'failed',
): Promise<void> {
  await options.db.tx(async (tx) => {
    if (!(await work.failExport(tx, made, failure, status))) return;
    await appendOutbox(tx, [toReadyMessage(made.id, made.userId, 'failed')]);
    options.log.warn({ exportId: made.id, failure }, 'an export has failed');
  });
  options.onReady();
}
