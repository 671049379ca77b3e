import { setTimeout as sleep } from 'node:timers/promises';

import type { Db, Tx } from '../../platform/db/db.ts';
import type { Log } from '../../platform/log.ts';
import { createLoop } from '../../platform/concurrency/loop.ts';
import { describeMailFailure, type Mail, type Mailer } from '../../platform/mail/mail.ts';
import { mailDelayMs, maxMailAgeMs, maxMailDelayMs } from '../domain.ts';
import { createMailProgress, type MailProgress } from '../../platform/progress/mail.ts';
import { describeTrouble } from '../../platform/progress/reasons.ts';
import { unwatched, type ProgressWatch } from '../../platform/progress/watch.ts';
import {
  claimMail,
  correctMailTimes,
  delayMail,
  findOldestMail,
  removeMail,
  type QueuedMail,
} from './store.ts';

export type MailContent = { readonly subject: string; readonly text: string };

/**
 * Writes the text of a mail, in the transaction that claims it; undefined if it is not to be sent
 * any more.
 */
export type ComposeMail = (tx: Tx, mail: QueuedMail) => Promise<MailContent | undefined>;

export type MailQueue = {
  /** There may be a mail; without this it is found within a second. */
  wake(): void;
  start(): void;
  /**
   * Resolves when the mails that are being sent have ended, after 2 s at the latest. What was not
   * sent waits in the database.
   */
  stop(): Promise<void>;
};

/** Renewed while a mail is being sent: another daemon takes over a mail whose sender has died. */
const leaseMs = 60_000;
const pollMs = 1_000;
const correctEveryMs = 60_000;
/** A mail server that does not answer must not hold up the stop of the daemon. */
const stopMs = 2_000;
/** As many as the mailer has connections. */
const senderCount = 2;

type QueueOptions = {
  readonly db: Db;
  readonly mailer: Pick<Mailer, 'send'>;
  readonly log: Log;
  readonly compose: Readonly<Record<string, ComposeMail>>;
  readonly watch?: ProgressWatch | undefined;
};

/**
 * Sends the mails of the table `mails`, each until the mail server has taken it or it is too old.
 */
export function createMailQueue(options: QueueOptions): MailQueue {
  const { db, log, watch = unwatched } = options;
  const part = watch.watchBacklog('auth.mails', () => db.read(findOldestMail));
  const progress = createMailProgress(part);
  const onFailure = (err: unknown): void => part.wait(describeTrouble(err));
  const work = (): Promise<boolean> => sendNextMail(options, progress);
  const senders = Array.from({ length: senderCount }, () =>
    createLoop({ name: 'account mail', work, pollMs, log, onFailure }),
  );
  const correction = createLoop({
    name: 'times of account mail',
    work: async () => {
      const count = await db.tx((tx) => correctMailTimes(tx, maxMailDelayMs));
      if (count > 0) log.warn({ mails: count }, 'mails were due too late: the clock was set back');
      return false;
    },
    pollMs: correctEveryMs,
    log,
  });
  return {
    wake: () => senders.forEach((sender) => sender.wake()),
    start: () => [...senders, correction].forEach((loop) => loop.start()),
    stop: async () => {
      const late = new AbortController();
      await Promise.race([
        Promise.all([...senders, correction].map((loop) => loop.stop())),
        sleep(stopMs, undefined, { signal: late.signal }).catch(() => undefined),
      ]);
      late.abort();
    },
  };
}

/** Sends one mail that is due, and keeps what became of it. False if none is due. */
export async function sendNextMail(
  { db, mailer, log, compose }: QueueOptions,
  progress?: MailProgress,
): Promise<boolean> {
  const claimed = await db.tx(async (tx) => {
    const mail = await claimMail(tx, leaseMs);
    if (!mail) return undefined;
    return { mail, content: await compose[mail.kind]?.(tx, mail) };
  });
  if (!claimed) return false;
  const { mail, content } = claimed;
  const about = { mail: mail.id, kind: mail.kind, tries: mail.attempt };
  if (!content) {
    // A kind of a newer program is left to that program.
    if (compose[mail.kind]) await db.tx((tx) => removeMail(tx, mail));
    else {
      progress?.hold('the mail is of a kind that this version of walletd does not know');
      await keepFailure(db, log, mail, { ...about, isFinal: false, code: 'UNKNOWN_KIND' });
    }
    return true;
  }
  const renewal = setInterval(
    () => void db.tx((tx) => delayMail(tx, mail, leaseMs)).catch(() => undefined),
    leaseMs / 3,
  );
  progress?.begin();
  const failure = await mailer
    .send(toMail(mail, content))
    .then(
      () => progress?.sent(),
      (err: unknown) => {
        progress?.fail(err);
        return describeMailFailure(err);
      },
    )
    .finally(() => clearInterval(renewal));
  if (failure) await keepFailure(db, log, mail, { ...about, ...failure });
  else await db.tx((tx) => removeMail(tx, mail));
  return true;
}

/** The same id at each try, so that a mailbox can tell a second copy. */
const toMail = ({ id, kind, recipient }: QueuedMail, content: MailContent): Mail => ({
  id: `${kind}.${id}`,
  to: recipient,
  ...content,
});

async function keepFailure(
  db: Db,
  log: Log,
  mail: QueuedMail,
  // Without the address, and without the words of the server, which quote it.
  failure: { readonly isFinal: boolean; readonly code: string },
): Promise<void> {
  if (failure.isFinal || mail.ageMs > maxMailAgeMs) {
    log.error(failure, 'a mail was given up');
    await db.tx((tx) => removeMail(tx, mail));
    return;
  }
  log.warn(failure, 'a mail was not sent: it is tried again');
  await db.tx((tx) => delayMail(tx, mail, mailDelayMs(mail.attempt)));
}
