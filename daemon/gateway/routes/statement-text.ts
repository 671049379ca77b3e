import {
  createStatementWriter,
  statementFileName,
  type ExportFormat,
  type ExportLocale,
} from '../../../core/statement-format/index.ts';
import type { Operation } from '../../../core/operations.ts';
import { isTimezone, wallClockMs } from '../../../core/time/calendar.ts';
import { nameOperation } from '../../../lib/json/names.ts';
import {
  StatementStatus,
  type GenerateStatementResponse,
  type Statement,
  type StatementLine,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';

type TextFormat = 'csv' | 'hledger';

/**
 * `statement-BRL-2026-01-01-2026-02-01.csv`, of a statement or an export; the days are of its zone.
 */
export function nameStatementFile(
  format: ExportFormat,
  { currency, from, to, timezone }: Pick<Statement, 'currency' | 'from' | 'to' | 'timezone'>,
): string {
  const dayOf = (time: Date | undefined): number =>
    wallClockMs(time?.getTime() ?? 0, isTimezone(timezone) ? timezone : 'UTC');
  return statementFileName(format, { currency, fromMs: dayOf(from), toMs: dayOf(to) });
}

/**
 * A statement as the text that an export of it has, page by page from the first one on. Throws
 * where a later page cannot be had, or contradicts the ledger where the first did not: the answer
 * is then cut, so that the client does not take it for whole.
 */
export async function* writeStatement(
  format: TextFormat,
  locale: ExportLocale,
  first: GenerateStatementResponse & { readonly statement: Statement },
  nextPage: (pageToken: string) => Promise<GenerateStatementResponse>,
): AsyncGenerator<string> {
  const { from, to } = first.statement;
  const head = { ...first.statement, fromMs: from?.getTime() ?? 0, toMs: to?.getTime() ?? 0 };
  const writer = createStatementWriter(format, head, { locale, hasByteOrderMark: false });
  const write = (line: StatementLine): string =>
    writer.line({
      ...line,
      description: line.description,
      operation: nameOperation(line.operation) as Operation,
      occurredAtMs: line.occurredAt?.getTime() ?? 0,
      amountMinor: line.creditMinor - line.debitMinor,
    });
  yield writer.begin();
  for (let page: GenerateStatementResponse = first; ;) {
    yield (page.statement?.lines ?? []).map(write).join('');
    if (page.nextPageToken === '') break;
    page = await nextPage(page.nextPageToken);
    const isNewlyWrong = page.status === StatementStatus.INCONSISTENT;
    if (isNewlyWrong && first.status !== StatementStatus.INCONSISTENT) {
      throw new Error('a page of the statement contradicts the ledger');
    }
  }
  yield writer.end();
}
