import type {
  Statement,
  StatementLine,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import type { Context } from '../../context.ts';
import type { Outcome } from '../../outcome.ts';
import type { View } from '../../output/choose-columns.ts';
import { createJsonArray } from '../../output/json-list.ts';
import { noteDropped, openTable } from '../../output/list-printer.ts';
import { formatData, formatJson } from '../../output/print.ts';
import { toLineJson, toStatementJson } from '../../../lib/json/statements.ts';
import { formatFoot, formatHead } from './columns.ts';
import type { LineWriter } from './line-writer.ts';
import { eachPage, type Ended, type Page, type Query } from './pages.ts';

/** What is to be printed: the pages from `first` on, of this statement. */
export type Shown = {
  readonly query: Query;
  readonly first: Page;
  readonly statement: Statement;
  readonly view: View<StatementLine>;
};

/** A table or JSON: all lines are in, and add up, before anything is printed. */
export async function showWhole(context: Context, shown: Shown): Promise<Outcome<Ended>> {
  const { query, first } = shown;
  const lines: StatementLine[] = [];
  const collected = await eachPage(context, query, first, (pageLines) => {
    for (const line of pageLines) lines.push(line);
    return Promise.resolve();
  });
  if (!collected.ok) return collected;
  if (context.manner.output === 'json') await printJson(context, shown, lines, collected.value);
  else await printTable(context, shown, lines);
  return collected;
}

/** Each page is checked against the balance before it, printed, and forgotten. */
export async function streamLines(
  context: Context,
  { query, first }: Pick<Shown, 'query' | 'first'>,
  writer: LineWriter,
): Promise<Outcome<Ended>> {
  const { stdout } = context.io;
  await stdout.write(writer.begin());
  return eachPage(context, query, first, (lines) => stdout.write(writer.lines(lines)));
}

/** Written at once: one text of a long statement would be longer than a text can be. */
const lineCount = 500;

async function eachPart(
  { io: { stdout } }: Context,
  lines: readonly StatementLine[],
  format: (part: readonly StatementLine[]) => string | Promise<string>,
): Promise<void> {
  for (let at = 0; at < lines.length && !stdout.fault; at += lineCount) {
    await stdout.write(await format(lines.slice(at, at + lineCount)));
  }
}

async function printJson(
  context: Context,
  { first, statement }: Shown,
  lines: readonly StatementLine[],
  { pageToken: nextPageToken, inconsistency }: Ended,
): Promise<void> {
  const { stdout } = context.io;
  const status = inconsistency === undefined ? first.status : 'inconsistent';
  const found = { ...statement, inconsistency: inconsistency ?? '' };
  if (context.manner.fields) {
    const whole = { status, statement: toStatementJson(found, lines), nextPageToken };
    await stdout.write(formatData(context, whole));
    return;
  }
  const json = toStatementJson(found, []);
  const text = formatJson({ status, statement: json, nextPageToken });
  const key = '\n    "lines": ';
  const [head = '', rest = ''] = text.split(`${key}[]`);
  const array = createJsonArray(4);
  await stdout.write(head + key);
  await eachPart(context, lines, (part) =>
    array.add(part.map((line) => toLineJson(statement, line))),
  );
  await stdout.write(array.end() + rest);
}

async function printTable(
  context: Context,
  { statement, view }: Shown,
  lines: readonly StatementLine[],
): Promise<void> {
  const { stdout } = context.io;
  await stdout.write(`${formatHead(context, statement)}\n`);
  if (lines.length === 0) await stdout.write('no transactions in this range\n');
  const table = openTable(context, view);
  await eachPart(context, lines, (part) => table.addRows(part));
  await stdout.write(`\n${formatFoot(context, statement)}`);
  await noteDropped(context.reporter, table.dropped());
}
