import { randomUUID } from 'node:crypto';

import {
  Server,
  ServerCredentials,
  type handleUnaryCall,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';

import { refuse, type Result } from '../../../core/reasons.ts';
import type { Access, Policy, Principal } from '../access.ts';
import { classifyDbError, isCommitInDoubt } from '../db.ts';
import { findHeld } from '../hold.ts';
import type { Log } from '../log.ts';
import { maskUnexpected, toServiceError } from './errors.ts';

/** What a handler knows of its call besides the request. */
export type CallContext = {
  readonly requestId: string;
  readonly principal: Principal;
  /** The caller's deadline, or ours where it set none; milliseconds since the epoch. */
  readonly deadlineMs: number;
  /** True once the caller has gone: nothing need be begun for it any more. */
  isCancelled(): boolean;
};

type UnaryHandler<Req, Res> = (request: Req, context: CallContext) => Promise<Result<Res>>;

/** The unary methods of a ts-proto server interface, as handlers of ours. */
export type Handlers<Methods> = {
  [
    M in keyof Methods as Methods[M] extends handleUnaryCall<infer _Req, infer _Res> ? M : never
  ]?: Methods[M] extends handleUnaryCall<infer Req, infer Res> ? UnaryHandler<Req, Res> : never;
};

export type Policies<Methods> = {
  readonly [M in keyof Methods as string extends M ? never : M]: Policy;
};

/** A gRPC service ready to be hosted: what each service's index returns. */
export type HostedService = {
  readonly name: string;
  readonly definition: ServiceDefinition;
  readonly handlers: Readonly<Record<string, UnaryHandler<never, unknown> | undefined>>;
  readonly policies: Readonly<Record<string, Policy>>;
};

export type GrpcServer = {
  /** Binds and serves; the port is the real one where 0 was asked for. Rejects if it is taken. */
  listen(address: string): Promise<{ readonly port: number }>;
  setReady(isReady: boolean): void;
  /** An entry of the health service for a part that is not a service. */
  setPartHealth(part: string, isHealthy: boolean): void;
  /** Lets calls in flight end, within the deadline. */
  stop(deadlineMs: number): Promise<void>;
};

/** Unary requests are small; a page of an answer may be larger. */
const maxRequestBytes = 256 * 1024;
const maxResponseBytes = 4 * 1024 * 1024;
const maxInFlight = 4_096;
const defaultDeadlineMs = 30_000;
const flushMs = 250;

const tooMuch = refuse('OVERLOADED', 'the server has too much in hand: try again shortly');

const serverOptions = {
  'grpc.max_receive_message_length': maxRequestBytes,
  'grpc.max_send_message_length': maxResponseBytes,
  'grpc.max_concurrent_streams': 100,
  'grpc.keepalive_time_ms': 60_000,
  'grpc.keepalive_timeout_ms': 20_000,
  'grpc.max_connection_age_ms': 60 * 60_000,
  'grpc.max_connection_age_grace_ms': 30_000,
};

/** Hosts services behind one wrapper: policy, limits, deadline, request id, masking of errors. */
export function createGrpcServer(options: {
  readonly services: readonly HostedService[];
  readonly access: Access;
  readonly log: Log;
}): GrpcServer {
  const server = new Server(serverOptions);
  const names = ['', ...options.services.map((service) => service.name)];
  const health = new HealthImplementation(
    Object.fromEntries(names.map((name) => [name, 'NOT_SERVING'])),
  );
  health.addToServer(server);
  const load = { inFlight: 0 };
  for (const service of options.services) {
    server.addService(service.definition, implement(service, options.access, options.log, load));
  }
  return {
    listen: (address) => bind(server, address),
    setReady: (isReady) =>
      names.forEach((name) => health.setStatus(name, isReady ? 'SERVING' : 'NOT_SERVING')),
    setPartHealth: (part, isHealthy) =>
      health.setStatus(part, isHealthy ? 'SERVING' : 'NOT_SERVING'),
    stop: (deadlineMs) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => {
          server.forceShutdown();
          resolve();
        }, deadlineMs);
        // Streams (a health watcher's, say) never end by themselves: with the calls answered and
        // sent, what is left is closed.
        const looking = setInterval(() => {
          if (load.inFlight > 0) return;
          clearInterval(looking);
          setTimeout(() => server.forceShutdown(), flushMs).unref();
        }, 50);
        server.tryShutdown(() => {
          clearTimeout(timer);
          clearInterval(looking);
          resolve();
        });
      }),
  };
}

function bind(server: Server, address: string): Promise<{ port: number }> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (err, port) => {
      if (err) reject(err);
      else resolve({ port });
    });
  });
}

function implement(
  service: HostedService,
  access: Access,
  log: Log,
  load: { inFlight: number },
): UntypedServiceImplementation {
  const implementation: UntypedServiceImplementation = {};
  for (const [method, definition] of Object.entries(service.definition)) {
    const policy = service.policies[method];
    if (policy === undefined) throw new Error(`${definition.path} has no policy`);
    const handler = service.handlers[method] as UnaryHandler<unknown, unknown> | undefined;
    implementation[method] =
      definition.requestStream || definition.responseStream
        ? refuseStream
        : wrapUnary({ handler, policy, access, log, load });
  }
  return implementation;
}

type WrapOptions = {
  readonly handler: UnaryHandler<unknown, unknown> | undefined;
  readonly policy: Policy;
  readonly access: Access;
  readonly log: Log;
  readonly load: { inFlight: number };
};

function wrapUnary(options: WrapOptions) {
  return (call: ServerUnaryCall<unknown, unknown>, callback: sendUnaryData<unknown>): void => {
    const requestId = requestIdOf(call);
    options.load.inFlight += 1;
    answer(call, requestId, options)
      .catch((err: unknown): Result<unknown> => explainFailure(err, options.log, requestId))
      .then((result) => {
        if (result.ok) callback(null, result.value);
        else callback(toServiceError(result.rejection, requestId));
      })
      .catch((err: unknown) => options.log.error({ err, requestId }, 'the answer was not sent'))
      .finally(() => (options.load.inFlight -= 1));
  };
}

/** A database that is away is expected now and then; everything else is a defect, and masked. */
function explainFailure(err: unknown, log: Log, requestId: string): Result<unknown> {
  const rejection = findHeld(err);
  if (rejection) return { ok: false, rejection };
  if (classifyDbError(err) !== 'transient') {
    return { ok: false, rejection: maskUnexpected(err, log, requestId) };
  }
  log.warn({ err, requestId }, 'the database failed a call');
  return isCommitInDoubt(err)
    ? refuse(
        'OUTCOME_UNKNOWN',
        'the database was lost during the commit: look before you try again',
      )
    : refuse('DATABASE_UNAVAILABLE', 'the database is out of reach: nothing was done, try again');
}

async function answer(
  call: ServerUnaryCall<unknown, unknown>,
  requestId: string,
  { handler, policy, access, load }: WrapOptions,
): Promise<Result<unknown>> {
  const authorization = call.metadata.get('authorization')[0]?.toString();
  // Our own services are let in past the cap: without their feed of revocations nobody is.
  const isPeer = authorization?.startsWith('Service ') ?? false;
  if (load.inFlight > maxInFlight && !isPeer) return tooMuch;
  const authorized = await access.authorize(authorization, policy);
  if (!authorized.ok) return authorized;
  if (!handler) return refuse('UNIMPLEMENTED', 'this server does not offer this call yet');
  const deadline = call.getDeadline();
  const deadlineMs = deadline instanceof Date ? deadline.getTime() : deadline;
  return handler(call.request, {
    requestId,
    principal: authorized.value,
    deadlineMs: Math.min(deadlineMs, Date.now() + defaultDeadlineMs),
    isCancelled: () => call.cancelled,
  });
}

/** The caller's own request id where it is harmless to log, otherwise a new one. */
function requestIdOf(call: ServerUnaryCall<unknown, unknown>): string {
  const given = call.metadata.get('x-request-id')[0]?.toString() ?? '';
  return /^[A-Za-z0-9_-]{8,64}$/.test(given) ? given : randomUUID();
}

function refuseStream(call: { emit(event: 'error', err: Error): boolean }): void {
  const { rejection } = refuse('UNIMPLEMENTED', 'this server does not offer this call yet');
  call.emit('error', toServiceError(rejection, randomUUID()));
}
