import { refuse, succeed, type Rejection, type Result } from '../../../../core/reasons.ts';
import { createFairPool } from '../../concurrency/fair-pool.ts';

export type StreamShare = {
  /** Open streams of one method, of all users. */
  readonly all: number;
  /** Of these, of one caller. */
  readonly ofOne: number;
};

export type StreamLimits = StreamShare & {
  /** A stream without a request and without anything in flight is ended after so long. */
  readonly idleMs: number;
  /** No stream is ended to make room before it has done nothing for so long. */
  readonly settleMs: number;
};

/** A stream that has a slot. */
export type OpenStream = {
  /** A request of the caller has come in: it is in flight until `finishRequest`. */
  beginRequest(): void;
  /** The answers to the oldest request in flight have been handed on. */
  finishRequest(): void;
  /** The caller has to take answers before there are more; and it has taken some. */
  beginStall(): void;
  finishStall(): void;
  /** Since when it does nothing; undefined while something is in flight. */
  findIdleSinceMs(): number | undefined;
  /** Ends the stream with this, once. */
  end(rejection: Rejection): void;
  /** Calls back when the stream shall end, at once if it shall already. */
  onEnd(listener: (rejection: Rejection) => void): void;
  /** Takes no more requests: what is in flight is answered, then the stream ends with this. */
  finish(rejection: Rejection): void;
  /** Calls back when no more requests shall be taken, at once if so already. */
  onFinish(listener: (rejection: Rejection) => void): void;
  release(): void;
};

const lookEveryMs = 1_000;

/**
 * Slots for the streams of one method. When all are taken, a newcomer gets the slot of the longest
 * idle stream of the caller who has most.
 */
export function createStreamSlots(limits: StreamLimits, nowMs: () => number) {
  const pool = createFairPool(
    { all: limits.all, ofOne: () => limits.ofOne, replacesOwn: false },
    nowMs,
  );
  const open = new Set<OpenStream>();
  let timer: NodeJS.Timeout | undefined;
  let stopping: Rejection | undefined;
  const look = (): void => {
    for (const stream of open) {
      const sinceMs = stream.findIdleSinceMs();
      if (sinceMs !== undefined && nowMs() - sinceMs >= limits.idleMs) {
        stream.end(idleFor(limits.idleMs));
      }
    }
  };
  return {
    size: (): number => open.size,
    /** `isOneRequest`: the caller sends one request only, which is in flight to the end. */
    take: (caller: string, isOneRequest: boolean): Result<OpenStream> => {
      const stream = createOpenStream(isOneRequest, limits.settleMs, nowMs, () => {
        if (typeof place === 'object') place.release();
        open.delete(stream);
        if (open.size > 0) return;
        clearInterval(timer);
        timer = undefined;
      });
      const place = pool.acquire(caller, {
        findIdleSinceMs: stream.findSettledIdleSinceMs,
        end: () => stream.end(displaced),
      });
      if (typeof place !== 'object') {
        const limit = String(place === 'own' ? limits.ofOne : limits.all);
        return refuse(
          'OVERLOADED',
          `${limit} streams are open already: end one, or try again shortly`,
          { limit },
        );
      }
      open.add(stream);
      if (stopping) stream.finish(stopping);
      timer ??= setInterval(look, Math.min(lookEveryMs, limits.idleMs)).unref();
      return succeed(stream);
    },
    /** Finishes all streams, also those that are still opened. */
    finish: (rejection: Rejection): void => {
      stopping = rejection;
      for (const stream of open) stream.finish(rejection);
    },
  };
}

function createOpenStream(
  isOneRequest: boolean,
  settleMs: number,
  nowMs: () => number,
  onRelease: () => void,
) {
  let inFlight = isOneRequest ? 1 : 0;
  let activeAtMs = nowMs();
  let stalledAtMs: number | undefined;
  const end = createRejectionEvent();
  const finish = createRejectionEvent();
  const findIdleSinceMs = (): number | undefined =>
    stalledAtMs ?? (inFlight > 0 ? undefined : activeAtMs);
  return {
    beginRequest: () => {
      inFlight += 1;
      activeAtMs = nowMs();
    },
    finishRequest: () => {
      inFlight -= 1;
      activeAtMs = nowMs();
    },
    beginStall: () => {
      stalledAtMs ??= nowMs();
    },
    finishStall: () => {
      stalledAtMs = undefined;
      activeAtMs = nowMs();
    },
    findIdleSinceMs,
    findSettledIdleSinceMs: () => {
      const sinceMs = findIdleSinceMs();
      return sinceMs !== undefined && nowMs() - sinceMs >= settleMs ? sinceMs : undefined;
    },
    end: end.give,
    onEnd: end.listen,
    finish: finish.give,
    onFinish: finish.listen,
    release: onRelease,
  };
}

/** A rejection that is given once, to those who listen and those who will. */
function createRejectionEvent() {
  let given: Rejection | undefined;
  const listeners: ((rejection: Rejection) => void)[] = [];
  return {
    give: (rejection: Rejection): void => {
      if (given) return;
      given = rejection;
      for (const listener of listeners) listener(rejection);
    },
    listen: (listener: (rejection: Rejection) => void): void => {
      if (given) listener(given);
      else listeners.push(listener);
    },
  };
}

const idleFor = (idleMs: number): Rejection => {
  const idleSeconds = String(Math.round(idleMs / 1_000));
  const message = `nothing was sent or read for ${idleSeconds} s: open another stream to go on`;
  return refuse('STREAM_IDLE', message, { idleSeconds }).rejection;
};

const { rejection: displaced } = refuse(
  'OVERLOADED',
  'this stream was idle, and another caller needed its place: open another to go on',
);
