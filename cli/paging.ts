import type { Context } from './context.ts';
import { failUsage, succeed, type Outcome } from './failures.ts';

/** How much of a list is wanted, as it was typed. */
export type LimitOptions = {
  readonly limit?: string;
  readonly all?: boolean;
};

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

/** A list that goes on says so; JSON has the token in its data. */
export async function tellOfMore(
  { tell, manner }: Pick<Context, 'tell' | 'manner'>,
  pageToken: string,
): Promise<void> {
  if (pageToken === '' || manner.output === 'json') return;
  await tell.note(`there are more: --all, or --page-token ${pageToken}`);
}
