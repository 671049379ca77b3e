import { randomInt } from 'node:crypto';

import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib';

import { onAbort, sleepUnlessAborted } from '../../concurrency/abort.ts';
import type { Log } from '../../log.ts';
import { hostOf, parseBrokerUrls } from './broker-urls.ts';
import { findHint, isConflict } from './declaration-conflict.ts';
import { readDeepHeaders } from './deep-headers.ts';

/** A connection with one channel, which reconnects until it is stopped. */
export type Session = {
  /** The channel, while it stands. */
  channel(): ConfirmChannel | undefined;
  /** Why it does not stand, or makes no progress; undefined if all is well. */
  findTrouble(): string | undefined;
  stop(): Promise<void>;
};

export type SessionOptions = {
  readonly name: string;
  /** One URL, or several with commas: one that answers is used. */
  readonly url: string;
  readonly log: Log;
  /** Declares and subscribes; run again after each loss. Rejects to try again later. */
  readonly setup: (channel: ConfirmChannel) => Promise<void>;
};

const connectTimeoutMs = 5_000;
const closeTimeoutMs = 1_000;
const minBackoffMs = 200;
const maxBackoffMs = 3_000;
/** A queue declared otherwise does not heal by itself: it is looked at again now and then. */
const conflictBackoffMs = 15_000;
const heartbeatSeconds = 10;

/**
 * Connects, and connects again whenever connection or channel are lost. A channel that the broker
 * closed (404, 406, a double ack) recovers nothing by itself, so its loss counts like the
 * connection's: everything is built anew.
 */
export function keepSession(options: SessionOptions): Session {
  let channel: ConfirmChannel | undefined;
  let trouble: string | undefined = 'not connected yet';
  const stopping = new AbortController();
  const { signal: stopped } = stopping;
  const nodes = createNodes(options.url);

  const reportTrouble = (cause: string): void => {
    const hint = findHint(cause);
    const problem = hint === undefined ? cause : `${cause} (${hint})`;
    if (problem !== trouble)
      options.log.warn({ session: options.name, problem }, 'RabbitMQ trouble');
    trouble = problem;
  };

  const liveOnce = async (): Promise<void> => {
    const connection = await nodes.connect(`walletd ${options.name}`, isDone);
    if (!connection) return;
    readDeepHeaders(connection);
    let problem: string | undefined;
    let end = (): void => undefined;
    const ended = new Promise<void>((resolve) => {
      end = resolve;
      connection.on('close', () => resolve());
      connection.on('error', (err) => (problem ??= err.message));
    });
    const stopListening = onAbort(stopped, () => end());
    connection.on('blocked', (reason) => reportTrouble(`the broker takes no messages: ${reason}`));
    connection.on('unblocked', () => (trouble = undefined));
    try {
      if (isDone()) return;
      const opened = await connection.createConfirmChannel();
      opened.on('error', (err) => (problem ??= err.message));
      opened.on('close', () => end());
      await options.setup(opened);
      if (isDone()) return;
      channel = opened;
      trouble = undefined;
      options.log.info({ session: options.name }, 'RabbitMQ connected');
      await ended;
      if (!isDone()) reportTrouble(problem ?? 'the connection was lost');
    } catch (err) {
      nodes.useNext();
      throw problem === undefined ? err : new Error(problem, { cause: err });
    } finally {
      stopListening();
      channel = undefined;
      await closeWithin(connection);
    }
  };

  const live = async (): Promise<void> => {
    for (let failures = 0; !isDone();) {
      const startedAt = performance.now();
      await liveOnce().catch((err: unknown) => reportTrouble(explain(err)));
      failures = performance.now() - startedAt > 10_000 ? 0 : failures + 1;
      if (isDone()) return;
      const backoffMs = Math.min(maxBackoffMs, minBackoffMs * 2 ** failures);
      const pauseMs = isConflict(trouble) ? conflictBackoffMs : backoffMs;
      await sleepUnlessAborted(pauseMs, stopped);
    }
  };
  const isDone = (): boolean => stopped.aborted;
  const living = live();

  return {
    channel: () => channel,
    findTrouble: () => trouble,
    stop: async () => {
      stopping.abort();
      await living;
    },
  };
}

/**
 * The nodes of a broker. Sessions begin with one at random, so that they are spread, and stay with
 * it while it works; otherwise the next one is tried.
 */
function createNodes(text: string) {
  const parsed = parseBrokerUrls(text);
  if (!parsed.ok) throw new Error(`RABBITMQ_URL ${parsed.problem}`);
  const { urls } = parsed;
  let current = randomInt(urls.length);
  const useNext = (): void => void (current = (current + 1) % urls.length);
  return {
    useNext,
    /** Tries each once; undefined if that is not wanted any more. */
    connect: async (name: string, isDone: () => boolean): Promise<ChannelModel | undefined> => {
      const problems: string[] = [];
      for (const _url of urls) {
        if (isDone()) return undefined;
        const url = urls[current] as string;
        try {
          return await connect(withHeartbeat(url), {
            timeout: connectTimeoutMs,
            clientProperties: { connection_name: name },
          });
        } catch (err) {
          problems.push(urls.length > 1 ? `${hostOf(url)}: ${explain(err)}` : explain(err));
          useNext();
        }
      }
      // In one order, so that the same failure is reported once.
      throw new Error(problems.sort().join('; '));
    },
  };
}

/** A frozen broker never answers a close: it is not waited for. */
async function closeWithin(connection: ChannelModel): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, closeTimeoutMs);
  });
  await Promise.race([connection.close().catch(() => undefined), late]);
  clearTimeout(timer);
}

function withHeartbeat(url: string): string {
  const parsed = new URL(url);
  if (!parsed.searchParams.has('heartbeat')) {
    parsed.searchParams.set('heartbeat', String(heartbeatSeconds));
  }
  return parsed.href;
}

function explain(err: unknown): string {
  if (!(err instanceof Error)) return String(err);
  return err.message || ('code' in err ? String(err.code) : err.name);
}
