import type { Context } from '../../context.ts';
import {
  done,
  failUsage,
  succeed,
  type CommandOutcome,
  type Failed,
  type Outcome,
} from '../../outcome.ts';
import { chooseColumns, type ViewOptions } from '../../output/choose-columns.ts';
import { createListPrinter, type ListPrinter } from '../../output/list-printer.ts';
import type { Column } from '../../output/print.ts';

/** How much of a list is wanted, as it was typed. */
export type LimitOptions = {
  readonly limit?: string;
  readonly all?: boolean;
};

export type PageOptions = LimitOptions & ViewOptions & { readonly pageToken?: string };

/** The options of a list of things that belong to a user. */
export type UserListOptions = PageOptions & { readonly user?: string };

const defaultLimit = 50;

/** How many items a list may print: `--limit`, or with `--all` any number. */
export function checkLimit(options: LimitOptions): Outcome<number> {
  const text = options.limit ?? String(defaultLimit);
  if (!/^[1-9][0-9]{0,8}$/.test(text)) {
    return failUsage('limit', `${JSON.stringify(text)} is not a whole number above 0`);
  }
  if (options.all && options.limit !== undefined) {
    return failUsage('all', '--all and --limit exclude each other');
  }
  return succeed(options.all ? Number.POSITIVE_INFINITY : Number(text));
}

/** A list that is ready to be printed: from `pageToken` on, `limit` rows at most. */
export type OpenList<Row> = {
  readonly printer: ListPrinter<Row>;
  readonly limit: number;
  readonly pageToken: string;
};

/** Checks the options of every list. Sends nothing, so that it comes before all requests. */
export function openList<Row>(
  context: Pick<Context, 'reporter' | 'manner' | 'io'>,
  options: PageOptions,
  columns: readonly Column<Row>[],
  toJson: (row: Row) => unknown,
): Outcome<OpenList<Row>> {
  const limit = checkLimit(options);
  if (!limit.ok) return limit;
  const printer = openPrinter(context, options, columns, toJson);
  if (!printer.ok) return printer;
  const { pageToken = '' } = options;
  return succeed({ printer: printer.value, limit: limit.value, pageToken });
}

/** The same for a list that has no pages. */
export function openPrinter<Row>(
  context: Pick<Context, 'reporter' | 'manner' | 'io'>,
  options: ViewOptions,
  columns: readonly Column<Row>[],
  toJson: (row: Row) => unknown,
): Outcome<ListPrinter<Row>> {
  const view = chooseColumns(columns, options, context.manner.output);
  return view.ok ? succeed(createListPrinter(context, view.value, toJson)) : view;
}

type Page<Row> = { readonly rows: readonly Row[]; readonly nextPageToken: string };

type Pages<Row> = {
  readonly ifEmpty: string;
  /** What the server gives at once; default 100. */
  readonly maxPageSize?: number;
  readonly fetch: (pageSize: number, pageToken: string) => Promise<Outcome<Page<Row>>>;
};

/**
 * Prints a list page by page, up to its limit, and says whether it goes on. A reader who has gone,
 * as in `| head`, ends it.
 */
export async function printPages<Row>(
  context: Pick<Context, 'reporter' | 'manner' | 'io'>,
  { printer, limit, pageToken: firstToken }: OpenList<Row>,
  { ifEmpty, maxPageSize = 100, fetch }: Pages<Row>,
): Promise<CommandOutcome> {
  let left = limit;
  let pageToken = firstToken;
  do {
    const page = await fetch(Math.min(left, maxPageSize), pageToken);
    if (!page.ok) return page;
    await printer.add(page.value.rows);
    if (context.io.stdout.fault) return done;
    left -= page.value.rows.length;
    pageToken = page.value.nextPageToken;
  } while (pageToken !== '' && left > 0);
  await printer.end(pageToken === '' ? undefined : pageToken, ifEmpty);
  await noteMore(context, pageToken);
  return done;
}

/** All rows of a list that is short: what one person has. */
export async function readAllPages<Row>(
  fetch: (pageSize: number, pageToken: string) => Promise<Outcome<Page<Row>>>,
): Promise<Outcome<readonly Row[]>> {
  const rows: Row[] = [];
  let pageToken = '';
  do {
    const page = await fetch(100, pageToken);
    if (!page.ok) return page;
    rows.push(...page.value.rows);
    pageToken = page.value.nextPageToken;
  } while (pageToken !== '');
  return succeed(rows);
}

/** PAGE_TOKEN_INVALID, as the server would say it. */
export function failPageToken(): Failed {
  const message = 'page_token does not belong to this query: run again without --page-token';
  const { failure } = failUsage('page_token', message);
  return { ok: false, failure: { ...failure, reason: 'PAGE_TOKEN_INVALID' } };
}

/** A list that goes on says so; JSON has the token in its data. */
export async function noteMore(
  { reporter, manner }: Pick<Context, 'reporter' | 'manner'>,
  pageToken: string,
): Promise<void> {
  if (pageToken === '' || (manner.output === 'json' && !manner.fields)) return;
  await reporter.note(`more items: --all, or --page-token ${pageToken}`);
}
