import { createSecureContext } from 'node:tls';

import {
  Client,
  connectivityState,
  credentials,
  Metadata,
  status,
  type ChannelCredentials,
  type ServiceError,
} from '@grpc/grpc-js';

import { tlsCiphers } from '../../core/tls-ciphers.ts';
import { readCallFailure, toUnsentFailure, type CallFailure, type CallResult } from './errors.ts';
import { fail, succeed, type Outcome } from '../outcome.ts';
import type { Method } from './method.ts';
import type { Settings } from '../config/settings.ts';
import {
  openAnswerStream,
  openMessageStream,
  type AnswerStream,
  type MessageStream,
} from './stream.ts';
import { readTlsFiles } from '../config/tls.ts';

type CallOptions = {
  readonly token: string | undefined;
  /** By the monotonic clock (`performance.now()`). */
  readonly deadlineMs: number;
  /** A name for this attempt, for its traces on both sides. */
  readonly requestId: string;
};

/** A channel to one server. Nothing is sent before the connection stands. */
export type Connection = {
  /** One attempt, never repeated underneath. */
  request<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options: CallOptions,
  ): Promise<CallResult<Response>>;
  /** Opens a stream of messages both ways. */
  openStream<Request, Response>(
    method: Method<Request, Response>,
    options: Omit<CallOptions, 'deadlineMs'>,
  ): Promise<CallResult<MessageStream<Request, Response>>>;
  /** Sends one request, and opens the stream of its answers. */
  openAnswers<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options: Omit<CallOptions, 'deadlineMs'>,
  ): Promise<CallResult<AnswerStream<Response>>>;
  /** Why no gRPC server answers; undefined if one does. */
  check(deadlineMs: number): Promise<CallFailure | undefined>;
  close(): void;
};

const connectTimeoutMs = 5000;

/** Prepares a channel; connects with the first request. */
export function openConnection(settings: Settings): Outcome<Connection> {
  const channelCredentials = chooseCredentials(settings);
  if (!channelCredentials.ok) return channelCredentials;
  const { text } = settings.server;
  const client = new Client(text, channelCredentials.value, {
    'grpc.keepalive_time_ms': 20_000,
    'grpc.keepalive_timeout_ms': 10_000,
    'grpc.keepalive_permit_without_calls': 0,
    // A proxy cannot reach this machine's own loopback.
    ...(settings.server.isLoopback ? { 'grpc.enable_http_proxy': 0 } : {}),
    // Repeating a call is our own decision, made with an idempotency key.
    'grpc.enable_retries': 0,
    'grpc.enable_channelz': 0,
    'grpc.service_config_disable_resolution': 1,
    'grpc.initial_reconnect_backoff_ms': 200,
    'grpc.max_reconnect_backoff_ms': 1000,
    'grpc.use_local_subchannel_pool': 1,
    // Answers to a batch are long: without it each would wait for room several times.
    'grpc-node.flow_control_window': 1024 * 1024,
  });
  return succeed({
    request: async (method, request, options) => {
      const connectDeadlineMs = Math.min(options.deadlineMs, performance.now() + connectTimeoutMs);
      const problem = await connect(client, connectDeadlineMs);
      if (problem !== undefined) {
        const failure = toUnsentFailure(`cannot connect to ${text}: ${problem}`);
        return { ok: false, failure };
      }
      return send(client, method, request, options);
    },
    openStream: async (method, options) => {
      const ready = await prepareStream(client, text, options);
      if (!ready.ok) return ready;
      const stream = openMessageStream(client, method, ready.value, options.requestId);
      return { ok: true, value: stream };
    },
    openAnswers: async (method, request, options) => {
      const ready = await prepareStream(client, text, options);
      if (!ready.ok) return ready;
      const stream = openAnswerStream(client, method, request, ready.value, options.requestId);
      return { ok: true, value: stream };
    },
    check: async (deadlineMs) => {
      const checkDeadlineMs = Math.min(deadlineMs, performance.now() + connectTimeoutMs);
      const problem =
        (await connect(client, checkDeadlineMs)) ?? (await askHealth(client, checkDeadlineMs));
      return problem === undefined
        ? undefined
        : toUnsentFailure(`cannot connect to ${text}: ${problem}`);
    },
    close: () => {
      client.close();
    },
  });
}

/** Connects, and makes the metadata that a stream begins with. */
async function prepareStream(
  client: Client,
  server: string,
  options: Omit<CallOptions, 'deadlineMs'>,
): Promise<CallResult<Metadata>> {
  const problem = await connect(client, performance.now() + connectTimeoutMs);
  if (problem !== undefined) {
    return { ok: false, failure: toUnsentFailure(`cannot connect to ${server}: ${problem}`) };
  }
  const metadata = metadataOf(options);
  return metadata ? { ok: true, value: metadata } : { ok: false, failure: unreadableToken };
}

function chooseCredentials(settings: Settings): Outcome<ChannelCredentials> {
  if (settings.hasTls) {
    const files = readTlsFiles(settings);
    if (!files.ok) return files;
    const { ca, cert, key } = files.value;
    const context = createSecureContext({
      ...(ca ? { ca } : {}),
      ...(cert && key ? { cert, key } : {}),
      ciphers: tlsCiphers,
      minVersion: 'TLSv1.2',
    });
    return succeed(credentials.createFromSecureContext(context));
  }
  if (!settings.server.isLoopback && !settings.isPlaintextAllowed) {
    return fail(
      'PLAINTEXT_REFUSED',
      `${settings.server.text} is not this machine, and without TLS others could read and change what is sent`,
      {
        field: 'server',
        hint: 'use --tls, or --tls-ca FILE for an authority of your own; --insecure-plaintext sends it in the clear',
      },
    );
  }
  return succeed(credentials.createInsecure());
}

/** The library has deadlines by the wall clock, and makes durations of them at once. */
const toWallTime = (deadlineMs: number): number => Date.now() + deadlineMs - performance.now();

/** Undefined once connected, otherwise what went wrong. Does not wait for a second attempt. */
async function connect(client: Client, deadlineMs: number): Promise<string | undefined> {
  const channel = client.getChannel();
  let state = channel.getConnectivityState(true);
  while (state !== connectivityState.READY) {
    if (state === connectivityState.TRANSIENT_FAILURE) return explainNoConnection(client);
    const seen = state;
    const isInTime = await new Promise<boolean>((resolve) => {
      channel.watchConnectivityState(seen, toWallTime(deadlineMs), (error) => {
        resolve(error === undefined);
      });
    });
    if (!isInTime) return 'no answer in time';
    state = channel.getConnectivityState(true);
  }
  return undefined;
}

/** Only a call learns why there is no connection; this one would do nothing if it got through. */
async function explainNoConnection(client: Client): Promise<string> {
  const error = await callHealth(client, Date.now() + 500);
  if (error?.code === status.DEADLINE_EXCEEDED) return 'no answer in time';
  const match = /Last error: (?:Error: )?(.*?)(?:\. Resolution note:.*)?$/s.exec(
    error?.details ?? '',
  );
  const why = match?.[1] ?? error?.details ?? 'the connection failed';
  // Some end in the time of the attempt.
  return explainTls(why.replace(/ \(\d{4}-[0-9T:.-]+Z\)$/, ''));
}

/** Whether what stands at the other end of a connection is a gRPC server: undefined if it is. */
async function askHealth(client: Client, deadlineMs: number): Promise<string | undefined> {
  const error = await callHealth(client, toWallTime(deadlineMs));
  if (!error) return undefined;
  const { certainty, message } = readCallFailure(error, '');
  if (certainty === 'unsent') return message;
  if (error.code === status.DEADLINE_EXCEEDED) return 'no answer in time';
  return error.code === status.UNAVAILABLE ? error.details : undefined;
}

function callHealth(client: Client, deadline: number): Promise<ServiceError | null> {
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      '/grpc.health.v1.Health/Check',
      () => Buffer.alloc(0),
      () => undefined,
      undefined,
      new Metadata(),
      { deadline },
      resolve,
    );
  });
}

/** What OpenSSL says is for those who know its source. */
function explainTls(why: string): string {
  if (why === 'Protocol error') return 'what listens there does not speak gRPC';
  if (!/SSL routines|EPROTO/.test(why)) return why;
  if (/wrong version number|packet length too long|record layer failure/.test(why)) {
    return 'the server does not speak TLS';
  }
  const text = /SSL routines:[^:]*:([^:]+)/.exec(why)?.[1];
  return text === undefined ? 'TLS failed' : `TLS failed: ${text.trim()}`;
}

/** Made here, since the library's own message repeats the token. */
const unreadableToken: CallFailure = {
  reason: 'TOKEN_INVALID',
  certainty: 'refused',
  isTransient: false,
  message: 'the token contains invalid characters',
  code: status.UNAUTHENTICATED,
  requestId: undefined,
  metadata: {},
};

/** Undefined if the token has characters that no header can carry. */
function metadataOf({ token, requestId }: Omit<CallOptions, 'deadlineMs'>): Metadata | undefined {
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) return undefined;
  const metadata = new Metadata();
  metadata.set('x-request-id', requestId);
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
  return metadata;
}

function send<Request, Response>(
  client: Client,
  method: Method<Request, Response>,
  request: Request,
  { token, deadlineMs, requestId }: CallOptions,
): Promise<CallResult<Response>> {
  const metadata = metadataOf({ token, requestId });
  if (!metadata) return Promise.resolve({ ok: false, failure: unreadableToken });
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      metadata,
      { deadline: toWallTime(deadlineMs) },
      (error: ServiceError | null, value?: Response) => {
        if (error) resolve({ ok: false, failure: readCallFailure(error, requestId) });
        else resolve({ ok: true, value: value as Response });
      },
    );
  });
}
