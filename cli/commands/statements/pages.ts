import {
  StatementServiceService,
  type GenerateStatementRequest,
  type GenerateStatementResponse,
  type StatementLine,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import type { Context } from '../../context.ts';
import { fail, succeed, type Outcome } from '../../outcome.ts';
import { startFilteredCheck, startStatementCheck, type StatementCheck } from './check.ts';
import { nameStatementStatus, type StatementStatusName } from '../../../lib/json/statements.ts';

/** The request for the next page, and how many lines may still be shown. */
export type Query = { readonly request: GenerateStatementRequest; readonly limit: number };

export const maxPageSize = 500;

export type Page = {
  readonly status: StatementStatusName;
  readonly page: GenerateStatementResponse;
};

/** A page of a statement, as the server answers it. */
export async function fetchPage(
  context: Context,
  { request, limit }: Query,
): Promise<Outcome<Page>> {
  const method = StatementServiceService.generateStatement;
  const sized = { ...request, pageSize: Math.min(limit, maxPageSize) };
  const got = await context.caller.call(method, sized, 'read');
  if (!got.ok) return got;
  const status = nameStatementStatus(got.value.status);
  if (!status)
    return fail('UNEXPECTED', 'the server answered with a status that this version does not know');
  return succeed({ status, page: got.value });
}

/** Where the pages ended, and what contradicts the ledger on any of them. */
export type Ended = {
  /** Of the page after the last one; undefined where there is none. */
  readonly pageToken: string | undefined;
  readonly inconsistency: string | undefined;
};

const inconsistencyOf = ({ status, page }: Page): string | undefined =>
  status === 'inconsistent' ? (page.statement?.inconsistency ?? '') : undefined;

/** Runs `use` on the lines of each page, in order, after they have been checked. */
export async function eachPage(
  context: Context,
  { request, limit }: Query,
  first: Page,
  use: (lines: readonly StatementLine[]) => Promise<void>,
): Promise<Outcome<Ended>> {
  const check = first.status === 'complete' ? startCheck(first, request) : undefined;
  let { page } = first;
  let inconsistency = inconsistencyOf(first);
  let left = limit;
  for (;;) {
    const lines = page.statement?.lines ?? [];
    const sound = inconsistency === undefined ? check : undefined;
    const added = sound?.addLines(lines) ?? succeed(undefined);
    if (!added.ok) return added;
    await use(lines);
    left -= lines.length;
    const { nextPageToken: pageToken } = page;
    if (pageToken === '') {
      const ended = sound?.end() ?? succeed(undefined);
      return ended.ok ? succeed({ pageToken: undefined, inconsistency }) : ended;
    }
    if (left <= 0 || context.io.stdout.fault) return succeed({ pageToken, inconsistency });
    const next = await fetchPage(context, { request: { ...request, pageToken }, limit: left });
    if (!next.ok) return next;
    ({ page } = next.value);
    inconsistency ??= inconsistencyOf(next.value);
  }
}

function startCheck(
  { page }: Page,
  { operations, descending, pageToken }: GenerateStatementRequest,
): StatementCheck | undefined {
  if (!page.statement) return undefined;
  return operations.length > 0
    ? startFilteredCheck(page.statement, operations)
    : startStatementCheck(page.statement, {
        isReversed: descending,
        startsMidway: pageToken !== '',
      });
}
