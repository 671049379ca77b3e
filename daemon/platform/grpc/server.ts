import {
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';

import type { Rejection } from '../../../core/reasons.ts';
import type { Access, Policy } from '../access.ts';
import type { Log } from '../log.ts';
import {
  wrapBidi,
  wrapServerStream,
  wrapUnary,
  type CallContext,
  type UntypedHandlers,
  type WrapOptions,
} from './calls.ts';

export type Policies<Methods> = {
  readonly [M in keyof Methods as string extends M ? never : M]: Policy;
};

/** A gRPC service ready to be hosted: what each service's index returns. */
export type HostedService = {
  readonly name: string;
  readonly definition: ServiceDefinition;
  readonly handlers: UntypedHandlers;
  readonly policies: Readonly<Record<string, Policy>>;
  /** Told of each refusal for want of rights, with the method's name. */
  readonly onDenied?: (context: CallContext, method: string, rejection: Rejection) => void;
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
const flushMs = 250;

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
    const options: WrapOptions = {
      handler: service.handlers[method],
      policy,
      access,
      log,
      load,
      onDenied: (context, rejection) => service.onDenied?.(context, method, rejection),
    };
    implementation[method] = definition.requestStream
      ? wrapBidi(options)
      : definition.responseStream
        ? wrapServerStream(options)
        : wrapUnary(options);
  }
  return implementation;
}
