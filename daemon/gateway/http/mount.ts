import { Readable } from 'node:stream';

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

import { reasonCodes, type Result } from '../../../core/reasons.ts';
import type { Caller, CallOptions } from '../../platform/grpc/caller/caller.ts';
import { sessionField, type BrowserSessions, type CookieBearer } from '../browser-sessions.ts';
import { connectionOf } from './listener.ts';
import { fault, found, isHttpFault, type Fault, type Found } from './problems.ts';
import {
  findForgery,
  formatCookie,
  readCookies,
  sessionCookie,
  type HostCheck,
} from './request.ts';
import {
  cutShort,
  explainCut,
  type Answer,
  type Route,
  type RouteInput,
  type ServiceName,
} from './route.ts';
import { readInput } from './read-input.ts';
import { sendFault, type HttpServerOptions } from './server.ts';

/** What one call may take; a service answers earlier that it is too late. */
const callTimeoutMs = 25_000;
const maxCredentialLength = 4_096;

export type MountOptions = Pick<HttpServerOptions, 'decorateProblem'> & {
  readonly callers: Readonly<Record<ServiceName, Caller>>;
  readonly hosts: HostCheck;
  readonly sessions: BrowserSessions;
  /** Aborted when the gateway stops. */
  readonly stopping: AbortSignal;
  /** What gives up each request in flight: called when the gateway can wait for it no longer. */
  readonly inFlight: Set<() => void>;
};

/** The methods that the routes of a table take at a path. */
export function createMethodLookup(
  routes: readonly Pick<Route, 'method' | 'path'>[],
): (path: string) => readonly string[] {
  const patterns = routes.map(({ method, path }) => ({
    method,
    pattern: new RegExp(`^${path.replace(/[.]/g, '\\.').replace(/:\w+/g, '[^/]+')}$`),
  }));
  return (path) =>
    patterns.flatMap(({ method, pattern }) => (pattern.test(path) ? [method] : [])).sort();
}

/** Serves the routes of a table. */
export function mountRoutes(
  server: FastifyInstance,
  routes: readonly Route[],
  options: MountOptions,
): void {
  for (const route of routes) {
    server.route({
      method: route.method,
      url: route.path,
      ...(route.bodyLimitBytes === undefined ? {} : { bodyLimit: route.bodyLimitBytes }),
      handler: async (request, reply) => {
        const shown = await findCredential(route, request, options);
        const answered: Answer = shown.ok
          ? await answerRequest(route, request, reply, { ...options, credential: shown.value })
          : shown;
        if (isOfKnownCaller(route, answered)) connectionOf(request.raw)?.giveBack(1);
        const cookie = shown.ok ? shown.value.cookie : undefined;
        if (options.stopping.aborted) void reply.header('connection', 'close');
        if (answered.ok) {
          if (cookie !== undefined && answered.session?.token === '') {
            options.sessions.forget(cookie);
          }
          sendAnswer(answered, request, reply, cookie !== undefined);
        } else {
          if (isSessionOver(answered.fault)) endCookie(request, reply);
          if (answered.headers) void reply.headers(answered.headers);
          sendFault(options, request, reply, answered.fault, route);
        }
        return reply;
      },
    });
  }
}

/** Such an answer is given only once a service has accepted the credential. */
function isOfKnownCaller({ credential }: Route, answered: Answer): boolean {
  if (credential === 'none') return false;
  if (answered.ok) return true;
  const { reason } = answered.fault;
  return !isHttpFault(reason) && codesOfKnown.has(reasonCodes[reason]);
}

const codesOfKnown: ReadonlySet<string> = new Set([
  'FAILED_PRECONDITION',
  'NOT_FOUND',
  'PERMISSION_DENIED',
]);

/** What a request shows: nothing, a token, or a cookie and the access token that it stands for. */
type Credential = { readonly accessToken?: string; readonly cookie?: string };

/** The session of the cookie has ended or never existed: the cookie is of no use. */
const isSessionOver = ({ metadata }: Pick<Fault, 'metadata'>): boolean =>
  metadata['field'] === sessionField;

async function answerRequest(
  route: Route,
  request: FastifyRequest,
  reply: FastifyReply,
  options: MountOptions & { readonly credential: Credential },
): Promise<Answer> {
  const input = readInput(route, request);
  if (!input.ok) return input;
  const { callers, stopping, credential } = options;
  const leaving = new AbortController();
  const cut = (): void => leaving.abort(cutShort);
  // It may have gone while the credential was looked at.
  if (reply.raw.destroyed) {
    leaving.abort();
  } else {
    options.inFlight.add(cut);
    // Aborting costs more than the rest of this function: not where all was sent.
    reply.raw.once('close', () => {
      options.inFlight.delete(cut);
      if (!reply.raw.writableFinished) leaving.abort();
    });
  }
  const { source, origin, requestId, isTls } = request.ingress;
  const callOptions: { -readonly [Name in keyof CallOptions]: CallOptions[Name] } = {
    ...{ source, origin, requestId, signal: leaving.signal },
    deadlineMs: performance.now() + callTimeoutMs,
  };
  if (credential.accessToken !== undefined) {
    callOptions.authorization = `Bearer ${credential.accessToken}`;
  }
  const renew = createRenewal(options, credential, { source, requestId });
  const call: RouteInput<unknown, unknown, unknown>['call'] = async (service, method, message) => {
    const ask = () => {
      const deadlineMs = performance.now() + callTimeoutMs;
      return callers[service].call(method, message, { ...callOptions, deadlineMs });
    };
    let result = await ask();
    if (!result.ok) {
      const renewed = await renew(result.rejection);
      if (renewed?.ok === false) return { ok: false, fault: renewed.rejection };
      if (renewed) {
        callOptions.authorization = `Bearer ${renewed.value}`;
        result = await ask();
      }
    }
    if (result.ok) return result;
    return { ok: false, fault: explainCut(result.rejection, leaving.signal, stoppedTooSoon) };
  };
  return route.run({
    params: input.value.params,
    query: input.value.query,
    body: input.value.body,
    headers: request.headers as Readonly<Record<string, string | undefined>>,
    ...{ call, callers, callOptions, requestId, isTls },
    // Made for the few routes that ask for it.
    get signal() {
      return AbortSignal.any([leaving.signal, stopping]);
    },
  });
}

const stoppedTooSoon = fault(
  'OUTCOME_UNKNOWN',
  'the server stopped before the request had ended; whether it was done is not known: send it again',
);

/**
 * A kept access token may have been revoked while its session goes on, as after a change of the
 * role: another one is then asked for, once a request. The refused call had no effect.
 */
function createRenewal(
  { sessions }: MountOptions,
  { cookie, accessToken }: Credential,
  bearer: CookieBearer,
): (refused: Pick<Fault, 'reason'>) => Promise<Result<string> | undefined> {
  let isTried = false;
  return async ({ reason }) => {
    if (isTried || cookie === undefined) return undefined;
    if (reason !== 'TOKEN_REVOKED' && reason !== 'TOKEN_EXPIRED') return undefined;
    isTried = true;
    sessions.forget(cookie, accessToken);
    return sessions.exchange(cookie, bearer);
  };
}

/** The token of the header `Authorization`; of a cookie, the access token that it stands for. */
async function findCredential(
  route: Route,
  request: FastifyRequest,
  { hosts, sessions }: MountOptions,
): Promise<Found<Credential>> {
  const { headers, ingress } = request;
  const { authorization } = headers;
  if (authorization !== undefined) {
    const accessToken = /^Bearer (.+)$/i.exec(authorization.slice(0, maxCredentialLength + 1))?.[1];
    return accessToken !== undefined && authorization.length <= maxCredentialLength
      ? found({ accessToken })
      : {
          ok: false,
          fault: fault('TOKEN_INVALID', 'the header Authorization must be: Bearer TOKEN'),
        };
  }
  const [cookie, otherCookie] = readCookies(headers.cookie, sessionCookie);
  // Signing in again needs no session that works, and must not fail for one that has ended.
  const isCookieUsed = cookie !== undefined && cookie !== '' && route.credential !== 'none';
  if (!isCookieUsed && route.startsSession !== true) return found({});
  if (!hosts.isKnown(headers.host)) {
    const message =
      'the header Host names no known host of this server: add it to HTTP_ALLOWED_HOSTS';
    return { ok: false, fault: fault('HOST_UNKNOWN', message, { field: 'Host' }) };
  }
  const forgery = findForgery(request, ingress.isTls);
  if (forgery) return { ok: false, fault: forgery };
  if (!isCookieUsed) return found({});
  if (otherCookie !== undefined) {
    const message = `there are two cookies ${sessionCookie}, maybe of another site: delete one`;
    return { ok: false, fault: fault('REQUEST_MALFORMED', message) };
  }
  const { source, requestId } = ingress;
  const exchanged = await sessions.exchange(cookie, { source, requestId });
  // The auth service has looked for its session.
  if (!exchanged.ok) connectionOf(request.raw)?.charge(1);
  return exchanged.ok
    ? found({ accessToken: exchanged.value, cookie })
    : { ok: false, fault: exchanged.rejection };
}

function sendAnswer(
  { status, body, headers = {}, session, stream }: Extract<Answer, { ok: true }>,
  request: FastifyRequest,
  reply: FastifyReply,
  isByCookie: boolean,
): void {
  void reply.code(status).headers(headers);
  // Who signs out with an access token keeps the cookie of another session.
  if (session && (session.token !== '' || isByCookie)) setCookie(request, reply, session);
  if (stream) {
    void reply.send(Readable.from(stream, { objectMode: false }));
    return;
  }
  if (body === undefined) {
    void reply.send();
    return;
  }
  if (typeof body === 'string') {
    // As bytes, so that the content type stays as it is.
    void reply.send(Buffer.from(body));
    return;
  }
  void reply.header('content-type', 'application/json; charset=utf-8').send(JSON.stringify(body));
}

const endCookie = (request: FastifyRequest, reply: FastifyReply): void =>
  setCookie(request, reply, { token: '', maxAgeSeconds: 0 });

/** `Secure`, unless this machine itself asks without TLS: its clients would not send it back. */
function setCookie(
  { ingress: { isTls, origin } }: FastifyRequest,
  reply: FastifyReply,
  { token, maxAgeSeconds }: { readonly token: string; readonly maxAgeSeconds: number },
): void {
  const isSecure = isTls || origin !== 'local';
  void reply.header('set-cookie', formatCookie(token, maxAgeSeconds, isSecure));
}
