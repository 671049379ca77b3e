import { z } from 'zod';

import { toLineJson } from '../../../lib/json/statements.ts';
import {
  StatementServiceService as statement,
  WatchLinesRequest,
  type WatchLinesResponse,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { findTransientRejection } from '../../platform/transient-rejection.ts';
import { uuid } from '../http/fields.ts';
import { fault, toProblem } from '../http/problems.ts';
import { defineRoute, type Answer, type Route } from '../http/route.ts';

const maxUsers = 50;

const query = z.strictObject({
  user: z
    .union([uuid.transform((id) => [id]), z.array(uuid).max(maxUsers)])
    .optional()
    .meta({ description: 'Staff: whose wallets, at most 50 in all; may be repeated' }),
  cursor: z.string().max(4_096).optional().meta({
    description: 'As the header Last-Event-ID: where to go on',
  }),
});

/** `/v1/events`: server-sent events, on `WatchLines` of the statement service. */
export const eventRoutes: readonly Route[] = [
  defineRoute({
    method: 'GET',
    path: '/v1/events',
    tag: 'events',
    summary: 'Follow transactions as they are made (server-sent events)',
    description:
      'An event `line` for each statement line, in order of `seq` within a wallet and without a ' +
      'gap. `id` is a cursor: `Last-Event-ID` resumes there without loss, at any gateway. A comment ' +
      'each 15 s shows that the stream lives. An event `problem` is the last one.',
    credential: 'required',
    query,
    answers: { 200: { description: 'The events', contentTypes: ['text/event-stream'] } },
    problems: ['USER_NOT_FOUND', 'USER_REQUIRED'],
    run: async ({
      query: { user = [], cursor },
      headers,
      callers,
      callOptions,
      requestId,
      signal,
    }) => {
      const request = WatchLinesRequest.fromPartial({
        userIds: user,
        cursor: headers['last-event-id'] ?? cursor ?? '',
      });
      // A stream has no deadline; it ends when the client leaves, or the gateway stops.
      const { deadlineMs: _deadlineMs, ...options } = callOptions;
      const answers = callers.statement
        .stream(statement.watchLines, request, { ...options, signal })
        [Symbol.asyncIterator]();
      // A refusal comes before the first answer, and is an answer of HTTP.
      const first = await takeFirst(answers);
      if (!first.ok) return first;
      return {
        ok: true,
        status: 200,
        headers: { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' },
        stream: toEvents(first.value, answers, requestId),
      };
    },
  }),
];

type Answers = AsyncIterator<WatchLinesResponse>;
type First =
  { readonly ok: true; readonly value: WatchLinesResponse } | Extract<Answer, { ok: false }>;

async function takeFirst(answers: Answers): Promise<First> {
  try {
    const next = await answers.next();
    if (!next.done) return { ok: true, value: next.value };
    return { ok: false, fault: fault('SHUTTING_DOWN', 'the stream ended at once: try again') };
  } catch (err) {
    const rejection = findTransientRejection(err);
    if (!rejection) throw err;
    return { ok: false, fault: rejection };
  }
}

async function* toEvents(
  first: WatchLinesResponse,
  answers: Answers,
  requestId: string,
): AsyncGenerator<string> {
  try {
    for (let next: IteratorResult<WatchLinesResponse> = { value: first }; !next.done;) {
      yield formatEvents(next.value);
      next = await answers.next();
    }
  } catch (err) {
    const rejection = findTransientRejection(err);
    if (!rejection) throw err;
    yield formatEvent('problem', toProblem(rejection, requestId));
  } finally {
    await answers.return?.();
  }
}

/** One text for each response: its lines, of which the last has the cursor as its id. */
function formatEvents({ lines, cursor, inconsistencies }: WatchLinesResponse): string {
  const texts = inconsistencies.map((found) => formatEvent('inconsistency', found));
  lines.forEach(({ walletId, userId, currency, exponent, line }, i) => {
    if (!line) return;
    const shown = toLineJson({ currency, exponent, timezone: 'UTC' }, line);
    const id = i === lines.length - 1 ? cursor : undefined;
    texts.push(formatEvent('line', { walletId, userId, currency, ...shown }, id));
  });
  // Nothing new: a comment, and the cursor for a client that connects again.
  if (texts.length === 0) return `: \nid: ${cursor}\n\n`;
  return texts.join('');
}

const formatEvent = (event: string, data: object, id?: string): string =>
  `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
