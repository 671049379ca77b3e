import { isUtf8 } from 'node:buffer';

import type { FastifyInstance, FastifyRequest } from 'fastify';

import { maxDepth, maxValues, parseJson, type ParsedJson } from '../../../core/json/json-text.ts';
import { connectionOf } from './listener.ts';
import { fault, found, type Fault, type Found } from './problems.ts';

export const maxBodyBytes = 256 * 1024;
/** A line more than any route takes: the rest is not looked at. */
const maxLines = 1_001;
/** A smaller part costs more to receive than to read: 2 µs. */
const smallBytes = 64;
const smallPartCost = 1 / 40;

/** Thrown by a parser of bodies; everything else that is thrown is a defect. */
export class RequestFault extends Error {
  readonly fault: Fault;
  constructor(cause: Fault) {
    super(cause.message);
    this.fault = cause;
  }
}

/** JSON, and JSON lines as `{ items }`. */
export function addBodyParsers(server: FastifyInstance): void {
  server.removeAllContentTypeParsers();
  const parsers = { 'application/json': readJson, 'application/x-ndjson': readLines };
  for (const [type, read] of Object.entries(parsers)) {
    server.addContentTypeParser(type, (request, payload, done) => {
      receive(request, payload, (received) => {
        const body = received.ok ? read(received.value) : received;
        if (body.ok) done(null, body.value);
        else done(new RequestFault(body.fault));
      });
    });
  }
}

/** The whole body as a text, or why there is none. */
function receive(
  request: FastifyRequest,
  payload: NodeJS.ReadableStream,
  done: (received: Found<string>) => void,
): void {
  const limit = request.routeOptions.bodyLimit;
  const refuse = (cause: Fault): void => done({ ok: false, fault: cause });
  if (!isCharsetKnown(request.headers['content-type'] ?? '')) {
    refuse(
      fault('MEDIA_TYPE_UNSUPPORTED', 'the charset of the body must be utf-8', {
        field: 'Content-Type',
      }),
    );
    return;
  }
  const tooLarge = fault('BODY_TOO_LARGE', `a body has at most ${limit} bytes`);
  if (Number(request.headers['content-length'] ?? '0') > limit) {
    refuse(tooLarge);
    return;
  }
  const connection = connectionOf(request.raw);
  const parts: Buffer[] = [];
  let length = 0;
  const stop = (): void => {
    payload.off('data', onData).off('end', onEnd).off('error', onError);
  };
  const onData = (part: Buffer): void => {
    length += part.length;
    const isSmall = part.length < smallBytes;
    const isFlood = isSmall && connection?.take(smallPartCost) === false;
    if (length <= limit && !isFlood) {
      parts.push(part);
      return;
    }
    stop();
    refuse(isFlood ? tooManyParts : tooLarge);
  };
  const onEnd = (): void => {
    stop();
    const [only] = parts;
    const bytes = parts.length === 1 && only ? only : Buffer.concat(parts, length);
    if (isUtf8(bytes)) done(found(bytes.toString('utf8')));
    else refuse(fault('JSON_INVALID', 'the body is not UTF-8'));
  };
  const onError = (): void => {
    stop();
    // The client has gone: no one reads the answer.
    refuse(fault('CANCELLED', 'the request was given up'));
  };
  payload.on('data', onData).on('end', onEnd).on('error', onError);
}

const tooManyParts = fault(
  'THROTTLED',
  'the body came in too many small parts: send it in larger ones',
  { retryAfterSeconds: '1' },
);

function isCharsetKnown(contentType: string): boolean {
  const charset = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(contentType)?.[1];
  return charset === undefined || /^utf-?8$/i.test(charset);
}

function readJson(text: string): Found<unknown> {
  if (text === '') return found(undefined);
  const parsed = parseJson(text);
  return parsed.ok ? found(parsed.value) : { ok: false, fault: describe(parsed.problem) };
}

function readLines(text: string): Found<unknown> {
  const items: unknown[] = [];
  let number = 0;
  for (let at = 0; at < text.length && items.length < maxLines;) {
    const newline = text.indexOf('\n', at);
    const end = newline < 0 ? text.length : newline;
    const line = text.slice(at, end).trim();
    at = end + 1;
    number += 1;
    if (line === '') continue;
    const parsed = parseJson(line);
    if (!parsed.ok) {
      const { reason, message } = describe(parsed.problem);
      const cause = fault(reason, `line ${number}: ${message}`, { line: String(number) });
      return { ok: false, fault: cause };
    }
    items.push(parsed.value);
  }
  return found({ items });
}

function describe(problem: Extract<ParsedJson, { ok: false }>['problem']): Fault {
  switch (problem.kind) {
    case 'syntax':
      return fault('JSON_INVALID', 'the body is not JSON');
    case 'too-deep':
      return fault(
        'JSON_INVALID',
        `objects and lists are within each other ${maxDepth} deep at most`,
      );
    case 'too-many':
      return fault('JSON_INVALID', `a body has at most ${maxValues} values`);
    case 'half-character':
      return fault('JSON_INVALID', 'a text has half of a surrogate pair, which is no character');
    case 'duplicate-key':
      return fault('JSON_INVALID', `the key ${shorten(problem.text)} is given twice`);
    case 'reserved-key':
      return fault('JSON_INVALID', `the key ${shorten(problem.text)} is not allowed`);
    case 'inexact-number':
      return fault(
        'JSON_INVALID',
        `the number ${problem.text.slice(0, 40)} has more digits than programs keep, which is 15: ` +
          'write it as a text',
      );
  }
}

const shorten = (key: string): string => JSON.stringify(key.slice(0, 100));
