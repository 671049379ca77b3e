import type { ExportFormat } from '../../core/statement-format/index.ts';
import {
  ExportFormat as WireFormat,
  ExportMailStatus,
  ExportStatus,
  type Export,
} from '../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { formatZonedTime } from './time.ts';

/** An export as printed; `file` is where it was written to. */
export type ExportRow = {
  readonly made: Export;
  readonly isDryRun?: boolean;
  readonly file?: string;
  /** Where its proof was written to. */
  readonly proof?: string;
};

export const exportFormatNumbers: Readonly<Record<ExportFormat, WireFormat>> = {
  csv: WireFormat.CSV,
  json: WireFormat.JSON,
  ndjson: WireFormat.NDJSON,
  hledger: WireFormat.HLEDGER,
};

/** Undefined for a number from a newer server. */
export function nameFormat(format: WireFormat): ExportFormat | undefined {
  const names = Object.keys(exportFormatNumbers) as ExportFormat[];
  return names.find((name) => exportFormatNumbers[name] === format);
}

const exportStatusNames: Readonly<Partial<Record<ExportStatus, string>>> = {
  [ExportStatus.QUEUED]: 'queued',
  [ExportStatus.RUNNING]: 'running',
  [ExportStatus.DONE]: 'done',
  [ExportStatus.FAILED]: 'failed',
  [ExportStatus.EXPIRED]: 'expired',
  [ExportStatus.INCONSISTENT]: 'inconsistent',
};

const exportMailNames: Readonly<Partial<Record<ExportMailStatus, string>>> = {
  [ExportMailStatus.WAITING]: 'waiting',
  [ExportMailStatus.SENT]: 'sent',
  [ExportMailStatus.FAILED]: 'failed',
};

/** `unknown` for a number from a newer server. */
export const nameExportStatus = (status: ExportStatus): string =>
  exportStatusNames[status] ?? 'unknown';

/** Undefined where no mail is wanted. */
export const nameExportMail = (status: ExportMailStatus): string | undefined =>
  exportMailNames[status];

const presence = (text: string): string | undefined => (text === '' ? undefined : text);

/** docs/cli.md, "JSON": the shape of an export. Of a dry run nothing is made that had an id. */
export function toExportJson(row: ExportRow): object {
  const { made, isDryRun = false, file, proof } = row;
  const zoned = (time: Date | undefined): string | undefined =>
    time && formatZonedTime(time, made.timezone);
  return {
    ...(isDryRun ? {} : { id: made.id }),
    status: nameExportStatus(made.status),
    userId: made.userId,
    walletId: made.walletId,
    currency: made.currency,
    from: zoned(made.from),
    to: zoned(made.to),
    timezone: made.timezone,
    locale: made.locale,
    format: nameFormat(made.format) ?? 'unknown',
    holds: made.includeHolds === true ? true : undefined,
    rows: Number(made.rows),
    rowsDone: Number(made.rowsDone),
    bytes: made.bytes === undefined ? undefined : Number(made.bytes),
    sha256: made.sha256,
    requestedBy: made.requestedBy,
    createdAt: made.createdAt?.toISOString(),
    finishedAt: made.finishedAt?.toISOString(),
    expiresAt: made.expiresAt?.toISOString(),
    failure: presence(made.failure),
    mail: nameExportMail(made.mailStatus),
    mailFailure: presence(made.mailFailure),
    file,
    proof,
    ...(isDryRun ? { dryRun: true } : {}),
  };
}
