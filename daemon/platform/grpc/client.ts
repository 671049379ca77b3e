import { createSecureContext } from 'node:tls';

import {
  credentials,
  Metadata,
  type ChannelCredentials,
  type ClientOptions,
  type ClientReadableStream,
} from '@grpc/grpc-js';

import { tlsCiphers } from '../../../core/tls-ciphers.ts';
import { reasonOfServiceError } from './errors.ts';
import type { Reason } from '../../../core/reasons.ts';

type UnaryMethod<Req, Res> = (
  request: Req,
  metadata: Metadata,
  options: { deadline: number },
  callback: (err: Error | null, response: Res) => void,
) => unknown;

type StreamMethod<Req, Res> = (request: Req, metadata: Metadata) => ClientReadableStream<Res>;

type ClientConstructor<C> = new (
  address: string,
  credentials: ChannelCredentials,
  options: ClientOptions,
) => C;

/** A peer's answer that is an error: `reason` where the peer named one of ours. */
export type PeerFailure = { readonly reason: Reason | undefined; readonly cause: unknown };

/** What is shown to and expected of a peer that is reached by TLS. */
export type PeerTls = {
  /** PEM. Without `rootCerts` the authorities that Node trusts; `key` and `cert` for those who ask. */
  current(): {
    readonly rootCerts: Buffer | undefined;
    readonly key: Buffer | undefined;
    readonly cert: Buffer | undefined;
  };
};

export type PeerClient<C> = {
  /** Calls with our service credential; rejects with the gRPC error. */
  call<Req, Res>(
    select: (client: C) => UnaryMethod<Req, Res>,
    request: Req,
    timeoutMs?: number,
  ): Promise<Res>;
  /** The answers of a server stream; read no faster than they are taken. Rejects likewise. */
  stream<Req, Res>(
    select: (client: C) => StreamMethod<Req, Res>,
    request: Req,
  ): AsyncGenerator<Res, void>;
  close(): void;
};

const defaultTimeoutMs = 5_000;
/** Longer than any call over a connection whose certificates have been renewed. */
const lingerMs = 30_000;

/**
 * A gRPC client to one of our own services. Connects at the first call, which is also when the
 * address is asked for, and again by itself; anew once what `tls` gives has been renewed. `isApart`: on
 * a connection that no other client of the address uses.
 */
export function createPeerClient<C extends { close(): void }>(
  constructor: ClientConstructor<C>,
  address: () => string,
  serviceCredential: string,
  tls?: PeerTls,
  { isApart = false }: { readonly isApart?: boolean } = {},
): PeerClient<C> {
  let client: C | undefined;
  let material: ReturnType<PeerTls['current']> | undefined;
  const connect = (): C => {
    const latest = tls?.current();
    if (client && latest === material) return client;
    const outdated = client;
    if (outdated) setTimeout(() => outdated.close(), lingerMs).unref();
    material = latest;
    client = new constructor(address(), toCredentials(latest), {
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
    call: (select, request, timeoutMs = defaultTimeoutMs) =>
      new Promise((resolve, reject) => {
        const connected = connect();
        const metadata = new Metadata();
        metadata.set('authorization', `Service ${serviceCredential}`);
        select(connected).call(
          connected,
          request,
          metadata,
          { deadline: Date.now() + timeoutMs },
          (err, response) => {
            if (err) reject(err);
            else resolve(response);
          },
        );
      }),
    stream: async function* (select, request) {
      const connected = connect();
      const metadata = new Metadata();
      metadata.set('authorization', `Service ${serviceCredential}`);
      const answers = select(connected).call(connected, request, metadata);
      // What comes after the reader has left is nobody's error.
      answers.on('error', () => undefined);
      try {
        for await (const answer of answers) yield answer as never;
      } finally {
        answers.cancel();
      }
    },
    close: () => client?.close(),
  };
}

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

/** Reads what a rejected peer call means. */
export function readPeerFailure(err: unknown): PeerFailure {
  return { reason: reasonOfServiceError(err), cause: err };
}
