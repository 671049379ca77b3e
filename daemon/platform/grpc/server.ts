import type { Http2Session } from 'node:http2';
import type { Socket } from 'node:net';

import { Server, type ServiceDefinition, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';

import type { Rejection } from '../../../core/reasons.ts';
import type { Access, Policy, Principal } from '../access/access.ts';
import type { Log } from '../log.ts';
import { createAdmission, type AdmissionCounts } from './admission/admission.ts';
import { createUnread } from './admission/answers.ts';
import type { Bounds } from './bounds.ts';
import {
  createWireUnary,
  wrapUnary,
  type CallContext,
  type UntypedHandlers,
  type WrapOptions,
} from './calls.ts';
import { createLocalCaller, createLocalMethod, type LocalMethod } from './caller/local.ts';
import type { Caller } from './caller/caller.ts';
import { createReader, withOwnCodec } from './codec.ts';
import { findPeer } from './fast-path/direct.ts';
import { createAdaptiveLimit, type AdaptiveLimit } from './admission/adaptive-limit.ts';
import { frameLimits, watchFrames, type FrameLimits } from './ingress/frame-budget.ts';
import { routeStreams, type Method } from './fast-path/router.ts';
import { drain } from './drain.ts';
import { createForwardReport } from './ingress/forwarding.ts';
import { loadLimits, type LoadLimits } from './admission/load-limits.ts';
import type { StreamShare } from './admission/stream-slots.ts';
import { createStreamRegistry } from './admission/stream-registry.ts';
import type { SessionCounts } from './ingress/track-sessions.ts';
import { addHealthService } from './health-service.ts';
import { openHttp2 } from './http2-server.ts';
import {
  connectionLimits,
  createListener,
  type ConnectionLimits,
  type Listener,
  type ServerTls,
} from './ingress/listener.ts';
import { maxStreams } from './ingress/stream-windows.ts';
import { sessionLimits, watchSessions, type SessionLimits } from './ingress/sessions.ts';
import { createAddressSet, parseAddress, type AddressSet } from './ingress/source.ts';
import { wrapBidi, wrapServerStream } from './streams/wire.ts';

export type Policies<Methods> = {
  readonly [M in keyof Methods as string extends M ? never : M]: Policy;
};

/** A gRPC service ready to be hosted: what each service's index returns. */
export type HostedService = {
  readonly name: string;
  readonly definition: ServiceDefinition;
  readonly handlers: UntypedHandlers;
  readonly policies: Readonly<Record<string, Policy>>;
  /** Methods whose calls wait for one another: so many are taken on as are answered in time. */
  readonly queued?: readonly string[];
  /** Methods that commit and have large answers: they are not refused once they are done. */
  readonly largeWrites?: readonly string[];
  /** Slots of streams, by method, where the default is too many. */
  readonly streams?: Readonly<Record<string, StreamShare>>;
  /** Bounds of requests' fields, by method, where the default does not fit. */
  readonly bounds?: Readonly<Record<string, Bounds>>;
  /** Told of each refusal for want of rights, with the method's name. */
  readonly onDenied?: (context: CallContext, method: string, rejection: Rejection) => void;
};

export type GrpcServer = {
  /**
   * Serves on `HOST:PORT`, by TLS where `tls` is given. The port is the real one where 0 was asked
   * for. Rejects if it is taken.
   */
  listen(address: string, tls?: ServerTls): Promise<{ readonly port: number }>;
  /** Calls the services as functions, as this principal or with the credentials of users. */
  createCaller(principal?: Principal): Caller;
  setReady(isReady: boolean): void;
  /** An entry of the health service for a part that is not a service. */
  setPartHealth(part: string, isHealthy: boolean): void;
  /**
   * What is open and counted now; all but connections and watches is 0 while nothing is in flight.
   */
  readCounts(): ServerCounts;
  /**
   * Lets calls in flight end, within the deadline: idle streams end with SHUTTING_DOWN, and what is
   * not answered in time gets OUTCOME_UNKNOWN. Callers in this process go on.
   */
  stop(deadlineMs: number): Promise<void>;
};

export type ServerCounts = AdmissionCounts &
  SessionCounts & {
    /** Bytes of large answers that are counted until they are taken. */
    readonly unreadBytes: number;
    readonly healthWatches: number;
  };

export type Limits = {
  readonly load: LoadLimits;
  readonly connections: ConnectionLimits;
  readonly sessions: SessionLimits;
  readonly frames?: FrameLimits;
};

const defaultLimits: Limits = {
  load: loadLimits,
  connections: connectionLimits,
  sessions: sessionLimits,
};

/** Unary requests are small; a page of an answer may be larger. */
const messageLimits = { maxRequestBytes: 256 * 1024, maxResponseBytes: 4 * 1024 * 1024 };

const serverOptions = {
  'grpc.max_receive_message_length': messageLimits.maxRequestBytes,
  'grpc.max_send_message_length': messageLimits.maxResponseBytes,
  'grpc.max_concurrent_streams': maxStreams,
  'grpc.keepalive_time_ms': 60_000,
  'grpc.keepalive_timeout_ms': 20_000,
  'grpc.max_connection_age_ms': 60 * 60_000,
  'grpc.max_connection_age_grace_ms': 30_000,
  // In MiB, per connection; grpc-js would set no limit.
  'grpc-node.max_session_memory': 64,
};

/**
 * Hosts services behind one wrapper: policy, limits, deadline, request id, masking of errors.
 * `proxies` are the addresses whose `x-forwarded-for` is believed.
 */
export function createGrpcServer(options: {
  readonly services: readonly HostedService[];
  readonly access: Access;
  readonly log: Log;
  readonly proxies?: AddressSet;
  readonly limits?: Limits;
  /** Answers unary calls without the gRPC library, which costs half as much; true by default. */
  readonly isFastPathOn?: boolean;
}): GrpcServer {
  const { services, access, log, limits = defaultLimits } = options;
  const { isFastPathOn = true, proxies = createAddressSet([]) } = options;
  const server = new Server(serverOptions);
  const { http2Server, injector } = openHttp2(server);
  const all = services.flatMap(({ definition }) => Object.values(definition));
  const streams = new Set(all.filter((m) => m.requestStream).map((m) => m.path));
  const isRequestStream = (path: string): boolean => streams.has(path);
  const names = ['', ...services.map((service) => service.name)];
  const health = new HealthImplementation(
    Object.fromEntries(names.map((name) => [name, 'NOT_SERVING'])),
  );
  const watches = addHealthService(server, health, limits.load, proxies);
  const onForwarded = createForwardReport(log, proxies);
  const admission = createAdmission({ access, proxies, limits: limits.load, onForwarded });
  const unread = createUnread();
  const methods = new Map<string, Method>();
  const locals = new Map<string, LocalMethod>();
  const streamRegistry = createStreamRegistry();
  const shared = { access, admission, unread, streamRegistry, log };
  const hosting = { server, methods, locals, load: limits.load, shared };
  for (const service of services) host(service, hosting);
  const frames = watchFrames({
    server: http2Server,
    limits: limits.frames ?? frameLimits,
    end: (session, cause) => watch.end(session, cause),
  });
  const routing = { methods, frames, limits: messageLimits, isFastPathOn };
  const listStreams = (session: Http2Session) => watch.listStreams(session);
  routeStreams(http2Server, { ...shared, ...routing, listStreams });
  const endStreams = (session: Http2Session) => streamRegistry.endAll(findPeer(session).peer);
  const sessions = { limits: limits.sessions, log, isRequestStream, endStreams };
  const watch = watchSessions({ server: http2Server, ...sessions });
  const listeners: Listener[] = [];
  return {
    listen: async (address, tls) => {
      const onConnection = (socket: Socket) =>
        watch.begin(socket, () => injector.injectConnection(socket));
      const door = { tls, limits: limits.connections, proxies, log, onConnection };
      const listener = createListener(door);
      const port = await listener.listen(parseAddress(address));
      listeners.push(listener);
      // After the listener: who comes back gets the new certificate.
      tls?.subscribe(watch.renew);
      return { port };
    },
    createCaller: (principal) => createLocalCaller((path) => locals.get(path), principal),
    setReady: (isReady) => names.forEach((name) => health.setStatus(name, statusOf(isReady))),
    setPartHealth: (part, isHealthy) => health.setStatus(part, statusOf(isHealthy)),
    readCounts: () => ({
      ...admission.readCounts(),
      ...watch.readCounts(),
      unreadBytes: unread.readBytes(),
      healthWatches: watches.size(),
    }),
    stop: async (deadlineMs) => {
      const endWatches = watches.end;
      await drain({ listeners, sessions: watch, admission, endWatches }, deadlineMs);
      server.forceShutdown();
      watch.stop();
      frames.stop();
    },
  };
}

const statusOf = (isWell: boolean) => (isWell ? 'SERVING' : 'NOT_SERVING');

/** A call that waits in a queue for half a second is still of use to who sent it. */
const queueTargetMs = 500;
/** A quarter of what two commits take: what shares a commit does not wait for one another. */
const minQueued = 512;
const adaptiveLimitOf = ({ all: max }: LoadLimits) => ({
  targetMs: queueTargetMs,
  min: Math.min(minQueued, max),
  max,
});

const createQueueLimit = (load: LoadLimits): AdaptiveLimit =>
  createAdaptiveLimit(adaptiveLimitOf(load), () => performance.now());

function host(
  service: HostedService,
  hosting: {
    readonly server: Server;
    readonly methods: Map<string, Method>;
    readonly locals: Map<string, LocalMethod>;
    readonly load: LoadLimits;
    readonly shared: Pick<
      WrapOptions,
      'access' | 'admission' | 'unread' | 'streamRegistry' | 'log'
    >;
  },
): void {
  const { server, methods, locals, load, shared } = hosting;
  const definitions: Record<string, ServiceDefinition[string]> = {};
  const implementation: UntypedServiceImplementation = {};
  for (const [method, definition] of Object.entries(service.definition)) {
    const policy = service.policies[method];
    if (policy === undefined) throw new Error(`${definition.path} has no policy`);
    const isStream = definition.requestStream || definition.responseStream;
    const options: WrapOptions = {
      ...shared,
      handler: service.handlers[method],
      encode: definition.responseSerialize,
      entry: {
        policy,
        isStream,
        isOneRequest: !definition.requestStream,
        onDenied: (context, rejection) => service.onDenied?.(context, method, rejection),
        limit: service.queued?.includes(method) ? createQueueLimit(load) : undefined,
        isLargeWrite: service.largeWrites?.includes(method) ?? false,
        slots: service.streams?.[method],
      },
    };
    const bounds = service.bounds?.[method];
    definitions[method] = withOwnCodec(definition, bounds);
    const { entry } = options;
    const { requestStream: isRequestStream } = definition;
    locals.set(definition.path, createLocalMethod(options, bounds));
    methods.set(definition.path, { entry, isRequestStream, direct: undefined });
    if (definition.requestStream) implementation[method] = wrapBidi(options);
    else if (definition.responseStream) implementation[method] = wrapServerStream(options);
    else {
      const unary = createWireUnary(options);
      implementation[method] = wrapUnary(unary, options.log);
      const read = createReader(definition, bounds);
      const direct = { entry, unary, read };
      methods.set(definition.path, { entry, isRequestStream, direct });
    }
  }
  server.addService(definitions, implementation);
}
