import type { Http2Server, Http2Session, ServerHttp2Session } from 'node:http2';

import { createAllowance, type Rate } from '../../concurrency/allowance.ts';
import { createTokenBucket } from '../../concurrency/token-bucket.ts';

export type FrameLimits = {
  /** DATA frames of a few bytes, past the first ones of each stream. */
  readonly smallFrames: Rate;
  /**
   * Bytes that are neither requests nor their data: PRIORITY, WINDOW_UPDATE, PING, SETTINGS, frames
   * of unknown types, headers that were refused, data of streams that are closed.
   */
  readonly controlBytes: Rate;
  /** Streams that the client resets before they are answered. */
  readonly resets: Rate;
  /** Calls refused or answered without a credential that was accepted; the rest waits. */
  readonly unauthenticated: Rate;
};

/**
 * Measured on two cores: a small DATA frame costs 2 µs, a MiB of control frames 10 to 25 ms, a call
 * that is opened and reset 100 µs, one without a credential 60 to 80 µs. So a connection costs less
 * than 50 ms before it is cut or slowed down.
 */
export const frameLimits: FrameLimits = {
  smallFrames: { burst: 8_192, perSecond: 2_048 },
  controlBytes: { burst: 256 * 1024, perSecond: 32 * 1024 },
  resets: { burst: 200, perSecond: 50 },
  unauthenticated: { burst: 400, perSecond: 4_000 },
};

/** A DATA frame with less is small: with its head it takes 41 bytes, and 2 µs of processor time. */
const smallBytes = 32;
/**
 * Of each stream: a head by itself, a last frame, a client that writes a short message in parts.
 */
const freeSmallFrames = 8;
const frameHeadBytes = 9;
/** Of each stream: its own WINDOW_UPDATE, RST_STREAM, PRIORITY, an empty DATA frame as its end. */
const streamControlBytes = 256;
/** Of what we write, a reader acknowledges some by WINDOW_UPDATE and PING. */
const writtenShare = 1 / 4;
/** Of a header: what HPACK adds to name and value. */
const headerBytes = 8;
const checkEveryMs = 100;
const maxDelayMs = 1_000;

/** What one connection sends. */
export type ConnectionMeter = {
  /** Headers of a new stream, as names and values in turn. */
  seeHeaders(rawHeaders: readonly string[]): void;
  /** A DATA frame: the `nth` of its stream, from 1. */
  seeData(bytes: number, nth: number): void;
  /** A stream that its client gave up. */
  seeReset(): void;
  /** Does it at once, or later where this connection had more of these than it may. */
  delay(act: () => void, cost?: number): void;
};

export type FrameWatch = {
  of(session: Http2Session | undefined): ConnectionMeter;
  stop(): void;
};

export type FloodCause = 'small frames' | 'control frames' | 'resets';

type Meter = ConnectionMeter & { look(): void };

/**
 * Frame budget: ends connections whose frames cost far more than what they carry. Node's HTTP/2
 * reads the socket by itself and shows requests and data only, so what else there was follows from
 * the bytes that were read.
 */
export function watchFrames(options: {
  readonly server: Http2Server;
  readonly limits: FrameLimits;
  readonly end: (session: ServerHttp2Session, cause: FloodCause) => void;
}): FrameWatch {
  const { server, limits, end } = options;
  const meters = new Map<Http2Session, Meter>();
  server.on('session', (session) => {
    meters.set(
      session,
      createMeter(session, limits, (cause) => end(session, cause)),
    );
    session.once('close', () => meters.delete(session));
  });
  const look = (): void => {
    for (const [session, meter] of meters) if (!session.destroyed) meter.look();
  };
  const timer = setInterval(look, checkEveryMs);
  timer.unref();
  return {
    of: (session) => (session && meters.get(session)) ?? unmetered,
    stop: () => clearInterval(timer),
  };
}

/** A connection that is over: nothing more comes. */
const unmetered: ConnectionMeter = {
  seeHeaders: () => undefined,
  seeData: () => undefined,
  seeReset: () => undefined,
  delay: (act) => act(),
};

function createMeter(
  session: Http2Session,
  limits: FrameLimits,
  onFlood: (cause: FloodCause) => void,
): Meter {
  const smallFrames = createAllowance(limits.smallFrames, now);
  const controlBytes = createAllowance(limits.controlBytes, now);
  const resets = createAllowance(limits.resets, now);
  let delay: ConnectionMeter['delay'] | undefined;
  let expectedBytes = 0;
  let readBefore = 0;
  let writtenBefore = 0;
  return {
    seeHeaders: (rawHeaders) => {
      let bytes = frameHeadBytes + streamControlBytes + rawHeaders.length * (headerBytes / 2);
      for (const text of rawHeaders) bytes += text.length;
      expectedBytes += bytes;
    },
    seeData: (bytes, nth) => {
      expectedBytes += bytes + frameHeadBytes;
      if (bytes >= smallBytes || nth <= freeSmallFrames || session.destroyed) return;
      if (!smallFrames.take(1)) onFlood('small frames');
    },
    seeReset: () => {
      // With its session every open stream is given up.
      if (!session.destroyed && !resets.take(1)) onFlood('resets');
    },
    delay: (act, cost) => {
      delay ??= createTokenBucket({ ...limits.unauthenticated, maxWaitMs: maxDelayMs }, clock);
      delay(act, cost);
    },
    look: () => {
      const { bytesRead, bytesWritten } = session.socket;
      const written = (bytesWritten - writtenBefore) * writtenShare;
      const control = bytesRead - readBefore - expectedBytes - written;
      readBefore = bytesRead;
      writtenBefore = bytesWritten;
      // Headers are counted as they read: more than they took on the wire is no credit for later.
      expectedBytes = 0;
      if (control > 0 && !controlBytes.take(control)) onFlood('control frames');
    },
  };
}

const now = (): number => performance.now();
const clock = {
  nowMs: now,
  wait: (durationMs: number, onTime: () => void): void => void setTimeout(onTime, durationMs),
};
