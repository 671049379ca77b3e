import { Readable } from 'node:stream';

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';

import type { Caller, CallOptions } from '../../platform/grpc/caller/caller.ts';
import type { Result } from '../../../core/reasons.ts';
import { fault, found, type Found } from './problems.ts';
import { findForgery, formatCookie, readCookie, sessionCookie, type HostCheck } from './request.ts';
import type { Answer, Route, RouteInput, ServiceName } from './route.ts';
import { sendFault, type HttpServerOptions } from './server.ts';

/** What one call may take; a service answers earlier that it is too late. */
const callTimeoutMs = 25_000;
const maxCredentialLength = 4_096;

export type MountOptions = Pick<HttpServerOptions, 'decorateProblem'> & {
  readonly callers: Readonly<Record<ServiceName, Caller>>;
  readonly hosts: HostCheck;
  /** An access token for the token of a browser's session. */
  readonly exchange: (sessionToken: string) => Promise<Result<string>>;
  /** Aborted when the gateway stops. */
  readonly stopping: AbortSignal;
};

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
      handler: async (request, reply) => {
        const answered = await answerRequest(route, request, reply, options);
        if (answered.ok) {
          sendAnswer(answered, request, reply);
        } else {
          void reply.headers(answered.headers ?? {});
          sendFault(options, request, reply, answered.fault);
        }
        return reply;
      },
    });
  }
}

async function answerRequest(
  route: Route,
  request: FastifyRequest,
  reply: FastifyReply,
  options: MountOptions,
): Promise<Answer> {
  const credential = await findCredential(route, request, options);
  if (!credential.ok) return credential;
  const input = readInput(route, request);
  if (!input.ok) return input;
  const leaving = new AbortController();
  reply.raw.once('close', () => leaving.abort());
  const { source, origin, requestId, isTls } = request.ingress;
  const callOptions: CallOptions = {
    ...{ source, origin, requestId, signal: leaving.signal },
    deadlineMs: performance.now() + callTimeoutMs,
    ...(credential.value === undefined ? {} : { authorization: credential.value }),
  };
  const { callers, stopping } = options;
  const call: RouteInput<unknown, unknown, unknown>['call'] = async (service, method, message) => {
    const deadlineMs = performance.now() + callTimeoutMs;
    const result = await callers[service].call(method, message, { ...callOptions, deadlineMs });
    return result.ok ? result : { ok: false, fault: result.rejection };
  };
  const signal = AbortSignal.any([leaving.signal, stopping]);
  const headers = request.headers as Readonly<Record<string, string | undefined>>;
  const shared = { call, callers, callOptions, requestId, signal, isTls, headers };
  return route.run({ ...input.value, ...shared });
}

/** The header `Authorization` for the services; of a cookie, the access token that it stands for. */
async function findCredential(
  route: Route,
  request: FastifyRequest,
  { hosts, exchange }: MountOptions,
): Promise<Found<string | undefined>> {
  const { headers, ingress } = request;
  const { authorization } = headers;
  if (authorization !== undefined) {
    return authorization.length <= maxCredentialLength && /^Bearer /i.test(authorization)
      ? { ok: true, value: authorization }
      : {
          ok: false,
          fault: fault('TOKEN_INVALID', 'the header Authorization must be: Bearer TOKEN'),
        };
  }
  const cookie = readCookie(headers.cookie, sessionCookie);
  if (cookie === undefined || cookie === '') return found(undefined);
  // Signing in again needs no session that works, and must not fail for one that has ended.
  if (route.credential === 'none') return found(undefined);
  if (!hosts.isKnown(headers.host)) {
    const message =
      'the header Host names no known host of this server: add it to HTTP_ALLOWED_HOSTS';
    return { ok: false, fault: fault('HOST_UNKNOWN', message, { field: 'Host' }) };
  }
  const forgery = findForgery(request, ingress.isTls);
  if (forgery) return { ok: false, fault: forgery };
  const exchanged = await exchange(cookie);
  return exchanged.ok
    ? { ok: true, value: `Bearer ${exchanged.value}` }
    : { ok: false, fault: exchanged.rejection };
}

type Input = { readonly params: unknown; readonly query: unknown; readonly body: unknown };

function readInput(route: Route, request: FastifyRequest): Found<Input> {
  const params = check(route.params, request.params, 'path');
  if (!params.ok) return params;
  const query = check(route.query ?? noQuery, request.query, 'query');
  if (!query.ok) return query;
  const body = check(route.body, request.body ?? {}, 'body');
  if (!body.ok) return body;
  return found({ params: params.value, query: query.value, body: body.value });
}

const noQuery = z.strictObject({});

/** The first thing that is wrong, with the field. */
function check(schema: z.ZodType | undefined, value: unknown, part: string): Found<unknown> {
  if (!schema) return found(undefined);
  const parsed = schema.safeParse(value);
  if (parsed.success) return found(parsed.data);
  const [issue] = parsed.error.issues;
  const unknownKey = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const path = [...(issue?.path ?? []), ...(unknownKey === undefined ? [] : [unknownKey])];
  const field = path.map(String).join('.') || part;
  const says = unknownKey === undefined ? (issue?.message ?? 'is invalid') : 'is not known';
  const message = `${field.slice(0, 200)}: ${says}`;
  return { ok: false, fault: fault('INVALID_ARGUMENT', message, { field: field.slice(0, 200) }) };
}

function sendAnswer(
  { status, body, headers = {}, session, stream }: Extract<Answer, { ok: true }>,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  void reply.code(status).headers(headers);
  if (session) {
    const isSecure = request.ingress.isTls;
    void reply.header('set-cookie', formatCookie(session.token, session.maxAgeSeconds, isSecure));
  }
  if (stream) {
    void reply.send(Readable.from(stream, { objectMode: false }));
    return;
  }
  if (body === undefined) {
    void reply.send();
    return;
  }
  if (typeof body === 'string') {
    void reply.send(body);
    return;
  }
  void reply.header('content-type', 'application/json; charset=utf-8').send(JSON.stringify(body));
}
