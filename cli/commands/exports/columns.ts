import type { ExportFormat } from '../../../core/statement-format/index.ts';
import {
  ExportFormat as WireFormat,
  ExportMailStatus,
  ExportStatus,
  type Export,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { textColumn, timeColumn } from '../../output/columns.ts';
import type { Column } from '../../output/print.ts';
import { formatLocalTime, formatZonedTime } from '../../output/time.ts';

/** An export as printed; `file` is where it was written to. */
export type ExportRow = {
  readonly made: Export;
  readonly isDryRun?: boolean;
  readonly file?: string;
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

const statusNames: Readonly<Partial<Record<ExportStatus, string>>> = {
  [ExportStatus.QUEUED]: 'queued',
  [ExportStatus.RUNNING]: 'running',
  [ExportStatus.DONE]: 'done',
  [ExportStatus.FAILED]: 'failed',
  [ExportStatus.EXPIRED]: 'expired',
  [ExportStatus.INCONSISTENT]: 'inconsistent',
};

const mailNames: Readonly<Partial<Record<ExportMailStatus, string>>> = {
  [ExportMailStatus.WAITING]: 'waiting',
  [ExportMailStatus.SENT]: 'sent',
  [ExportMailStatus.FAILED]: 'failed',
};

const statusOf = ({ made }: ExportRow): string => statusNames[made.status] ?? 'unknown';
const presence = (text: string): string | undefined => (text === '' ? undefined : text);

/** docs/cli.md, "JSON": the shape of an export. Of a dry run nothing is made that had an id. */
export function toExportJson(row: ExportRow): object {
  const { made, isDryRun = false, file } = row;
  const zoned = (time: Date | undefined): string | undefined =>
    time && formatZonedTime(time, made.timezone);
  return {
    ...(isDryRun ? {} : { id: made.id }),
    status: statusOf(row),
    userId: made.userId,
    walletId: made.walletId,
    currency: made.currency,
    from: zoned(made.from),
    to: zoned(made.to),
    timezone: made.timezone,
    locale: made.locale,
    format: nameFormat(made.format) ?? 'unknown',
    rows: Number(made.rows),
    rowsDone: Number(made.rowsDone),
    bytes: made.bytes === undefined ? undefined : Number(made.bytes),
    sha256: made.sha256,
    requestedBy: made.requestedBy,
    createdAt: made.createdAt?.toISOString(),
    finishedAt: made.finishedAt?.toISOString(),
    expiresAt: made.expiresAt?.toISOString(),
    failure: presence(made.failure),
    mail: mailNames[made.mailStatus],
    mailFailure: presence(made.mailFailure),
    file,
    ...(isDryRun ? { dryRun: true } : {}),
  };
}

/** The columns of exports. Their ranges are of their own zone, other times of `timezone`. */
export function exportColumns(timezone: string): readonly Column<ExportRow>[] {
  const rangeColumn = (
    header: string,
    title: string,
    value: (row: ExportRow) => Date | undefined,
  ): Column<ExportRow> => {
    const show = (row: ExportRow, format: typeof formatLocalTime): string | undefined => {
      const time = value(row);
      return time && format(time, row.made.timezone);
    };
    // Most ranges are of whole days, and a table has no room for their midnights.
    const cell = (row: ExportRow): string | undefined =>
      show(row, formatLocalTime)?.replace(/ 00:00:00$/, '');
    const table = { title, cell, isFlexible: true } as const;
    return { header, value: (row) => show(row, formatZonedTime), table };
  };
  return [
    // Never cut: every other command about an export asks for it.
    textColumn('id', 'ID', idOf),
    textColumn('status', 'STATUS', statusOf),
    textColumn('currency', 'CURRENCY', ({ made }) => made.currency),
    rangeColumn('from', 'FROM', ({ made }) => made.from),
    rangeColumn('to', 'TO', ({ made }) => made.to),
    textColumn('timezone', 'TIMEZONE', ({ made }) => made.timezone, { isCardOnly: true }),
    textColumn('format', 'FORMAT', ({ made }) => nameFormat(made.format) ?? 'unknown'),
    textColumn('locale', 'LOCALE', ({ made }) => made.locale, { isCardOnly: true }),
    textColumn('rows', 'ROWS', ({ made }) => made.rows.toString(), { align: 'right' }),
    textColumn('rows_done', 'DONE', ({ made }) => made.rowsDone.toString(), cardOnly),
    textColumn('bytes', 'BYTES', ({ made }) => made.bytes?.toString(), { isCardOnly: true }),
    textColumn('sha256', 'SHA-256', ({ made }) => made.sha256, { isCardOnly: true }),
    timeColumn('created_at', 'CREATED', timezone, ({ made }) => made.createdAt, {
      isFlexible: true,
    }),
    timeColumn('expires_at', 'EXPIRES', timezone, ({ made }) => made.expiresAt, cardOnly),
    textColumn('user_id', 'USER', ({ made }) => made.userId, { isId: true }),
    textColumn('requested_by', 'REQUESTED BY', ({ made }) => made.requestedBy, cardOnly),
    textColumn('failure', 'FAILURE', ({ made }) => made.failure, { isFlexible: true }),
    textColumn('mail', 'MAIL', ({ made }) => mailNames[made.mailStatus], cardOnly),
    textColumn('mail_failure', 'MAIL FAILURE', ({ made }) => made.mailFailure, cardOnly),
    textColumn('file', 'FILE', ({ file }) => file, cardOnly),
    textColumn('dry_run', 'DRY RUN', dryRunOf, cardOnly),
  ];
}

const cardOnly = { isCardOnly: true } as const;
const idOf = ({ made, isDryRun }: ExportRow): string | undefined =>
  isDryRun ? undefined : made.id;
const dryRunOf = ({ isDryRun }: ExportRow): string | undefined =>
  isDryRun ? 'nothing was changed' : undefined;
