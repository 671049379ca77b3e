import { uuidV5 } from '../../../core/ids.ts';
import type { Role } from '../../../core/roles.ts';
import type { ExportFormat, ExportLocale } from '../../../core/statement-format/index.ts';

export type ExportStatus = 'queued' | 'running' | 'done' | 'failed' | 'expired' | 'inconsistent';
/** `none`: no mail was asked for. `waiting`: for the file, or for the mail server. */
export type MailState = 'none' | 'waiting' | 'sent' | 'failed';

/** What an export is of, and what it shall look like. */
export type ExportOrder = {
  readonly id: string;
  readonly requestedBy: string;
  readonly requesterRole: Role;
  readonly idempotencyKey: string;
  readonly requestDigest: Buffer;
  /** Whose wallet. */
  readonly userId: string;
  readonly walletId: string;
  readonly currency: string;
  /** Half-open: [fromMs, toMs). */
  readonly range: { readonly fromMs: number; readonly toMs: number; readonly timezone: string };
  /** False where the request left the end to the server, or it was in the future and cut to now. */
  readonly isEndGiven: boolean;
  readonly locale: ExportLocale;
  readonly format: ExportFormat;
  readonly hasByteOrderMark: boolean;
  /** Lines of holds and releases are included. */
  readonly hasHolds: boolean;
  /** The wallet's last transaction when its head was asked for; undefined until it was. */
  readonly throughSeq: bigint | undefined;
  readonly mailState: MailState;
};

export type Export = ExportOrder & {
  readonly status: ExportStatus;
  readonly rowCount: bigint;
  readonly rowsDone: bigint;
  readonly byteCount: bigint | undefined;
  readonly sha256: Buffer | undefined;
  /** Grows each time a worker takes the export: the fencing token against older ones. */
  readonly attempt: number;
  readonly failure: string | undefined;
  readonly createdAtMs: number;
  readonly finishedAtMs: number | undefined;
  readonly expiresAtMs: number | undefined;
  readonly mailFailure: string | undefined;
};

/** Namespace of exports' ids: a fixed random UUID. */
const exportNamespace = '7d0a6f5c-3c7e-4f27-9d1c-2f0a4be1c6d8';

/** The export that a requester names by an idempotency key. */
export const exportIdOf = (requestedBy: string, idempotencyKey: string): string =>
  uuidV5(exportNamespace, `${requestedBy}:${idempotencyKey}`);

/** Of one requester, queued and running together. */
export const maxUnfinished = 20;

/**
 * After this many attempts (crashes count) an export fails permanently: in about 15 minutes.
 */
export const maxAttempts = 20;

/**
 * How long an export rests after an attempt that could not be ended: 2 s, doubled up to a minute.
 */
export const maxRetryDelayMs = 60_000;
export const retryDelayMs = (attempt: number): number =>
  Math.min(maxRetryDelayMs, 1_000 * 2 ** Math.min(attempt, 6));

/** Mail is tried so often, over about five hours. */
export const maxMailAttempts = 12;

/** How long a mail rests after it could not be sent: 20 s, doubled up to an hour. */
export const maxMailDelayMs = 3_600_000;
export const mailDelayMs = (attempt: number): number =>
  Math.min(maxMailDelayMs, 10_000 * 2 ** Math.min(attempt, 10));

/**
 * An equal request may be answered with this export instead of a new one: while it is being made,
 * and, if the range was over when it was asked for, as long as the file is there.
 */
export function isStillAnswer(made: Export): boolean {
  if (made.status === 'queued' || made.status === 'running') return true;
  return made.status === 'done' && made.isEndGiven && made.range.toMs <= made.createdAtMs;
}
