import { vi } from 'vitest';

import type { Result } from '../../../core/reasons.ts';
import {
  WatchLinesRequest,
  type WatchLinesResponse,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import type { UserPrincipal } from '../../platform/access/access.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import { findTransientRejection } from '../../platform/transient-rejection.ts';
import type { Line } from '../domain.ts';
import { contextOf, toMessage, valueOf, type StatementWorld } from '../test-support.ts';

type Statement = Awaited<ReturnType<StatementWorld['start']>>;
type Answers = AsyncIterable<WatchLinesResponse>;

const timing = { timeout: 20_000, interval: 20 };

/** A watch that is read in the background. */
type Watch = {
  /** `currency seq` of each line, in the order in which they came. */
  readonly seen: readonly string[];
  readonly responses: readonly WatchLinesResponse[];
  readonly texts: readonly string[];
  /** Of the last response. */
  cursor(): string;
  /** Resolves once there are so many lines; rejects if the watch ends before. */
  waitFor(count: number): Promise<void>;
  waitForResponses(count: number): Promise<void>;
  /** Resolves to the reason once the watch has ended. */
  readonly ended: Promise<string>;
  close(): Promise<string>;
};

/** Asks for a watch without gRPC as a given user. */
export function askWatch(
  { service }: Pick<Statement, 'service'>,
  principal: UserPrincipal,
  request: Partial<WatchLinesRequest> = {},
  context: Partial<CallContext> = {},
): Promise<Result<Answers>> {
  const handler = service.handlers['watchLines'];
  if (!handler) throw new Error('no handler watchLines');
  const whole = WatchLinesRequest.fromPartial(request);
  return handler(whole as never, { ...contextOf(principal), ...context }) as Promise<
    Result<Answers>
  >;
}

/** Opens a watch, and waits for its first response. */
export async function openWatch(
  statement: Pick<Statement, 'service'>,
  principal: UserPrincipal,
  request: Partial<WatchLinesRequest> = {},
): Promise<Watch> {
  let isClosed = false;
  const context = { isCancelled: () => isClosed };
  const answers = valueOf(await askWatch(statement, principal, request, context));
  const responses: WatchLinesResponse[] = [];
  const read = async (): Promise<string> => {
    try {
      for await (const response of answers) responses.push(response);
      return 'closed';
    } catch (err) {
      const rejection = findTransientRejection(err);
      if (!rejection) throw err;
      return `${rejection.reason} ${rejection.metadata['field'] ?? ''}`.trim();
    }
  };
  let end: string | undefined;
  const ended = read().then((reason) => (end = reason));
  const lines = (): string[] =>
    responses.flatMap((r) => r.lines.map(({ currency, line }) => `${currency} ${line?.seq}`));
  const waitUntil = (what: string, isThere: () => boolean): Promise<void> =>
    vi.waitFor(() => {
      if (!isThere()) throw new Error(`${what}: ${lines().join(', ')}; end: ${String(end)}`);
    }, timing);
  const watch: Watch = {
    responses,
    get seen() {
      return lines();
    },
    get texts() {
      return responses.flatMap((r) => r.inconsistencies.map((i) => i.inconsistency));
    },
    cursor: () => responses.at(-1)?.cursor ?? '',
    waitFor: (count) => waitUntil(`no ${count} lines`, () => lines().length >= count),
    waitForResponses: (count) =>
      waitUntil(`no ${count} responses`, () => responses.length >= count),
    ended,
    close: () => {
      isClosed = true;
      return ended;
    },
  };
  await watch.waitForResponses(1);
  return watch;
}

/** Stores lines as events bring them. */
export async function project(
  { consumers }: Pick<Statement, 'consumers'>,
  lines: readonly Line[],
): Promise<void> {
  await consumers[0]?.handle(lines.map(toMessage));
}

export const namesOf = (lines: readonly Line[]): string[] =>
  lines.map(({ currency, seq }) => `${currency} ${seq}`);
