import { routes, type OperationName, type Operations } from './gen/api.ts';
import type { CallOptions, KeyedOptions, Settings } from './options.ts';
import { parseObject, readProblem, WalletProblem, type ProblemDetails } from './problem.ts';
import { decideRetry, isInDoubt, type Failure } from './retry.ts';

export type Request<Name extends OperationName> = {
  readonly path?: Operations[Name]['path'];
  readonly query?: Operations[Name]['query'];
  readonly body?: Operations[Name]['body'];
  readonly headers?: Readonly<Record<string, string>>;
  /** Undefined: as the method and its key say. */
  readonly isRepeatable?: boolean;
};

export type Sender = {
  /** Of one attempt: a request that waits at the server must be answered earlier. */
  readonly attemptTimeoutMs: number;
  /** The answer as JSON; undefined where it has no body. Throws a WalletProblem. */
  call<Name extends OperationName>(
    name: Name,
    request?: Request<Name>,
    options?: KeyedOptions,
  ): Promise<Operations[Name]['answer']>;
  /** An answer whose body is read as it comes. It has the time of the call until it begins. */
  open<Name extends OperationName>(
    name: Name,
    request?: Request<Name>,
    options?: CallOptions,
  ): Promise<Response>;
};

/** What all attempts of a call have in common. */
type Call<T> = {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly isPublic: boolean;
  readonly isRepeatable: boolean;
  /** It changes something, so that an unknown outcome matters. */
  readonly isWrite: boolean;
  readonly idempotencyKey: string | undefined;
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number;
  readonly read: (response: Response) => Promise<T>;
};

type Attempt<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: Failure; readonly details: ProblemDetails };

export function createSender(settings: Settings): Sender {
  const prepare = <Name extends OperationName, T>(
    name: Name,
    request: Request<Name>,
    options: KeyedOptions,
    read: (response: Response) => Promise<T>,
  ): Call<T> => {
    const { method, path, isKeyed, isPublic } = routes[name];
    const key = isKeyed ? (options.idempotencyKey ?? crypto.randomUUID()) : undefined;
    const body = request.body === undefined ? undefined : JSON.stringify(request.body);
    return {
      method,
      url: `${settings.baseUrl}${fillPath(path, request.path)}${formatQuery(request.query)}`,
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(key === undefined ? {} : { 'idempotency-key': quote(key) }),
        ...request.headers,
      },
      ...{ body, isPublic, read, idempotencyKey: key },
      isRepeatable: request.isRepeatable ?? (method === 'GET' || key !== undefined),
      isWrite: method !== 'GET',
      signal: options.signal,
      timeoutMs: options.timeoutMs ?? settings.timeoutMs,
    };
  };
  return {
    attemptTimeoutMs: settings.attemptTimeoutMs,
    call: async (name, request = {}, options = {}) =>
      sendCall(settings, prepare(name, request, options, readJson)),
    open: async (name, request = {}, options = {}) =>
      sendCall(
        settings,
        prepare(name, request, options, (response) => Promise.resolve(response)),
      ),
  } as Sender;
}

/** Attempts until there is an answer, another attempt is of no use, or the time is over. */
async function sendCall<T>(settings: Settings, call: Call<T>): Promise<T> {
  const endMs = performance.now() + call.timeoutMs;
  const { credential, maxAttempts } = settings;
  let token = call.isPublic ? undefined : await credential.get();
  let isRenewed = false;
  let wasInDoubt = false;
  for (let attempts = 1; ; attempts += 1) {
    if (isAborted(call.signal)) throw toError(call, cancelled(call.signal), wasInDoubt);
    const leftMs = Math.max(1, endMs - performance.now());
    const attempt = await tryOnce(settings, call, token, leftMs);
    if (attempt.ok) return attempt.value;
    const { failure, details } = attempt;
    wasInDoubt = call.isWrite && isInDoubt(wasInDoubt, failure);
    if (token !== undefined && !isRenewed && isTokenRefused(details)) {
      isRenewed = true;
      const next = await credential.renew(token).catch((cause: unknown) => {
        throw toError(call, { ...details, cause }, wasInDoubt);
      });
      if (next !== undefined) {
        token = next;
        continue;
      }
    }
    const decision = decideRetry({
      ...{ isRepeatable: call.isRepeatable, attempts, maxAttempts, failure },
      leftMs: endMs - performance.now(),
      jitter: Math.random(),
    });
    if (!decision.isAgain || isAborted(call.signal)) {
      throw toError(call, details, wasInDoubt);
    }
    await sleep(decision.delayMs, call.signal);
  }
}

/** The signal may be aborted while something else is awaited. */
const isAborted = (signal: AbortSignal | undefined): boolean => signal?.aborted === true;

const isTokenRefused = ({ reason }: ProblemDetails): boolean =>
  reason === 'TOKEN_EXPIRED' || reason === 'TOKEN_REVOKED' || reason === 'TOKEN_INVALID';

async function tryOnce<T>(
  { fetch, attemptTimeoutMs }: Settings,
  call: Call<T>,
  token: string | undefined,
  leftMs: number,
): Promise<Attempt<T>> {
  const { method, url, body, signal, headers, read } = call;
  const timeoutMs = Math.min(attemptTimeoutMs, leftMs);
  const timer = startTimer(timeoutMs, signal);
  try {
    const response = await fetch(url, {
      ...{ method, signal: timer.signal },
      headers: { ...headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
      ...(body === undefined ? {} : { body }),
      // Neither the credential nor the request goes to another server.
      redirect: 'error',
    });
    if (response.ok) return { ok: true, value: await read(response) };
    const details = readProblem(response, await response.text());
    const { status, retryAfterMs } = details;
    const reason = details.reason === 'ANSWER_INVALID' ? undefined : details.reason;
    const failure = { kind: 'refused', status: status ?? 0, reason, retryAfterMs } as const;
    return { ok: false, failure, details };
  } catch (cause) {
    const failure = { kind: 'no-answer', wasSent: !isUnsent(cause) } as const;
    if (cause instanceof WalletProblem) return { ok: false, failure, details: cause };
    if (isAborted(signal)) return { ok: false, failure, details: cancelled(signal) };
    if (timer.signal.aborted) {
      const message = `${url} did not answer within ${Math.round(timeoutMs)} ms`;
      return { ok: false, failure, details: { reason: 'TIMED_OUT', message, cause } };
    }
    const message = `the request to ${url} failed: ${describe(cause)}`;
    return { ok: false, failure, details: { reason: 'CONNECTION_FAILED', message, cause } };
  } finally {
    timer.stop();
  }
}

/** Aborts after the time unless it was stopped, and with the caller's signal in any case. */
function startTimer(timeoutMs: number, signal: AbortSignal | undefined) {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), timeoutMs);
  return {
    signal: signal ? AbortSignal.any([signal, late.signal]) : late.signal,
    stop: (): void => clearTimeout(timer),
  };
}

/** Of Node's fetch: errors before a connection was there. Other programs do not say it. */
const unsentCodes: ReadonlySet<unknown> = new Set([
  ...['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'],
  'UND_ERR_CONNECT_TIMEOUT',
]);

function isUnsent(cause: unknown): boolean {
  const inner: unknown = cause instanceof Error ? cause.cause : undefined;
  if (!(inner instanceof Error)) return false;
  const errors: readonly unknown[] = inner instanceof AggregateError ? inner.errors : [inner];
  return errors.length > 0 && errors.every((error) => unsentCodes.has(codeOf(error)));
}

const codeOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined;

function describe(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const inner = cause.cause;
  return inner instanceof Error && inner.message !== '' ? inner.message : cause.message;
}

const cancelled = (signal: AbortSignal | undefined): ProblemDetails => ({
  reason: 'CANCELLED',
  message: 'the signal of the call was aborted',
  cause: signal?.reason as unknown,
});

function toError<T>(
  { idempotencyKey, isRepeatable }: Call<T>,
  details: ProblemDetails,
  isOutcomeUnknown: boolean,
): WalletProblem {
  if (!isOutcomeUnknown) return new WalletProblem({ ...pick(details), idempotencyKey });
  const again =
    idempotencyKey === undefined
      ? isRepeatable
        ? 'send it again with the same keys of its items'
        : 'look whether it was carried out before you send it again'
      : `send it again with the idempotency key ${idempotencyKey}`;
  return new WalletProblem({
    ...pick(details),
    // Why there was no answer is the cause; a cancelled call stays one.
    reason: details.reason === 'CANCELLED' ? 'CANCELLED' : 'OUTCOME_UNKNOWN',
    message: `the request may have been carried out: ${details.message}`,
    hint: again,
    cause: details,
    ...{ isOutcomeUnknown, idempotencyKey },
  });
}

/** Without what an Error has besides. */
const pick = (details: ProblemDetails): ProblemDetails => ({
  ...{ reason: details.reason, message: details.message, status: details.status },
  ...{ field: details.field, hint: details.hint, requestId: details.requestId },
  ...{ retryAfterMs: details.retryAfterMs, metadata: details.metadata, cause: details.cause },
});

async function readJson(response: Response): Promise<unknown> {
  const text = await response.text();
  if (response.status === 204) return undefined;
  const body = parseObject(text);
  if (body) return body;
  throw new WalletProblem({
    reason: 'ANSWER_INVALID',
    message: `${response.url} answered with status ${response.status} and no JSON object`,
    hint: 'check baseUrl, and what a proxy before the server answers',
  });
}

const quote = (key: string): string => `"${key.replace(/["\\]/g, '\\$&')}"`;

function fillPath(path: string, values: object | undefined): string {
  const given = new Map<string, unknown>(Object.entries(values ?? {}));
  return path.replace(/\{(\w+)\}/g, (_part, name: string) => {
    const value = given.get(name);
    // An empty part would be another path, and `..` is taken out of URLs.
    if (typeof value === 'string' && !/^\.{0,2}$/.test(value)) return encodeURIComponent(value);
    throw new TypeError(`${name} must be a text that is neither empty nor dots`);
  });
}

type QueryValue = string | number | boolean;
type QueryValues = Readonly<Record<string, QueryValue | readonly QueryValue[] | undefined>>;

function formatQuery(values: object | undefined): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries((values ?? {}) as QueryValues)) {
    for (const each of [value].flat()) if (each !== undefined) query.append(name, String(each));
  }
  return query.size === 0 ? '' : `?${query.toString()}`;
}

/** Resolves early when the signal is aborted. */
export function sleep(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve();
      return;
    }
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, delayMs);
    signal?.addEventListener('abort', end, { once: true });
  });
}
