import type { Context } from '../../context.ts';
import {
  done,
  failUsage,
  succeed,
  type CommandOutcome,
  type Failed,
  type Outcome,
} from '../../outcome.ts';
import type { ListPrinter } from '../../output/print.ts';

/** How much of a list is wanted, as it was typed. */
export type LimitOptions = {
  readonly limit?: string;
  readonly all?: boolean;
};

export type PageOptions = LimitOptions & { readonly pageToken?: string };

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

/** A list to print: from `pageToken` on, `limit` rows at most. */
type ListRange = {
  readonly limit: number;
  readonly pageToken: string | undefined;
  readonly ifEmpty: string;
  /** What the server gives at once; default 100. */
  readonly maxPageSize?: number;
};

type Page<Row> = { readonly rows: readonly Row[]; readonly nextPageToken: string };

/** Prints a list page by page, up to its limit, and says whether it goes on. */
export async function printPages<Row>(
  context: Pick<Context, 'reporter' | 'manner' | 'io'>,
  list: ListPrinter<Row>,
  { limit, ifEmpty, maxPageSize = 100, pageToken: firstToken = '' }: ListRange,
  fetch: (pageSize: number, pageToken: string) => Promise<Outcome<Page<Row>>>,
): Promise<CommandOutcome> {
  let left = limit;
  let pageToken = firstToken;
  do {
    const page = await fetch(Math.min(left, maxPageSize), pageToken);
    if (!page.ok) return page;
    await list.add(page.value.rows);
    left -= page.value.rows.length;
    pageToken = page.value.nextPageToken;
  } while (pageToken !== '' && left > 0 && !context.io.stdout.fault);
  await list.end(pageToken === '' ? undefined : pageToken, ifEmpty);
  await noteMore(context, pageToken);
  return done;
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
