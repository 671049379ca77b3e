import { emailColumn, numberColumn, textColumn, timeColumn } from '../../output/columns.ts';
import type { Column } from '../../output/print.ts';
import { formatLocalTime } from '../../output/time.ts';
import {
  type ExportRow,
  nameExportMail,
  nameExportStatus,
  nameFormat,
  toExportJson,
} from '../../../lib/json/exports.ts';
import { formatZonedTime } from '../../../lib/json/time.ts';

/** An export in a list, with the address of the wallet's owner where the caller may know it. */
type OwnedExport = ExportRow & { readonly userEmail?: string | undefined };

/** docs/cli.md, "JSON": an export of a list. */
export const toOwnedExportJson = (row: OwnedExport): object => ({
  ...toExportJson(row),
  userEmail: row.userEmail,
});

/** The columns of exports. Their ranges are of their own zone, other times of `timezone`. */
export function exportColumns(timezone: string): readonly Column<OwnedExport>[] {
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
    const table = { title, cell, shorterWidths: [10], priority: 5 };
    return { header, value: (row) => show(row, formatZonedTime), table };
  };
  return [
    textColumn('id', 'ID', idOf, { isKey: true }),
    textColumn('status', 'STATUS', ({ made }) => nameExportStatus(made.status), {
      priority: 6,
    }),
    textColumn('currency', 'CURRENCY', ({ made }) => made.currency, { priority: 4 }),
    rangeColumn('from', 'FROM', ({ made }) => made.from),
    rangeColumn('to', 'TO', ({ made }) => made.to),
    textColumn('timezone', 'TIMEZONE', ({ made }) => made.timezone, { isCardOnly: true }),
    textColumn('format', 'FORMAT', ({ made }) => nameFormat(made.format) ?? 'unknown'),
    textColumn('holds', 'HOLDS', holdsOf, cardOnly),
    textColumn('locale', 'LOCALE', ({ made }) => made.locale, { isCardOnly: true }),
    numberColumn('rows', 'ROWS', ({ made }) => made.rows.toString()),
    numberColumn('rows_done', 'DONE', ({ made }) => made.rowsDone.toString(), cardOnly),
    numberColumn('bytes', 'BYTES', ({ made }) => made.bytes?.toString(), cardOnly),
    textColumn('sha256', 'SHA-256', ({ made }) => made.sha256, { isCardOnly: true }),
    timeColumn('created_at', 'CREATED', timezone, ({ made }) => made.createdAt),
    timeColumn('finished_at', 'FINISHED', timezone, ({ made }) => made.finishedAt, cardOnly),
    timeColumn('expires_at', 'EXPIRES', timezone, ({ made }) => made.expiresAt, cardOnly),
    textColumn('user_id', 'USER', ({ made }) => made.userId, { isId: true }),
    emailColumn('user_email', 'EMAIL', ({ userEmail }) => userEmail, { priority: 3 }),
    textColumn('requested_by', 'REQUESTED BY', ({ made }) => made.requestedBy, cardOnly),
    textColumn('failure', 'FAILURE', ({ made }) => made.failure, {
      ...{ isFlexible: true, isHiddenIfEmpty: true },
    }),
    textColumn('mail', 'MAIL', ({ made }) => nameExportMail(made.mailStatus), cardOnly),
    textColumn('mail_failure', 'MAIL FAILURE', ({ made }) => made.mailFailure, cardOnly),
    textColumn('file', 'FILE', ({ file }) => file, cardOnly),
    textColumn('proof', 'PROOF', ({ proof }) => proof, cardOnly),
    textColumn('dry_run', 'DRY RUN', dryRunOf, cardOnly),
  ];
}

const cardOnly = { isCardOnly: true } as const;
const holdsOf = ({ made }: ExportRow): string | undefined =>
  made.includeHolds === true ? 'true' : undefined;
const idOf = ({ made, isDryRun }: ExportRow): string | undefined =>
  isDryRun ? undefined : made.id;
const dryRunOf = ({ isDryRun }: ExportRow): string | undefined =>
  isDryRun ? 'nothing was changed' : undefined;
