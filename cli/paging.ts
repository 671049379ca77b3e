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
