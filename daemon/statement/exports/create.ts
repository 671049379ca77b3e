import { createHash, randomUUID } from 'node:crypto';

import { findExponent } from '../../../core/currencies.ts';
import { walletIdOf } from '../../../core/ids.ts';
import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import {
  exportLocales,
  isExportLocale,
  type ExportFormat,
} from '../../../core/statement-format/index.ts';
import { findTextProblem, textLimits } from '../../../core/text.ts';
import {
  checkWalletOfKey,
  resolveSubject,
  type UserPrincipal,
} from '../../platform/access/access.ts';
import { appendAudit } from '../../platform/audit/audit.ts';
import { readClock, type Db, type Tx } from '../../platform/db/db.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import { appendOutbox } from '../../platform/outbox/relay.ts';
import type { LedgerPeers, Wallet } from '../pages/generate.ts';
import { cutToPast, isOver, resolveRange, type Head } from '../domain.ts';
import type { Reporter } from '../witness/record.ts';
import { toRequestedMessage } from '../projection/messages.ts';
import {
  exportIdOf,
  isStillAnswer,
  maxUnfinished,
  type Export,
  type ExportOrder,
} from './export-domain.ts';
import type { FindUser } from './peers.ts';
import * as store from './export-store.ts';

export type CreateOptions = {
  readonly db: Db;
  readonly peers: LedgerPeers & { readonly findUser: FindUser };
  readonly reporter: Reporter;
  readonly defaultCurrency: string;
  readonly inlineDays: number;
  /** False where no mail server is set: asking for mail is then refused. */
  readonly canMail: boolean;
  /** Says that the outbox has something to send. */
  readonly onQueued: () => void;
};

/** What a caller asks for; `format` undefined stands for an unknown one. */
export type AskedExport = {
  readonly userId: string;
  readonly currency: string;
  readonly fromMs: number | undefined;
  readonly toMs: number | undefined;
  readonly timezone: string;
  readonly locale: string;
  readonly format: ExportFormat | undefined;
  readonly shallMail: boolean;
  readonly hasByteOrderMark: boolean;
  /** Lines of holds and releases are included. */
  readonly hasHolds: boolean;
  readonly idempotencyKey: string;
  readonly isDryRun: boolean;
  /** An equal export of the caller's that still answers the question is given instead. */
  readonly canReuse: boolean;
};

export type CreatedExport = { readonly made: Export; readonly isReplayed: boolean };

/**
 * Queues an export, with the message that wakes a worker, in one transaction. INVALID_ARGUMENT,
 * CURRENCY_UNKNOWN, RANGE_TOO_LONG, USER_NOT_FOUND, IDEMPOTENCY_KEY_REUSED, OVERLOADED.
 */
export async function createExport(
  options: CreateOptions,
  asked: AskedExport,
  context: Pick<CallContext, 'principal' | 'requestId'>,
): Promise<Result<CreatedExport>> {
  const { principal } = context;
  if (principal.kind !== 'user') return refuse('PERMISSION_DENIED', 'a user must ask for exports');
  const order = await toOrder(options, asked, principal);
  if (!order.ok) return order;
  const created = await options.db.tx((tx) => placeOrder(tx, order.value, asked, context));
  if (created.ok && !created.value.isReplayed && !asked.isDryRun) options.onQueued();
  return created;
}

/** Everything that can be decided before the transaction. */
async function toOrder(
  options: CreateOptions,
  asked: AskedExport,
  principal: UserPrincipal,
): Promise<Result<ExportOrder>> {
  const wallet = resolveWallet(options, asked, principal);
  if (!wallet.ok) return wallet;
  const { id: walletId, userId, currency } = wallet.value;
  const { format, toMs, idempotencyKey, hasByteOrderMark, hasHolds, shallMail } = asked;
  const locale = asked.locale === '' ? 'en' : asked.locale;
  if (!format) return refuse('INVALID_ARGUMENT', 'format is unknown', { field: 'format' });
  if (!isExportLocale(locale)) return unknownLocale;
  if (hasByteOrderMark && format !== 'csv') return markWithoutCsv;
  if (hasHolds && format === 'hledger') return holdsInJournal;
  const keyProblem = findTextProblem(idempotencyKey, textLimits.idempotencyKey);
  if (keyProblem !== undefined) {
    const message = `idempotency_key ${keyProblem}`;
    return refuse('INVALID_ARGUMENT', message, { field: 'idempotency_key' });
  }
  const mailable = shallMail ? await checkMailable(options, userId) : succeed(undefined);
  if (!mailable.ok) return mailable;
  // Without the ledger the export is taken on all the same: its worker asks for the head again.
  const head = await options.peers.readHead(userId, currency).catch(() => undefined);
  if (head && !head.ok && head.rejection.reason !== 'WALLET_BUSY') return head;
  const known = head?.ok ? head.value : undefined;
  const whole = resolveRange(asked, await readNow(options.db, known), options.inlineDays);
  if (!whole.ok) return whole;
  const range = cutToPast(whole.value, known);
  if (!range.ok) return range;
  const key = idempotencyKey === '' ? randomUUID() : idempotencyKey;
  return succeed({
    id: exportIdOf(principal.userId, key),
    requestedBy: principal.userId,
    requesterRole: principal.role,
    idempotencyKey: key,
    requestDigest: digestOf({ ...asked, userId, currency, timezone: range.value.timezone, locale }),
    userId,
    walletId,
    currency,
    range: range.value,
    isEndGiven: toMs !== undefined && isOver(whole.value, known),
    locale,
    format,
    hasByteOrderMark,
    hasHolds,
    throughSeq: known?.seq,
    mailState: shallMail ? 'waiting' : 'none',
  });
}

/** Whose wallet is meant, and whether this caller may see its statements. */
export function resolveWallet(
  { defaultCurrency }: { readonly defaultCurrency: string },
  asked: { readonly userId: string; readonly currency: string },
  principal: CallContext['principal'],
): Result<Wallet> {
  const subject = resolveSubject(principal, asked.userId);
  if (!subject.ok) return subject;
  const currency = asked.currency === '' ? defaultCurrency : asked.currency;
  if (findExponent(currency) === undefined) {
    return refuse('CURRENCY_UNKNOWN', 'currency must be a code of ISO 4217, like BRL', {
      field: 'currency',
    });
  }
  const wallet = { id: walletIdOf(subject.value, currency), userId: subject.value, currency };
  const allowed = checkWalletOfKey(principal, wallet.id);
  return allowed.ok ? succeed(wallet) : allowed;
}

/**
 * Now, by the ledger's clock where it answered, otherwise by that of the statement database. A
 * range without an end takes in the wallet's last transaction, even if it is a little ahead of the
 * clock.
 */
export const readNow = async (db: Db, head: Head | undefined): Promise<number> =>
  head?.asOfMs ?? (await db.read(readClock));

/** Mail goes to the owner's own address, and only if it is known to be theirs. */
async function checkMailable(options: CreateOptions, userId: string): Promise<Result<void>> {
  const field = { field: 'email' };
  if (!options.canMail) {
    const message = 'this server sends no mail (SMTP_URL is not set): ask without, and download';
    return refuse('INVALID_ARGUMENT', message, field);
  }
  const found = await options.peers.findUser(userId).catch(() => 'unavailable' as const);
  if (found === 'unavailable') {
    return refuse(
      'AUTH_UNAVAILABLE',
      'the auth service is unavailable: nothing was done, try again',
    );
  }
  if (found === undefined || (found.isEmailVerified && !found.isDisabled))
    return succeed(undefined);
  const why = found.isDisabled ? 'account is disabled' : 'address is not verified';
  return refuse('INVALID_ARGUMENT', `the owner's ${why}: ask without mail, and download`, field);
}

async function placeOrder(
  tx: Tx,
  order: ExportOrder,
  asked: AskedExport,
  context: Pick<CallContext, 'principal' | 'requestId'>,
): Promise<Result<CreatedExport>> {
  await store.lockRequester(tx, order.requestedBy);
  const same = asked.canReuse
    ? await store.findExportLike(tx, order.requestedBy, order.requestDigest)
    : await store.findExport(tx, order.id);
  if (same && !asked.canReuse && !same.requestDigest.equals(order.requestDigest)) {
    return refuse('IDEMPOTENCY_KEY_REUSED', 'this idempotency key names another export of yours', {
      field: 'idempotency_key',
      exportId: same.id,
    });
  }
  if (same && (!asked.canReuse || isStillAnswer(same))) {
    return succeed({ made: same, isReplayed: true });
  }
  if ((await store.countUnfinished(tx, order.requestedBy)) >= maxUnfinished) {
    const message = `${maxUnfinished} exports of yours are not finished: wait for one of them`;
    return refuse('OVERLOADED', message, { limit: String(maxUnfinished) });
  }
  if (asked.isDryRun) {
    return succeed({ made: imagine(order, await readClock(tx)), isReplayed: false });
  }
  const made = await store.insertExport(tx, order);
  await appendOutbox(tx, [toRequestedMessage(made.id)]);
  if (made.userId !== made.requestedBy) {
    const details = { userId: made.userId, walletId: made.walletId };
    await appendAudit(tx, context, {
      action: 'export.create',
      target: made.id,
      result: 'ok',
      details,
    });
  }
  return succeed({ made, isReplayed: false });
}

/** What a dry run answers with. */
const imagine = (order: ExportOrder, nowMs: number): Export => ({
  ...order,
  status: 'queued',
  rowCount: 0n,
  rowsDone: 0n,
  byteCount: undefined,
  sha256: undefined,
  attempt: 0,
  failure: undefined,
  createdAtMs: nowMs,
  finishedAtMs: undefined,
  expiresAtMs: undefined,
  mailFailure: undefined,
});

/** What was asked for, before the server's own defaults for the range. */
function digestOf(asked: AskedExport): Buffer {
  const { userId, currency, fromMs, toMs, timezone, locale, format } = asked;
  const { shallMail, hasByteOrderMark, hasHolds } = asked;
  const content = [userId, currency, fromMs, toMs, timezone, locale, format];
  return createHash('sha256')
    .update(JSON.stringify([...content, shallMail, hasByteOrderMark, hasHolds]))
    .digest();
}

const unknownLocale = refuse(
  'INVALID_ARGUMENT',
  `locale must be ${exportLocales.join(' or ')}, or left out`,
  { field: 'locale' },
);

const markWithoutCsv = refuse('INVALID_ARGUMENT', 'a byte order mark is for CSV only', {
  field: 'byte_order_mark',
});

const holdsInJournal = refuse(
  'INVALID_ARGUMENT',
  'a journal has no lines of holds: leave out include_holds, or choose another format',
  { field: 'include_holds' },
);
