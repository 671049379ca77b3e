import type { IncomingMessage } from 'node:http';

import { fault, type Fault } from './problems.ts';

/** Headers that say something else when there are two of them; Node takes one, or joins them. */
const single: ReadonlySet<string> = new Set([
  'host',
  'authorization',
  'content-type',
  'content-encoding',
  'idempotency-key',
  'last-event-id',
]);

type Head = Pick<IncomingMessage, 'headers' | 'rawHeaders' | 'httpVersion' | 'url'>;

/**
 * What is wrong with a request besides its body: programs on the way, or this one, might read it in
 * another way than its sender meant.
 */
export function findMalformation(
  { headers, rawHeaders, httpVersion, url = '' }: Head,
  hasBodyForbidden: boolean,
): Fault | undefined {
  // HTTP/1.0 has none; health checks of proxies use it.
  if (headers.host === undefined && httpVersion !== '1.0') {
    return malformed('the header Host is missing', 'Host');
  }
  const twice = findRepeated(rawHeaders);
  if (twice !== undefined) return malformed(`the header ${twice} is given twice`, twice);
  if (headers.expect !== undefined && headers.expect.toLowerCase() !== '100-continue') {
    return malformed('the header Expect can be 100-continue only', 'Expect');
  }
  const { 'transfer-encoding': transfer, 'content-encoding': encoding } = headers;
  if (transfer !== undefined && transfer.toLowerCase() !== 'chunked') {
    return malformed('the header Transfer-Encoding can be chunked only', 'Transfer-Encoding');
  }
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    const message = 'a body is taken as it is: leave the header Content-Encoding out';
    return fault('MEDIA_TYPE_UNSUPPORTED', message, { field: 'Content-Encoding' });
  }
  if (hasBodyForbidden && hasBody(headers)) {
    return malformed('a GET or HEAD has no body: leave it out', 'Content-Length');
  }
  return isReadable(url) ? undefined : badUri;
}

const malformed = (message: string, field: string): Fault =>
  fault('REQUEST_MALFORMED', message, { field });

const badUri = fault('URI_INVALID', 'the path or the query has a % that begins no UTF-8 character');

function findRepeated(rawHeaders: readonly string[]): string | undefined {
  let seen: Set<string> | undefined;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]?.toLowerCase() ?? '';
    if (!single.has(name)) continue;
    seen ??= new Set();
    if (seen.has(name)) return rawHeaders[i];
    seen.add(name);
  }
  return undefined;
}

export const hasBody = (headers: IncomingMessage['headers']): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? '0') > 0;

/** Every `%` begins a byte, and the bytes are UTF-8: otherwise two readers see two texts. */
function isReadable(url: string): boolean {
  if (!url.includes('%')) return true;
  try {
    decodeURIComponent(url);
    return true;
  } catch {
    return false;
  }
}

/**
 * The path and query of a target that names the server too (RFC 9112, 3.2.2). That name counts, and
 * not the header Host.
 */
export function toOriginForm({ url = '/', headers }: IncomingMessage): string {
  if (url.startsWith('/')) return url;
  const [, authority, rest = ''] = /^https?:\/\/([^/?#]*)(.*)$/is.exec(url) ?? [];
  if (authority === undefined) return url;
  if (headers.host !== undefined) headers.host = authority;
  return rest.startsWith('/') ? rest : `/${rest}`;
}
