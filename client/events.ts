import type { Problem, StatementLine } from './gen/api.ts';
import type { CallOptions } from './options.ts';
import { parseObject, WalletProblem } from './problem.ts';
import { sleep, type Sender } from './send.ts';
import { createSseParser, type ServerEvent } from './sse.ts';

/** A transaction that was made, as a line of its wallet's statement. */
export type LineEvent = StatementLine & {
  readonly type: 'line';
  readonly walletId: string;
  readonly userId: string;
  readonly currency: string;
};

/** A wallet whose lines contradict its ledger: it has no events until that is repaired. */
export type InconsistencyEvent = {
  readonly type: 'inconsistency';
  readonly walletId: string;
} & Readonly<Record<string, unknown>>;

export type FollowedEvent = (LineEvent | InconsistencyEvent) & {
  /** Where to go on after this event; undefined: after one that follows at once. */
  readonly cursor: string | undefined;
};

export type FollowOptions = Pick<CallOptions, 'signal'> & {
  /** Staff: whose wallets, at most 50 in all. */
  readonly user?: string | readonly string[] | undefined;
  /** Of an event of an earlier run; without one it begins now. */
  readonly cursor?: string | undefined;
  /** Connections that are lost one after another without an event between; default 5. */
  readonly maxReconnects?: number | undefined;
};

/** The server sends something every 15 s: after this the connection is taken for lost. */
const silenceMs = 45_000;
const maxDelayMs = 5_000;
/** After these, another server, or the same one later, goes on with the stream. */
const passingReasons: ReadonlySet<string> = new Set([
  ...['SHUTTING_DOWN', 'OVERLOADED', 'DATABASE_UNAVAILABLE', 'DATABASE_BUSY', 'STREAM_IDLE'],
  ...['AUTH_UNAVAILABLE', 'TOKEN_EXPIRED', 'THROTTLED', 'CONNECTION_FAILED', 'TIMED_OUT'],
]);

/**
 * The lines of wallets as they are made, each once and in order within a wallet, across lost
 * connections. Ends when the signal is aborted; throws a WalletProblem when the server refuses, or
 * too many connections are lost.
 */
export async function* followEvents(
  sender: Sender,
  options: FollowOptions,
): AsyncGenerator<FollowedEvent, void, undefined> {
  const { signal, user, maxReconnects = 5 } = options;
  const position = { cursor: options.cursor ?? '' };
  for (let lost = 0; signal?.aborted !== true;) {
    try {
      for await (const events of connect(sender, { signal, user }, position)) {
        lost = 0;
        yield* events;
      }
      throw new WalletProblem({ reason: 'CONNECTION_FAILED', message: 'the stream has ended' });
    } catch (error) {
      // It was this signal that ended the stream.
      if (isAborted(signal)) return;
      if (!(error instanceof WalletProblem) || !passingReasons.has(error.reason)) throw error;
      lost += 1;
      if (lost > maxReconnects) throw error;
      await sleep(error.retryAfterMs ?? Math.min(200 * 2 ** lost, maxDelayMs), signal);
    }
  }
}

/** The signal may be aborted while something else is awaited. */
const isAborted = (signal: AbortSignal | undefined): boolean => signal?.aborted === true;

/**
 * The events of one connection, in groups. Of a group the last has the cursor: one that is cut in
 * the middle comes again as a whole, so it is held back until it is complete.
 */
async function* connect(
  sender: Sender,
  { signal, user }: Pick<FollowOptions, 'signal' | 'user'>,
  position: { cursor: string },
): AsyncGenerator<FollowedEvent[], void, undefined> {
  const headers = {
    accept: 'text/event-stream',
    ...(position.cursor === '' ? {} : { 'last-event-id': position.cursor }),
  };
  const request = { query: { user }, headers };
  const response = await sender.open('getEvents', request, { signal });
  let group: ReturnType<typeof toEvent>[] = [];
  for await (const event of readEvents(response)) {
    if (event.data !== '') group.push(toEvent(event));
    if (!event.hasId) continue;
    position.cursor = event.lastId;
    const last = group.length - 1;
    yield group.map((each, i) => ({ ...each, cursor: i === last ? event.lastId : undefined }));
    group = [];
  }
}

function toEvent({ event, data }: ServerEvent): LineEvent | InconsistencyEvent {
  const json = parseObject(data);
  if (!json) {
    throw new WalletProblem({ reason: 'ANSWER_INVALID', message: 'an event is not JSON' });
  }
  if (event === 'line') return { type: 'line', ...json } as LineEvent;
  if (event === 'inconsistency') return { type: 'inconsistency', ...json } as InconsistencyEvent;
  const { reason = 'ANSWER_INVALID', detail, ...problem } = json as Partial<Problem>;
  const message = detail ?? `the stream has an unknown event ${event}`;
  throw new WalletProblem({ ...problem, reason, message });
}

async function* readEvents(response: Response): AsyncGenerator<ServerEvent, void, undefined> {
  const body: ReadableStream<Uint8Array> | null = response.body;
  if (!body) return;
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const parser = createSseParser();
  try {
    for (;;) {
      const { done, value } = await withinSilence(reader.read());
      if (done) return;
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } catch (cause) {
    if (cause instanceof WalletProblem) throw cause;
    const message = 'the connection of the stream was lost';
    throw new WalletProblem({ reason: 'CONNECTION_FAILED', message, cause });
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

async function withinSilence<T>(read: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_resolve, reject) => {
    const message = `the stream was silent for ${silenceMs} ms`;
    timer = setTimeout(
      () => reject(new WalletProblem({ reason: 'TIMED_OUT', message })),
      silenceMs,
    );
  });
  try {
    return await Promise.race([read, silence]);
  } finally {
    clearTimeout(timer);
  }
}
