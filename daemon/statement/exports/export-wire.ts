import { exportFormats, type ExportFormat } from '../../../core/statement-format/index.ts';
import {
  ExportFormat as WireFormat,
  ExportMailStatus,
  ExportStatus as WireStatus,
  type Export as WireExport,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import type { Export, ExportStatus, MailState } from './export-domain.ts';

const wireStatuses: Readonly<Record<ExportStatus, WireStatus>> = {
  queued: WireStatus.QUEUED,
  running: WireStatus.RUNNING,
  done: WireStatus.DONE,
  failed: WireStatus.FAILED,
  expired: WireStatus.EXPIRED,
  inconsistent: WireStatus.INCONSISTENT,
};
const wireFormats: Readonly<Record<ExportFormat, WireFormat>> = {
  csv: WireFormat.CSV,
  json: WireFormat.JSON,
  ndjson: WireFormat.NDJSON,
  hledger: WireFormat.HLEDGER,
};
const wireMailStatuses: Readonly<Record<MailState, ExportMailStatus>> = {
  none: ExportMailStatus.UNSPECIFIED,
  waiting: ExportMailStatus.WAITING,
  sent: ExportMailStatus.SENT,
  failed: ExportMailStatus.FAILED,
};

/** The format that a number on the wire stands for: CSV if none is named, undefined if unknown. */
export function readFormat(wire: WireFormat): ExportFormat | undefined {
  if (wire === WireFormat.UNSPECIFIED) return 'csv';
  return exportFormats.find((format) => wireFormats[format] === wire);
}

const dateOf = (timeMs: number | undefined): Date | undefined =>
  timeMs === undefined ? undefined : new Date(timeMs);

export function toWireExport(made: Export): WireExport {
  return {
    id: made.id,
    status: wireStatuses[made.status],
    userId: made.userId,
    walletId: made.walletId,
    currency: made.currency,
    from: new Date(made.range.fromMs),
    to: new Date(made.range.toMs),
    timezone: made.range.timezone,
    locale: made.locale,
    format: wireFormats[made.format],
    rows: made.rowCount,
    rowsDone: made.rowsDone,
    bytes: made.byteCount,
    sha256: made.sha256?.toString('hex'),
    requestedBy: made.requestedBy,
    createdAt: new Date(made.createdAtMs),
    expiresAt: dateOf(made.expiresAtMs),
    failure: made.failure ?? '',
    mailStatus: wireMailStatuses[made.mailState],
    mailFailure: made.mailFailure ?? '',
    finishedAt: dateOf(made.finishedAtMs),
    byteOrderMark: made.hasByteOrderMark,
    includeHolds: made.hasHolds || undefined,
  };
}
