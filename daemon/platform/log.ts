import { pino, type Logger } from 'pino';

export type Log = Logger;
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

const secretPaths = [
  'password',
  'token',
  'accessToken',
  'refreshToken',
  'authorization',
  'url',
  'connectionString',
  'secret',
];

/**
 * Creates the daemon's logger: one JSON object a line, on stderr, so that stdout stays free for
 * data. Secrets are removed by field name at the top level and one level down; connection
 * strings inside messages are masked as well.
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
    },
    pino.destination({ fd: 2, sync: true }),
  );
}

/** Errors keep type, code, message and stack; a password inside a connection string is masked. */
function serializeError(err: unknown): unknown {
  if (!(err instanceof Error)) return maskConnectionString(String(err));
  const code = 'code' in err ? { code: String(err.code) } : {};
  const cause = err.cause === undefined ? {} : { cause: serializeError(err.cause) };
  return {
    type: err.name,
    ...code,
    message: maskConnectionString(err.message),
    stack: maskConnectionString(err.stack ?? ''),
    ...cause,
  };
}

/** Replaces the user information of any URL in `text`: `amqp://u:p@h` becomes `amqp://***@h`. */
export function maskConnectionString(text: string): string {
  return text.replace(/\b([a-z][a-z0-9+]*:\/\/)[^\s/@]+@/gi, '$1***@');
}
