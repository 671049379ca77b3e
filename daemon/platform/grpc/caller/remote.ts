import { createSecureContext } from 'node:tls';

import {
  Client,
  credentials,
  Metadata,
  status,
  type CallOptions as GrpcCallOptions,
  type ChannelCredentials,
  type ClientReadableStream,
  type MethodDefinition,
  type ServiceError,
} from '@grpc/grpc-js';

import { refuse, succeed, type Reason, type Rejection } from '../../../../core/reasons.ts';
import { tlsCiphers } from '../../../../core/tls-ciphers.ts';
import { createTransientRejection } from '../../transient-rejection.ts';
import { readServiceError } from '../errors.ts';
import type { Caller, CallOptions } from './caller.ts';

/** What is shown to and expected of a peer that is reached by TLS. */
export type PeerTls = {
  /**
   * PEM. Without `rootCerts` the authorities that Node trusts; `key` and `cert` for those who ask.
   */
  current(): {
    readonly rootCerts: Buffer | undefined;
    readonly key: Buffer | undefined;
    readonly cert: Buffer | undefined;
  };
};

/** Longer than any call over a connection whose certificates have been renewed. */
const lingerMs = 30_000;

/**
 * Calls services of another process over gRPC, as one of our own services where it has their
 * credential. Connects at the first call, and again by itself; anew once what `tls` gives has been
 * renewed.
 */
export function createRemoteCaller(options: {
  /** HOST:PORT; where none is known, no call must be made. */
  readonly address: string | undefined;
  readonly serviceCredential?: string;
  readonly tls?: PeerTls | undefined;
  /** On a connection that no other caller of the address uses. */
  readonly isApart?: boolean;
  /** Of a call that could not be sent, so that it has no effect; OUTCOME_UNKNOWN if not given. */
  readonly unreachable?: Reason;
}): Caller {
  const { address, serviceCredential, tls, isApart, unreachable } = options;
  let client: Client | undefined;
  let material: ReturnType<PeerTls['current']> | undefined;
  const connect = (): Client => {
    const latest = tls?.current();
    if (client && latest === material) return client;
    const outdated = client;
    if (outdated) setTimeout(() => outdated.close(), lingerMs).unref();
    material = latest;
    if (address === undefined) throw new Error('the address of the service is not configured');
    client = new Client(address, toCredentials(latest), {
      'grpc.enable_http_proxy': 0,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 2_000,
      'grpc.keepalive_time_ms': 30_000,
      // The library shares connections between clients of one address.
      ...(isApart ? { 'grpc.use_local_subchannel_pool': 1 } : {}),
    });
    return client;
  };
  return {
    call: ({ path, requestSerialize, responseDeserialize }, request, call = {}) =>
      new Promise((resolve) => {
        const sending = connect().makeUnaryRequest(
          path,
          requestSerialize,
          responseDeserialize,
          request,
          toMetadata(call, serviceCredential),
          toGrpcOptions(call),
          (err, answer) => {
            if (err) resolve({ ok: false, rejection: toRejection(err, unreachable) });
            else resolve(succeed(answer as NonNullable<typeof answer>));
          },
        );
        giveUpWith(call, sending);
      }),
    stream: async function* (method, request, call = {}) {
      const answers = openStream(connect(), method, request, call, serviceCredential);
      giveUpWith(call, answers);
      // An error after the reader has left must not end the process.
      answers.on('error', () => undefined);
      try {
        for await (const answer of answers) yield answer as never;
      } catch (err) {
        throw createTransientRejection(toRejection(err as ServiceError, unreachable), err);
      } finally {
        answers.cancel();
      }
    },
    close: () => client?.close(),
  };
}

function openStream<Req, Res>(
  client: Client,
  method: MethodDefinition<Req, Res>,
  request: Req | AsyncIterable<Req>,
  call: CallOptions,
  serviceCredential: string | undefined,
): ClientReadableStream<Res> {
  const { path, requestSerialize, responseDeserialize } = method;
  const metadata = toMetadata(call, serviceCredential);
  const options = toGrpcOptions(call);
  const types = [path, requestSerialize, responseDeserialize] as const;
  if (!method.requestStream) {
    return client.makeServerStreamRequest(...types, request as Req, metadata, options);
  }
  const stream = client.makeBidiStreamRequest(...types, metadata, options);
  void (async () => {
    for await (const each of request as AsyncIterable<Req>) {
      if (stream.destroyed) return;
      if (!stream.write(each)) await new Promise((resolve) => stream.once('drain', resolve));
    }
    stream.end();
  })().catch((err: unknown) => stream.destroy(err instanceof Error ? err : undefined));
  return stream;
}

function giveUpWith({ signal }: CallOptions, call: { cancel(): void }): void {
  if (signal?.aborted) call.cancel();
  else signal?.addEventListener('abort', () => call.cancel(), { once: true });
}

function toMetadata(call: CallOptions, serviceCredential: string | undefined): Metadata {
  const metadata = new Metadata();
  const authorization =
    serviceCredential === undefined ? call.authorization : `Service ${serviceCredential}`;
  if (authorization !== undefined) metadata.set('authorization', authorization);
  if (call.source !== undefined) metadata.set('x-forwarded-for', call.source);
  if (call.requestId !== undefined) metadata.set('x-request-id', call.requestId);
  return metadata;
}

/** The library has deadlines by the wall clock, and makes durations of them at once. */
const toGrpcOptions = ({ deadlineMs }: CallOptions): GrpcCallOptions =>
  deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs - performance.now() };

function toCredentials(material: ReturnType<PeerTls['current']> | undefined): ChannelCredentials {
  if (!material) return credentials.createInsecure();
  const { rootCerts, key, cert } = material;
  const context = createSecureContext({
    ...(rootCerts ? { ca: rootCerts } : {}),
    ...(cert && key ? { cert, key } : {}),
    ciphers: tlsCiphers,
    minVersion: 'TLSv1.2',
  });
  return credentials.createFromSecureContext(context);
}

/** The library's words for a call that it had no connection for: nothing was sent. */
const unsent = /^(No connection established|Name resolution failed)/;

/** Answers without a reason of ours: the peer cannot be reached, or is none of ours. */
function toRejection(err: ServiceError, unreachable: Reason | undefined): Rejection {
  const stated = readServiceError(err);
  if (stated) return stated;
  const message = err.details;
  if (err.code === status.DEADLINE_EXCEEDED) return refuse('DEADLINE_EXCEEDED', message).rejection;
  if (err.code === status.CANCELLED) return refuse('CANCELLED', message).rejection;
  if (unreachable && err.code === status.UNAVAILABLE && unsent.test(message)) {
    return refuse(unreachable, 'the service cannot be reached, and nothing was done: try again')
      .rejection;
  }
  return refuse('OUTCOME_UNKNOWN', `${status[err.code]}: ${message}`).rejection;
}
