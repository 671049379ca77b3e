import { pino, type Logger } from 'pino';

import { writeStderr } from './stderr.ts';

export type Log = Logger;
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

const secretPaths = [
  'password',
  'token',
  'accessToken',
  'refreshToken',
  'browserToken',
  'authorization',
  'url',
  'connectionString',
  'secret',
  'totpCode',
  'recoveryCodes',
];

/**
 * Creates the daemon's logger: one JSON object a line, on stderr, so that stdout stays free for
 * data. Secrets are removed by field name at the top level and one level down; connection strings
 * and tokens are masked wherever they stand in the finished line. A line that cannot be written is
 * lost.
 */
export function createLog(level: LogLevel): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secretPaths.flatMap((p) => [p, `*.${p}`]), censor: '[redacted]' },
      serializers: { err: serializeError },
      hooks: { streamWrite: (line) => maskTokens(maskConnectionString(line)) },
    },
    { write: writeStderr },
  );
}

/** Errors keep type, code, message, stack and cause, and nothing else that hangs on them. */
function serializeError(err: unknown): unknown {
  if (!(err instanceof Error)) return String(err);
  const code = 'code' in err ? { code: String(err.code) } : {};
  const cause = err.cause === undefined ? {} : { cause: serializeError(err.cause) };
  return { type: err.name, ...code, message: err.message, stack: err.stack ?? '', ...cause };
}

/**
 * Replaces the user information and a parameter `password` of any URL in `text`:
 * `amqp://u:p@h` becomes `amqp://***@h`. Quotes end a URL, so that JSON stays JSON.
 */
export function maskConnectionString(text: string): string {
  return text
    .replace(/\b([a-z][a-z0-9+]{0,30}:\/\/)[^\s/"]+@/gi, '$1***@')
    .replace(/([?&]password=)[^&\s"]+/gi, '$1***');
}

/**
 * Replaces credentials as they stand in an `authorization` header, JSON Web Tokens, and what begins
 * like an API key or a browser token.
 */
function maskTokens(text: string): string {
  return maskPrefixedTokens(text)
    .replace(/\b(Bearer|Service) [\w.~+/=-]{16,}/gi, '$1 ***')
    .replace(/\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*/g, '***');
}

/** Replaces API keys and browser tokens, which have a prefix, wherever they stand in `text`. */
export const maskPrefixedTokens = (text: string, mask = '***'): string =>
  text.replace(/dw[ks]_[\w-]{20,}/g, mask);
