import { randomUUID } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

import { createAllowance, type Rate } from '../../platform/concurrency/allowance.ts';
import { fault, toProblem, type Fault } from './problems.ts';

/** What every answer says to browsers. */
export const securityHeaders = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': '',
  'cache-control': 'no-store',
} as const;

export type ConnectionState = {
  /** A request has come: it begins once those before it are answered. */
  receive(request: IncomingMessage, response: ServerResponse): void;
  /** Nothing more is read. What came before is answered, then this is, and the connection ends. */
  endWith(cause: Fault): void;
  /** True if the connection may cost so much more; a request costs 1. */
  take(cost: number): boolean;
  /** Costs so much, whatever is left. */
  charge(cost: number): void;
  /** The caller turned out to be known. */
  giveBack(cost: number): void;
  /** Takes no more bytes from the client. */
  stopReading(): void;
  /** Since when no whole request is unanswered; undefined while one is. */
  findIdleSinceMs(): number | undefined;
};

/**
 * A request without a valid credential costs 0.1 to 0.3 ms of processor time. So one connection
 * costs less than 50 ms before it is ended, however much it sends at once.
 */
const unknownCallers: Rate = { burst: 150, perSecond: 200 };
/** Requests that a client sends ahead of their answers. */
const maxWaiting = 200;
const maxHeaders = 100;
/** How long a client may take for its last answer. */
const lingerMs = 1_000;
/** How long those before a broken request are waited for: longer than any call takes. */
const lastWordMs = 35_000;

const tooMany = fault(
  'THROTTLED',
  'too many requests without a valid credential came over this connection: open another one later',
  { retryAfterSeconds: '1' },
);
const tooFarAhead = fault(
  'THROTTLED',
  `more than ${maxWaiting} requests were sent ahead of their answers: wait for answers`,
  { retryAfterSeconds: '1' },
);

const tooManyHeaders = fault('HEADERS_TOO_LARGE', `a request has at most ${maxHeaders} headers`);

type Exchange = { readonly request: IncomingMessage; readonly response: ServerResponse };

const nowMs = (): number => performance.now();

/**
 * The requests of one connection: one after the other, so that what a client sends in a row is done
 * in that order, and what follows a broken request is not done at all.
 */
export function createConnectionState(socket: Socket, handle: RequestListener): ConnectionState {
  const allowance = createAllowance(unknownCallers, nowMs);
  const reading = createReading(socket);
  const waiting: Exchange[] = [];
  let current: Exchange | undefined;
  let lastWord: Fault | undefined;
  let isOver = false;
  let idleSinceMs = nowMs();

  const sayLastWord = (): void => {
    if (!lastWord || isOver) return;
    isOver = true;
    writeProblem(socket, lastWord);
  };
  const begin = (exchange: Exchange): void => {
    current = exchange;
    const { request, response } = exchange;
    response.once('close', finish);
    // Node makes an object of them when it is first looked at, which is dear.
    const isWordy = request.rawHeaders.length > 2 * maxHeaders;
    if (!isWordy && allowance.take(1)) {
      handle(request, response);
      return;
    }
    isOver = true;
    reading.hold();
    const { status, head, body } = formatProblem(isWordy ? tooManyHeaders : tooMany);
    response.writeHead(status, { ...head, connection: 'close' }).end(body);
  };
  const finish = (): void => {
    idleSinceMs = nowMs();
    // After an answer that was the last one Node has ended the socket by now, whatever the reason:
    // what waits is neither done nor answered.
    if (socket.writableEnded) isOver = true;
    current = undefined;
    if (isOver || socket.destroyed) return;
    const next = waiting.shift();
    if (waiting.length === 0 && !lastWord) reading.release();
    if (next) begin(next);
    else sayLastWord();
  };
  const endWith = (cause: Fault): void => {
    if (isOver || lastWord) return;
    lastWord = cause;
    reading.hold();
    const last = waiting.at(-1) ?? current;
    const isBroken = last?.request.complete === false;
    if (isBroken && last === current) {
      // Its own body is broken: this is its answer, unless that has begun.
      if (last.response.headersSent) socket.destroy();
      else sayLastWord();
      return;
    }
    if (isBroken) waiting.pop();
    if (current) setTimeout(() => socket.destroy(), lastWordMs).unref();
    else sayLastWord();
  };
  const receive = (request: IncomingMessage, response: ServerResponse): void => {
    if (isOver || lastWord) return;
    if (!current) {
      begin({ request, response });
      return;
    }
    reading.hold();
    if (waiting.length < maxWaiting) waiting.push({ request, response });
    else endWith(tooFarAhead);
  };
  return {
    receive,
    endWith,
    stopReading: reading.hold,
    ...{ take: allowance.take, charge: allowance.charge, giveBack: allowance.giveBack },
    findIdleSinceMs: () => (current?.request.complete === true ? undefined : idleSinceMs),
  };
}

/** Stops reading after the bytes at hand: at the end of each request in them Node starts it again. */
function createReading(socket: Socket): { hold(): void; release(): void } {
  let isHeld = false;
  const endAtOnce = socket.destroySoon.bind(socket);
  // With this Node ends the connection after the answer that is the last one.
  socket.destroySoon = () => (isHeld ? linger(socket) : endAtOnce());
  return {
    hold: () => {
      if (isHeld) return;
      isHeld = true;
      process.nextTick(() => {
        if (isHeld) socket.pause();
      });
    },
    release: () => {
      if (!isHeld) return;
      isHeld = false;
      socket.resume();
    },
  };
}

/** Writes an answer for what never became a request, and ends the connection. */
function writeProblem(socket: Socket, cause: Fault): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const { status, title, head, body } = formatProblem(cause);
  const lines = Object.entries({ ...head, connection: 'close' }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  socket.write(`HTTP/1.1 ${status} ${title}\r\n${lines.join('')}\r\n${body}`);
  linger(socket);
}

/**
 * Ends a connection on which bytes wait that are not read any more. The system would reset it if it
 * were closed at once, and the client would lose answers that it has not read yet.
 */
function linger(socket: Socket): void {
  socket.on('resume', () => socket.pause()).pause();
  if (socket.writable) socket.end();
  setTimeout(() => socket.destroy(), lingerMs).unref();
}

function formatProblem(cause: Fault) {
  const requestId = randomUUID();
  const { status, title, retryAfterMs, ...others } = toProblem(cause, requestId);
  const body = JSON.stringify({ status, title, ...others, retryAfterMs });
  const head = {
    ...securityHeaders,
    'x-request-id': requestId,
    'content-type': 'application/problem+json',
    ...(retryAfterMs === undefined ? {} : { 'retry-after': String(retryAfterMs / 1_000) }),
    'content-length': String(Buffer.byteLength(body)),
  };
  return { status, title, head, body };
}
