import type { Operation as OperationName } from '../../../core/operations.ts';
import { createStatementWriter } from '../../../core/statement-format/index.ts';
import type {
  Statement,
  StatementLine,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import type { TextOutput } from '../../terminal/io.ts';
import type { Field } from '../../terminal/reporter.ts';
import { formatFields } from '../../output/fields.ts';
import { formatCsvHeader, formatCsvRows } from '../../output/csv.ts';
import { toJsonText } from '../../terminal/plain.ts';
import { statementColumns } from './columns.ts';
import { nameOperation } from '../../../lib/json/names.ts';
import { toLineJson } from '../../../lib/json/statements.ts';

type Stdout = Pick<TextOutput, 'isTerminal'>;

/** The formats in which a statement is printed line by line. */
export type LineFormat = 'csv' | 'ndjson' | 'hledger';

/** Text of a statement, page by page. */
export type LineWriter = {
  begin(): string;
  lines(lines: readonly StatementLine[]): string;
};

export function createLineWriter(
  format: LineFormat,
  statement: Statement,
  stdout: Stdout,
): LineWriter {
  const { currency } = statement;
  switch (format) {
    case 'csv': {
      const columns = statementColumns(statement);
      return {
        begin: () => formatCsvHeader(columns),
        lines: (lines) => formatCsvRows(stdout, columns, lines),
      };
    }
    case 'ndjson': {
      const write = (line: StatementLine): string =>
        `${toJsonText({ ...toLineJson(statement, line), currency })}\n`;
      return { begin: () => '', lines: (lines) => lines.map(write).join('') };
    }
    case 'hledger':
      return createJournalWriter(statement);
  }
}

/** The fields that `--field` chose of each line; undefined if they are not all of lines. */
export function createFieldWriter(
  fields: readonly Field[] | undefined,
  statement: Statement,
  stdout: Stdout,
): LineWriter | undefined {
  if (!fields?.every(({ path }) => path?.startsWith('statement.lines[].'))) return undefined;
  const toData = (lines: readonly StatementLine[]): object => ({
    statement: { lines: lines.map((line) => toLineJson(statement, line)) },
  });
  return { begin: () => '', lines: (lines) => formatFields(stdout, fields, toData(lines)) };
}

/** The journal that an export has, from the same lines. */
function createJournalWriter(statement: Statement): LineWriter {
  const { from, to } = statement;
  const head = { ...statement, fromMs: from?.getTime() ?? 0, toMs: to?.getTime() ?? 0 };
  const options = { locale: 'en', hasByteOrderMark: false } as const;
  const writer = createStatementWriter('hledger', head, options);
  const write = (line: StatementLine): string =>
    writer.line({
      ...line,
      description: line.description,
      operation: nameOperation(line.operation) as OperationName,
      occurredAtMs: line.occurredAt?.getTime() ?? 0,
      amountMinor: line.creditMinor - line.debitMinor,
    });
  return { begin: () => writer.begin(), lines: (lines) => lines.map(write).join('') };
}
