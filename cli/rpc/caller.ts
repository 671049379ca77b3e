import { randomUUID } from 'node:crypto';

import { resolvesInDoubt } from '../../core/in-doubt.ts';
import { callRepeatedly, type Clock, type RepeatedResult } from './retry.ts';
import type { Connection } from './client.ts';
import { toCliFailure, type CallFailure, type CallResult } from './errors.ts';
import { succeed, type Outcome } from '../outcome.ts';
import type { Method } from './method.ts';
import { toUnknownOutcome } from './in-doubt.ts';
import type { AnswerStream, MessageStream } from './stream.ts';

/**
 * What a call is, for the sake of repeating it: a `read` changes nothing, a `keyed-write` names
 * itself by an idempotency key, a `write` must not be sent twice.
 */
type CallKind = 'read' | 'keyed-write' | 'write' | 'refresh';

/**
 * A refresh whose reply was lost gets the same answer for 10 s only: a second attempt must come
 * well before that, or the server takes it for a stolen token.
 */
const refreshAttemptMs = 3_000;

export type RpcCaller = {
  /** Calls with the stored credential; a failure is ready to be printed. */
  call<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    kind: CallKind,
  ): Promise<Outcome<Response>>;
  /** The same, with what is known about each attempt. */
  callKeyed<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
  ): Promise<Outcome<RepeatedResult<Response>>>;
  /**
   * Opens a stream with the stored credential; `isRenewed`: with a new token, the last was refused.
   */
  openStream<Request, Response>(
    method: Method<Request, Response>,
    isRenewed: boolean,
  ): Promise<Outcome<CallResult<MessageStream<Request, Response>>>>;
  /** The same, for one request with a stream of answers. */
  openAnswers<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    isRenewed: boolean,
  ): Promise<Outcome<CallResult<AnswerStream<Response>>>>;
  /** Calls with another token, or with none. */
  callAs<Request, Response>(
    token: string | undefined,
    method: Method<Request, Response>,
    request: Request,
    kind: CallKind,
  ): Promise<Outcome<CallResult<Response>>>;
  /** UNREACHABLE, if no gRPC server answers. */
  checkServer(): Promise<Outcome<undefined>>;
};

/** What a call needs to know of a credential. */
type CallCredential = { readonly token: string; readonly source: string };

/** Where calls get their credentials. */
type CallCredentials = {
  get(): Promise<Outcome<CallCredential>>;
  /** A successor of one that the server no longer takes; undefined if it has none. */
  renew(stale: CallCredential): Promise<Outcome<CallCredential | undefined>>;
};

export type CallerParts = {
  readonly connect: () => Promise<Outcome<Connection>>;
  readonly credentials: CallCredentials;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly detail: (message: string) => Promise<void>;
};

/** Everything that a command says to the server goes through here. */
export function createCaller(parts: CallerParts): RpcCaller {
  const repeat = async <Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    kind: CallKind,
    token: string | undefined,
  ): Promise<Outcome<RepeatedResult<Response>>> => {
    const connection = await parts.connect();
    if (!connection.ok) return connection;
    const attempt = async (deadlineMs: number): Promise<CallResult<Response>> => {
      const startMs = parts.clock.elapsed();
      const requestId = randomUUID();
      const result = await connection.value.request(method, request, {
        ...{ token, deadlineMs, requestId },
      });
      const tookMs = Math.round(parts.clock.elapsed() - startMs);
      const took = `${method.path} took ${tookMs} ms, request id ${requestId}`;
      await parts.detail(result.ok ? took : `${took}: ${describe(result.failure)}`);
      return result;
    };
    if (kind === 'write') {
      const result = await attempt(parts.clock.elapsed() + parts.timeoutMs);
      return succeed({ result, hadUnknownAttempt: false });
    }
    const attemptMs = kind === 'refresh' ? refreshAttemptMs : Math.max(parts.timeoutMs / 3, 2000);
    return succeed(await callRepeatedly(attempt, { ...parts, attemptMs }));
  };

  const callAuthenticated = async <Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    kind: CallKind,
  ): Promise<Outcome<RepeatedResult<Response>>> => {
    const credential = await parts.credentials.get();
    if (!credential.ok) return credential;
    const first = await repeat(method, request, kind, credential.value.token);
    if (!first.ok || first.value.result.ok) return first;
    const { failure } = first.value.result;
    if (!isAboutToken(failure)) return first;
    if (credential.value.source === 'WALLET_TOKEN') {
      return succeed({ ...first.value, result: { ok: false, failure: nameVariable(failure) } });
    }
    const renewed = await parts.credentials.renew(credential.value);
    // What an attempt before may have done weighs more than why there is no new token.
    if (!renewed.ok) return first.value.hadUnknownAttempt ? first : renewed;
    if (!renewed.value) return first;
    const second = await repeat(method, request, kind, renewed.value.token);
    if (!second.ok) return first.value.hadUnknownAttempt ? first : second;
    const hadUnknownAttempt = first.value.hadUnknownAttempt || second.value.hadUnknownAttempt;
    return succeed({ ...second.value, hadUnknownAttempt });
  };

  return {
    call: async (method, request, kind) => {
      const called = await callAuthenticated(method, request, kind);
      if (!called.ok) return called;
      const { result, hadUnknownAttempt } = called.value;
      if (result.ok) return succeed(result.value);
      const failure = toCliFailure(result.failure, kind === 'read' ? 'read' : 'write');
      const isOpen =
        kind !== 'read' && hadUnknownAttempt && !resolvesInDoubt(result.failure.reason);
      return { ok: false, failure: isOpen ? toUnknownOutcome(failure) : failure };
    },
    callKeyed: (method, request) => callAuthenticated(method, request, 'keyed-write'),
    ...createStreamOpeners(parts),
    callAs: async (token, method, request, kind) => {
      const called = await repeat(method, request, kind, token);
      return called.ok ? succeed(called.value.result) : called;
    },
    checkServer: () => checkServer(parts),
  };
}

async function checkServer(parts: CallerParts): Promise<Outcome<undefined>> {
  const connection = await parts.connect();
  if (!connection.ok) return connection;
  const problem = await connection.value.check(parts.clock.elapsed() + parts.timeoutMs);
  return problem ? { ok: false, failure: toCliFailure(problem, 'read') } : succeed(undefined);
}

function createStreamOpeners(parts: CallerParts): Pick<RpcCaller, 'openStream' | 'openAnswers'> {
  return {
    openStream: async (method, isRenewed) => {
      const ready = await prepareStream(parts, isRenewed);
      if (!ready.ok) return ready;
      const { connection, options } = ready.value;
      return succeed(await connection.openStream(method, options));
    },
    openAnswers: async (method, request, isRenewed) => {
      const ready = await prepareStream(parts, isRenewed);
      if (!ready.ok) return ready;
      const { connection, options } = ready.value;
      return succeed(await connection.openAnswers(method, request, options));
    },
  };
}

async function prepareStream({ connect, credentials }: CallerParts, isRenewed: boolean) {
  const connection = await connect();
  if (!connection.ok) return connection;
  const held = await credentials.get();
  if (!held.ok) return held;
  const renewed = isRenewed ? await credentials.renew(held.value) : held;
  if (!renewed.ok) return renewed;
  const { token } = renewed.value ?? held.value;
  const options = { token, requestId: randomUUID() };
  return succeed({ connection: connection.value, options });
}

/** The server takes this token no more; a successor may do. */
export function isAboutToken({ reason }: CallFailure): boolean {
  return reason === 'TOKEN_EXPIRED' || reason === 'TOKEN_INVALID' || reason === 'TOKEN_REVOKED';
}

function nameVariable(failure: CallFailure): CallFailure {
  const problem =
    failure.reason === 'TOKEN_EXPIRED'
      ? 'has expired'
      : failure.reason === 'TOKEN_REVOKED'
        ? 'was revoked'
        : 'is not valid';
  return {
    ...failure,
    message: `the token in WALLET_TOKEN ${problem}: ${failure.message}`,
    hint: 'set WALLET_TOKEN to a new token, or unset it and: wallet sign-in',
  };
}

function describe(failure: CallFailure): string {
  const { reason, certainty, message } = failure;
  return `${reason ?? certainty}: ${message}`;
}
