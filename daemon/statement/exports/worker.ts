import type { Db } from '../../platform/db/db.ts';
import type { Log } from '../../platform/log.ts';
import type { Mailer } from '../../platform/mail/mail.ts';
import { createMailProgress } from '../../platform/progress/mail.ts';
import { describeTrouble } from '../../platform/progress/reasons.ts';
import {
  unwatched,
  type Oldest,
  type Part,
  type ProgressWatch,
} from '../../platform/progress/watch.ts';
import type { LedgerPeers } from '../pages/generate.ts';
import { attemptExport, endWithoutFile } from './attempt.ts';
import { maxAttempts, maxRetryDelayMs } from './export-domain.ts';
import { createLoop } from '../../platform/concurrency/loop.ts';
import { sendNextMail } from './mail.ts';
import type { Reporter } from '../witness/record.ts';
import type { FindUser } from './peers.ts';
import { findOldestExport, findOldestMail } from './oldest.ts';
import { expireExport, removeEndedFile } from './store-files.ts';
import * as work from './store-work.ts';

export type WorkerOptions = {
  readonly db: Db;
  readonly peers: LedgerPeers & { readonly findUser: FindUser };
  /** Undefined where no mail server is set. */
  readonly mailer: Pick<Mailer, 'send'> | undefined;
  readonly reporter: Reporter;
  readonly retentionDays: number;
  /** Says that the outbox has something to send. */
  readonly onReady: () => void;
  readonly log: Log;
  readonly watch?: ProgressWatch | undefined;
  /** For tests. */
  readonly leaseMs?: number;
  readonly pollMs?: number;
};

export type ExportWorker = {
  wake(): void;
  start(): void;
  /** Ends at the next page; what is not done is given back. */
  stop(): Promise<void>;
};

/** Another daemon takes an export over at most this long after the last sign of life. */
const defaultLeaseMs = 15_000;
const defaultPollMs = 2_000;
const mailPollMs = 5_000;
const expiryPollMs = 60_000;

/**
 * Writes exports, one at a time in each daemon, mails them, and deletes them when their time is
 * over.
 */
export function createExportWorker(options: WorkerOptions): ExportWorker {
  const { db, log, leaseMs = defaultLeaseMs, pollMs = defaultPollMs, mailer } = options;
  let isStopping = false;
  const reports = watchExports(options);

  const attemptNext = async (): Promise<boolean> => {
    const made = await db.tx((tx) => work.claimExport(tx, leaseMs));
    if (!made) return false;
    const attempt = {
      ...options,
      leaseMs,
      isStopping: () => isStopping,
      onReady,
      progress: reports.exports,
    };
    // Its workers died each time: the last of them has left no word.
    if (made.attempt > maxAttempts)
      await endWithoutFile(attempt, made, 'its workers died each time');
    else await attemptExport(attempt, made);
    return true;
  };
  const progress = reports.mails && createMailProgress(reports.mails);
  const mails = createLoop({
    name: 'export mail',
    work: () =>
      mailer ? sendNextMail(db, mailer, { ...options, progress }) : Promise.resolve(false),
    pollMs: Math.min(pollMs * 2, mailPollMs),
    ...{ log, onFailure: (err: unknown) => reports.mails?.wait(describeTrouble(err)) },
  });
  const rarely = { pollMs: Math.min(pollMs * 30, expiryPollMs), log };
  const removeNext = () => db.tx(removeEndedFile);
  const files = createLoop({ name: 'files of ended exports', work: removeNext, ...rarely });
  const expireNext = async (): Promise<boolean> => {
    const isExpired = (await db.tx(expireExport)) !== undefined;
    if (isExpired) files.wake();
    return isExpired;
  };
  const onReady = (): void => {
    options.onReady();
    mails.wake();
    files.wake();
  };
  const loops = [
    createLoop({
      ...{ name: 'exports', work: attemptNext, pollMs, log },
      onFailure: (err) => reports.exports.wait(describeTrouble(err)),
    }),
    mails,
    createLoop({ name: 'export expiry', work: expireNext, ...rarely }),
    files,
    createLoop({
      name: 'times of exports',
      work: async () => {
        const maxDelayMs = 2 * Math.max(leaseMs, maxRetryDelayMs);
        const exports = await db.tx((tx) => work.correctExportTimes(tx, maxDelayMs));
        if (exports > 0) log.warn({ exports }, 'exports were due too late: the clock was set back');
        return false;
      },
      ...rarely,
    }),
  ];
  return {
    wake: () => loops[0]?.wake(),
    start: () => loops.forEach((loop) => loop.start()),
    stop: async () => {
      isStopping = true;
      await Promise.all(loops.map((loop) => loop.stop()));
    },
  };
}

type Reports = { readonly exports: Pick<Part, 'wait'>; readonly mails?: Pick<Part, 'wait'> };

/** Without a mail server no mail waits. */
function watchExports({ db, mailer, watch = unwatched }: WorkerOptions): Reports {
  // One look at a time: while the table is locked, they must not use up the workers' connections.
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = (look: typeof findOldestExport) => (): Promise<Oldest | undefined> => {
    const turn = last.then(() => db.read(look));
    last = turn.catch(() => undefined);
    return turn;
  };
  const exports = watch.watchBacklog('statement.exports', inTurn(findOldestExport));
  if (!mailer) return { exports };
  const mails = watch.watchBacklog('statement.export-mails', inTurn(findOldestMail));
  return { exports, mails };
}
