import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

import {
  contentTypeOf,
  statementFileName,
  type ExportLocale,
} from '../../../core/statement-format/index.ts';
import { createZoneClock, formatZonedInstant } from '../../../core/zone-clock.ts';
import type { Db } from '../../platform/db.ts';
import type { Log } from '../../platform/log.ts';
import { describeMailFailure, type Mail, type Mailer } from '../../platform/mail.ts';
import type { MailProgress } from '../../platform/progress/mail.ts';
import { mailDelayMs, maxMailAttempts, type Export } from './domain.ts';
import type { FindUser } from './peers.ts';
import { readWholeFile } from './read-file.ts';
import { claimMail, settleMail, type Mailing } from './store-work.ts';

export type MailOptions = {
  readonly peers: { readonly findUser: FindUser };
  readonly log: Log;
  readonly progress?: MailProgress | undefined;
};

/** A file up to here is attached as it is; a larger one is compressed. */
const plainLimitBytes = 10_000_000;
/** Attachments past this, as they are sent, are refused by too many mail servers. */
const attachmentLimitBytes = 20_000_000;

/** What becomes of so many bytes in a mail: base64, in lines of 76 characters with their ends. */
export function mailedBytesOf(bytes: number): number {
  const characters = 4 * Math.ceil(bytes / 3);
  return characters + 2 * Math.ceil(characters / 76);
}
/** Longer than a mail server may be silent, since it is renewed while a mail is being sent. */
const leaseMs = 60_000;

/** Sends one mail that waits, and keeps what became of it. False if none waits. */
export async function sendNextMail(
  db: Db,
  mailer: Pick<Mailer, 'send'>,
  { peers, log, progress }: MailOptions,
): Promise<boolean> {
  const mailing = await db.tx((tx) => claimMail(tx, leaseMs));
  if (!mailing) return false;
  const keep = (state: 'waiting' | 'sent' | 'failed', failure: string | undefined, delayMs = 0) =>
    db.tx((tx) => settleMail(tx, mailing, { state, failure, delayMs }));
  const renewal = setInterval(
    () => void keep('waiting', undefined, leaseMs).catch(() => undefined),
    leaseMs / 3,
  );
  try {
    const recipient = await findRecipient(peers.findUser, mailing.made);
    if ('refusal' in recipient) await keep('failed', recipient.refusal);
    else {
      progress?.begin();
      await sendAnySize(db, mailer, mailing.made, recipient.email);
      progress?.sent();
      await keep('sent', undefined);
      log.info({ exportId: mailing.made.id }, 'export mailed');
    }
  } catch (err) {
    const problem = describeMailFailure(err);
    progress?.fail(err);
    log.warn({ ...problem, exportId: mailing.made.id }, 'an export was not mailed');
    await keepFailure(keep, mailing, problem.isFinal);
  } finally {
    clearInterval(renewal);
  }
  return true;
}

/** What a server answers to a mail that is too large for it (RFC 1870, RFC 5321, RFC 3463). */
const tooLargeReplies: ReadonlySet<number | undefined> = new Set([523, 552]);

/** A server that takes no mail of this size gets one that says where the file is. */
async function sendAnySize(
  db: Db,
  mailer: Pick<Mailer, 'send'>,
  made: Export,
  to: string,
): Promise<void> {
  const mail = await composeMail(db, made, to);
  try {
    await mailer.send(mail);
  } catch (err) {
    const hasAttachment = (mail.attachments ?? []).length > 0;
    if (!hasAttachment || !tooLargeReplies.has(describeMailFailure(err).response)) throw err;
    await mailer.send({ ...baseOf(made, to), ...wordingOf(made, 'too-large'), attachments: [] });
  }
}

async function keepFailure(
  keep: (state: 'waiting' | 'failed', failure: string, delayMs?: number) => Promise<void>,
  { mailAttempt }: Mailing,
  isFinal: boolean,
): Promise<void> {
  const failure = isFinal
    ? 'the mail server refused the mail'
    : 'the mail server could not be reached, or did not take the mail';
  if (isFinal || mailAttempt >= maxMailAttempts) await keep('failed', failure);
  else await keep('waiting', failure, mailDelayMs(mailAttempt));
}

/** The owner's own address, as the auth service knows it now. */
async function findRecipient(
  findUser: FindUser,
  { userId }: Export,
): Promise<{ readonly email: string } | { readonly refusal: string }> {
  const owner = await findUser(userId);
  if (!owner) return { refusal: 'the wallet’s owner is unknown' };
  if (owner.isDisabled) return { refusal: 'the owner’s account is disabled' };
  if (!owner.isEmailVerified) return { refusal: 'the owner’s address is not verified' };
  return { email: owner.email };
}

/** The same id at each try, so that a mailbox can tell a second copy. */
const baseOf = (made: Export, to: string) => ({ to, id: `export.${made.id}` });

async function composeMail(db: Db, made: Export, to: string): Promise<Mail> {
  const filename = statementFileName(made.format, { currency: made.currency, ...made.range });
  const open = (): Readable => Readable.from(readWholeFile(db, made));
  const bytes = made.byteCount ?? 0n;
  const base = baseOf(made, to);
  if (bytes <= plainLimitBytes) {
    const attachment = { filename, content: open(), contentType: contentTypeOf(made.format) };
    return { ...base, ...wordingOf(made, 'attached'), attachments: [attachment] };
  }
  // Written twice rather than kept: its size has to be known before it is offered.
  const compressedBytes = await countBytes(open());
  if (mailedBytesOf(compressedBytes) > attachmentLimitBytes) {
    return { ...base, ...wordingOf(made, 'too-large'), attachments: [] };
  }
  const content = compress(open());
  const attachment = { filename: `${filename}.gz`, content, contentType: 'application/gzip' };
  return { ...base, ...wordingOf(made, 'attached'), attachments: [attachment] };
}

function compress(file: Readable): Readable {
  const gzip = createGzip();
  file.on('error', (err) => gzip.destroy(err));
  return file.pipe(gzip);
}

async function countBytes(file: Readable): Promise<number> {
  let bytes = 0;
  await pipeline(file, createGzip(), async (parts: AsyncIterable<Buffer>) => {
    for await (const part of parts) bytes += part.length;
  });
  return bytes;
}

type Wording = { readonly subject: string; readonly text: string };

/** Says which wallet and which time, and no amounts: mail is read by others on its way. */
function wordingOf(made: Export, kind: 'attached' | 'too-large'): Wording {
  const { range, currency, id } = made;
  const offsetOf = createZoneClock(range.timezone);
  const day = (instantMs: number): string =>
    formatZonedInstant(instantMs, offsetOf(instantMs)).slice(0, 16).replace('T', ' ');
  const from = day(range.fromMs);
  const to = day(range.toMs);
  return texts[made.locale](kind, {
    currency,
    span: [from, to],
    timezone: range.timezone,
    command: `wallet exports download ${id}`,
    sha256: made.sha256?.toString('hex') ?? '',
  });
}

type Facts = {
  readonly currency: string;
  readonly span: readonly [string, string];
  readonly timezone: string;
  readonly command: string;
  readonly sha256: string;
};

const texts: Readonly<
  Record<ExportLocale, (kind: 'attached' | 'too-large', facts: Facts) => Wording>
> = {
  en: (kind, { currency, span: [from, to], timezone, command, sha256 }) => ({
    subject: `Your ${currency} statement, ${from.slice(0, 10)} to ${to.slice(0, 10)}`,
    text: [
      `The statement of your ${currency} wallet from ${from} to ${to} (not included), ${timezone}.`,
      kind === 'attached' ? 'It is attached.' : 'It is too large for a mail.',
      `To fetch it: ${command}`,
      `SHA-256 of the file: ${sha256}`,
      '',
    ].join('\n'),
  }),
  'pt-BR': (kind, { currency, span: [from, to], timezone, command, sha256 }) => ({
    subject: `Seu extrato em ${currency}, de ${toBrazilian(from)} a ${toBrazilian(to)}`,
    text: [
      `O extrato da sua carteira em ${currency}, de ${toBrazilian(from)} ${from.slice(11)} ` +
        `até ${toBrazilian(to)} ${to.slice(11)} (exclusive), ${timezone}.`,
      kind === 'attached' ? 'Ele está anexado.' : 'Ele é grande demais para um e-mail.',
      `Para baixá-lo: ${command}`,
      `SHA-256 do arquivo: ${sha256}`,
      '',
    ].join('\n'),
  }),
};

const toBrazilian = (time: string): string =>
  `${time.slice(8, 10)}/${time.slice(5, 7)}/${time.slice(0, 4)}`;
