import { createCsvWriter } from './csv.ts';
import { createHledgerWriter } from './hledger.ts';
import { createJsonWriter, createNdjsonWriter } from './json.ts';
import type { ExportFormat, ExportLocale, StatementHead, StatementWriter } from './types.ts';

export {
  chainedColumns,
  createRowReader,
  hasCurrency,
  hasDigest,
  hashOf,
  readMinor,
  toFileLine,
} from './rows.ts';
export * from './types.ts';

/**
 * What a statement looks like as a file: the same bytes from the same lines, whenever and by
 * whomever it is written. `locale` and `hasByteOrderMark` count for CSV only.
 */
export function createStatementWriter(
  format: ExportFormat,
  head: StatementHead,
  options: { readonly locale: ExportLocale; readonly hasByteOrderMark: boolean },
): StatementWriter {
  switch (format) {
    case 'csv':
      return createCsvWriter(head, options);
    case 'json':
      return createJsonWriter(head);
    case 'ndjson':
      return createNdjsonWriter(head);
    case 'hledger':
      return createHledgerWriter(head);
  }
}

const kinds: Readonly<Record<ExportFormat, { extension: string; contentType: string }>> = {
  csv: { extension: 'csv', contentType: 'text/csv; charset=utf-8' },
  json: { extension: 'json', contentType: 'application/json' },
  ndjson: { extension: 'ndjson', contentType: 'application/x-ndjson' },
  hledger: { extension: 'journal', contentType: 'text/plain; charset=utf-8' },
};

export const contentTypeOf = (format: ExportFormat): string => kinds[format].contentType;

/** `statement-BRL-2026-01-01-2026-02-01.csv`: days in UTC, since a name is no statement. */
export function statementFileName(
  format: ExportFormat,
  { currency, fromMs, toMs }: Pick<StatementHead, 'currency' | 'fromMs' | 'toMs'>,
): string {
  const day = (instantMs: number): string => new Date(instantMs).toISOString().slice(0, 10);
  return `statement-${currency}-${day(fromMs)}-${day(toMs)}.${kinds[format].extension}`;
}
