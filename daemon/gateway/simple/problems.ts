import { reasonCodes, type Reason } from '../../../core/reasons.ts';
import type { ProblemReason } from '../http/problems.ts';

/** Where the simple API is. */
const prefixes = ['/auth/', '/wallet/', '/statement/'];

/** Whether a route is of the simple API. */
export const isSimplePath = (path: string): boolean =>
  prefixes.some((prefix) => path.startsWith(prefix));

/**
 * Problems of the simple API have the members too that clients of the system after which it is made
 * read: `error`, and for 401 `statusCode` and `message`.
 */
export function decorateSimpleProblem(path: string, problem: object): object {
  if (!isSimplePath(path)) return problem;
  const { status, detail } = problem as { readonly status: number; readonly detail: string };
  const unauthorized = status === 401 ? { statusCode: 401, message: 'Unauthorized' } : {};
  return { ...problem, error: [detail], ...unauthorized };
}

const refusedByLedger = (Object.keys(reasonCodes) as Reason[]).filter(
  (reason) => reasonCodes[reason] === 'FAILED_PRECONDITION',
);

/** What the ledger refuses, and an address that is taken, is 400 there and 409 under `/v1`. */
export const simpleStatuses: Readonly<Partial<Record<ProblemReason, number>>> = Object.fromEntries(
  [...refusedByLedger, 'EMAIL_TAKEN'].map((reason) => [reason, 400]),
);
