import type { FastifyRequest } from 'fastify';

/** Cross-origin resource sharing (Fetch Standard, 3.3) for the pages of some origins. */
export type Cors = {
  /** What else than the request decides about an answer: the `Vary` of one that has this one. */
  varyOf(request: CrossOrigin, vary: string | undefined): string | undefined;
  /** The headers of every answer to a request. */
  headersOf(request: CrossOrigin): Readonly<Record<string, string>>;
  /** Those of the answer to a preflight request for these methods; undefined if it is none. */
  answerPreflight(
    request: CrossOrigin,
    methods: readonly string[],
  ): Readonly<Record<string, string>> | undefined;
};

type CrossOrigin = Pick<FastifyRequest, 'headers' | 'method' | 'url'>;

const requestHeaders = [
  'Authorization',
  'Content-Type',
  'Idempotency-Key',
  'If-None-Match',
  'If-Range',
  'Last-Event-ID',
  'Prefer',
  'Range',
  'X-Request-Id',
];
const answerHeaders = [
  'Accept-Ranges',
  'Content-Disposition',
  'Content-Range',
  'ETag',
  'Idempotency-Replayed',
  'Link',
  'Location',
  'Retry-After',
  'Statement-Status',
  'X-Request-Id',
];
const preflightSeconds = 600;

const takesPages = (url: string): boolean =>
  url.startsWith('/v1/') || /^\/openapi\.json(\?|$)/.test(url);

/**
 * For `/v1` and the OpenAPI document: what else there is, is for pages of this server. Without
 * `Access-Control-Allow-Credentials`, a page can read no answer to a request with the cookie, which
 * leaves access tokens and API keys.
 */
export function createCors(origins: readonly string[]): Cors {
  const allowed = new Set(origins);
  return {
    varyOf: ({ url }, vary) => {
      if (allowed.size === 0 || !takesPages(url)) return vary;
      return vary === undefined ? 'origin' : `${vary}, origin`;
    },
    headersOf: ({ headers: { origin }, url }) => {
      if (!takesPages(url)) return {};
      if (origin === undefined || !allowed.has(origin)) return {};
      return {
        'access-control-allow-origin': origin,
        'access-control-expose-headers': answerHeaders.join(', '),
      };
    },
    answerPreflight: ({ headers, method, url }, methods) => {
      if (method !== 'OPTIONS' || methods.length === 0 || !takesPages(url)) return undefined;
      if (headers['access-control-request-method'] === undefined) return undefined;
      if (headers.origin === undefined || !allowed.has(headers.origin)) return undefined;
      return {
        'access-control-allow-methods': methods.join(', '),
        'access-control-allow-headers': requestHeaders.join(', '),
        'access-control-max-age': String(preflightSeconds),
      };
    },
  };
}
