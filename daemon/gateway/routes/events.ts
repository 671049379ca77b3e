import { z } from 'zod';

import type { Rejection } from '../../../core/reasons.ts';
import { toLineJson } from '../../../lib/json/statements.ts';
import {
  StatementServiceService as statement,
  WatchLinesRequest,
  type WatchLinesResponse,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { findTransientRejection } from '../../platform/transient-rejection.ts';
import { uuid } from '../http/fields.ts';
import { fault, toProblem, type Fault } from '../http/problems.ts';
import { defineRoute, type Answer, type Route, type RouteInput } from '../http/route.ts';
import { createNumbering, maxIdLength, readPlace } from './event-ids.ts';

const maxUsers = 50;

const query = z.strictObject({
  user: z
    .union([uuid.transform((id) => [id]), z.array(uuid).max(maxUsers)])
    .optional()
    .meta({ description: 'Staff: whose wallets, at most 50 in all; may be repeated' }),
  cursor: z.string().max(maxIdLength).optional().meta({
    description: 'As the header Last-Event-ID: where to go on',
  }),
});

/** Streams of one gateway; the statement service bounds those of one user. */
const defaultMaxStreams = 100;

/** `/v1/events`: server-sent events, on `WatchLines` of the statement service. */
export const eventRoutes = (maxStreams = defaultMaxStreams): readonly Route[] => {
  let open = 0;
  return [
    defineRoute({
      method: 'GET',
      path: '/v1/events',
      tag: 'events',
      summary: 'Follow transactions as they are made (server-sent events)',
      description:
        'An event `line` for each statement line, in order of `seq` within a wallet and without ' +
        'a gap. `id` is a cursor: `Last-Event-ID` resumes there without loss, at any gateway. A ' +
        'comment each 15 s shows that the stream lives. An event `problem` is the last one.',
      credential: 'required',
      query,
      answers: { 200: { description: 'The events', contentTypes: ['text/event-stream'] } },
      problems: ['USER_NOT_FOUND', 'USER_REQUIRED'],
      run: async (input) => {
        if (open >= maxStreams) return tooManyStreams(maxStreams);
        open += 1;
        let isOpen = true;
        return follow(input, () => {
          if (isOpen) open -= 1;
          isOpen = false;
        });
      },
    }),
  ];
};

const tooManyStreams = (limit: number): Answer => ({
  ok: false,
  fault: fault('OVERLOADED', `${limit} streams are open already: try again shortly`, {
    limit: String(limit),
  }),
});

type Input = Pick<
  RouteInput<unknown, z.infer<typeof query>, unknown>,
  'query' | 'headers' | 'callers' | 'callOptions' | 'requestId' | 'signal'
>;

/** `release` is called once the stream is over, and perhaps again. */
async function follow(input: Input, release: () => void): Promise<Answer> {
  const { query: asked, headers, callers, callOptions, requestId, signal } = input;
  const place = readPlace(headers['last-event-id'] ?? asked.cursor ?? '');
  if (!place.ok) {
    release();
    return place;
  }
  const { cursor } = place.value;
  const request = WatchLinesRequest.fromPartial({ userIds: asked.user ?? [], cursor });
  // A stream has no deadline; it ends when the client leaves, or the gateway stops.
  const { deadlineMs: _deadlineMs, ...options } = callOptions;
  const answers = callers.statement
    .stream(statement.watchLines, request, { ...options, signal })
    [Symbol.asyncIterator]();
  // A client that leaves before its stream is read has no one to end the call.
  const leave = (): void => {
    release();
    void answers.return?.();
  };
  callOptions.signal?.addEventListener('abort', leave, { once: true });
  // The gateway ends the call itself when it stops.
  const explain = (rejection: Rejection): Fault =>
    signal.aborted && rejection.reason === 'CANCELLED' ? stopping : rejection;
  // A refusal comes before the first answer, and is an answer of HTTP.
  const first = await takeFirst(answers, explain);
  if (!first.ok) {
    release();
    return first;
  }
  return {
    ok: true,
    status: 200,
    headers: { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' },
    stream: toEvents(first.value, answers, {
      numbering: createNumbering(place.value),
      toLast: (rejection) => formatEvent('problem', toProblem(explain(rejection), requestId)),
      release,
    }),
  };
}

const stopping = fault('SHUTTING_DOWN', 'the server is stopping: go on with the last id');

type Answers = AsyncIterator<WatchLinesResponse>;
type First =
  { readonly ok: true; readonly value: WatchLinesResponse } | Extract<Answer, { ok: false }>;

async function takeFirst(
  answers: Answers,
  explain: (rejection: Rejection) => Fault,
): Promise<First> {
  try {
    const next = await answers.next();
    return next.done ? { ok: false, fault: stopping } : { ok: true, value: next.value };
  } catch (err) {
    const rejection = findTransientRejection(err);
    if (!rejection) throw err;
    return { ok: false, fault: explain(rejection) };
  }
}

async function* toEvents(
  first: WatchLinesResponse,
  answers: Answers,
  parts: {
    readonly numbering: ReturnType<typeof createNumbering>;
    /** The last event of a stream that the service ends. */
    readonly toLast: (rejection: Rejection) => string;
    readonly release: () => void;
  },
): AsyncGenerator<string> {
  const { numbering, toLast, release } = parts;
  try {
    for (let next: IteratorResult<WatchLinesResponse> = { value: first }; !next.done;) {
      yield formatEvents(next.value, numbering);
      next = await answers.next();
    }
  } catch (err) {
    const rejection = findTransientRejection(err);
    if (!rejection) throw err;
    yield toLast(rejection);
  } finally {
    release();
    await answers.return?.();
  }
}

/** One text for each response. */
function formatEvents(
  { lines, cursor, inconsistencies }: WatchLinesResponse,
  numbering: ReturnType<typeof createNumbering>,
): string {
  const texts = inconsistencies.map((found) => formatEvent('inconsistency', found));
  const watched = lines.flatMap(({ line, ...wallet }) =>
    line ? [{ ...wallet, line, seq: line.seq }] : [],
  );
  const { numbered, id } = numbering.take(watched, cursor);
  for (const { line: of, id: ofLine } of numbered) {
    const { walletId, userId, currency, exponent, line } = of;
    const shown = toLineJson({ currency, exponent, timezone: 'UTC' }, line);
    texts.push(formatEvent('line', { walletId, userId, currency, ...shown }, ofLine));
  }
  // Nothing new: a comment, and the cursor for a client that connects again.
  if (texts.length === 0) return `: \nid: ${id}\n\n`;
  return texts.join('');
}

const formatEvent = (event: string, data: object, id?: string): string =>
  `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
