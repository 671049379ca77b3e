import { randomBytes, randomUUID } from 'node:crypto';

import {
  Client,
  credentials,
  Metadata,
  type MethodDefinition,
  type ServiceError,
} from '@grpc/grpc-js';

import type { JSONWebKeySet } from 'jose';

import type { Result } from '../../../core/reasons.ts';
import { createAuth, generateSigningKey } from '../../../daemon/auth/index.ts';
import { createAuthPeer } from '../../../daemon/peers.ts';
import { createAccess } from '../../../daemon/platform/access/access.ts';
import { createKeyVerifier } from '../../../daemon/platform/access/api-keys.ts';
import { createGrpcServer } from '../../../daemon/platform/grpc/server.ts';
import { createAddressSet, loopback } from '../../../daemon/platform/grpc/ingress/source.ts';
import { findTransientRejection } from '../../../daemon/platform/transient-rejection.ts';
import { createLog } from '../../../daemon/platform/log.ts';
import type { CallContext } from '../../../daemon/platform/grpc/calls.ts';
import type { Mailer } from '../../../daemon/platform/mail/mail.ts';
import { createRevocations } from '../../../daemon/platform/access/revocations.ts';
import { createTokenVerifier } from '../../../daemon/platform/access/tokens.ts';
import { ErrorInfo, Status } from '../../../protos/gen/digitalwallet/common/v1/error.ts';
import { createHostedCaller } from '../../../daemon/peer-clients.ts';
import { createTestDatabase, type TestDatabase } from '../postgres/database.ts';

/** An answer, or the refusal as the caller sees it, without the number of the request. */
export type Answer<Res> =
  | { readonly ok: true; readonly value: Res }
  | {
      readonly ok: false;
      readonly code: number;
      readonly reason: string;
      readonly message: string;
      readonly metadata: Readonly<Record<string, string>>;
    };

export type AuthServer = {
  readonly database: TestDatabase;
  /** `authorization` as sent: `Bearer …` or `Service …`; none for a stranger. */
  call<Req, Res>(
    method: MethodDefinition<Req, Res>,
    request: Req,
    authorization?: string,
    timeoutMs?: number,
  ): Promise<Answer<Res>>;
  /** A public call through a trusted proxy that names this address as its source. */
  callVia<Req, Res>(
    source: string,
    method: MethodDefinition<Req, Res>,
    request: Req,
    timeoutMs?: number,
  ): Promise<Answer<Res>>;
  /** A public call as if it came from that address. */
  callFrom<Req, Res>(
    source: string,
    method: MethodDefinition<Req, Res>,
    request: Req,
    timeoutMs?: number,
  ): Promise<Result<Res>>;
  readonly serviceAuthorization: string;
  /** The public keys that the service gives out now. */
  fetchJwks(): Promise<JSONWebKeySet>;
  stop(): Promise<void>;
};

export type AuthServerOptions = {
  readonly isSignUpOpen?: boolean;
  readonly isSignUpLocal?: boolean;
  /** Another server's, which drops it: this one is then a second daemon on it. */
  readonly database?: TestDatabase;
  readonly signingKeyPem?: string;
  readonly previousKeyPem?: string;
  readonly mailer?: Mailer;
  readonly isStaffTotpRequired?: boolean;
};

/** The auth service behind real gRPC on a free port, put together as the daemon does it. */
export async function startAuthServer(options: AuthServerOptions = {}): Promise<AuthServer> {
  const { isSignUpOpen = true, signingKeyPem = generateSigningKey(), previousKeyPem } = options;
  const { mailer, isSignUpLocal = false, isStaffTotpRequired = false } = options;
  const database = options.database ?? (await createTestDatabase('auth'));
  const log = createLog('silent');
  const credential = randomBytes(32).toString('base64url');
  const hosted = createHostedCaller();
  const peer = createAuthPeer(hosted.caller);
  const revocations = createRevocations({ feed: peer.feed, log });
  const tokens = createTokenVerifier({ fetchJwks: peer.fetchJwks, nowMs: revocations.nowMs });
  const keys = createKeyVerifier({ ask: peer.verifyKey, revocations, nowMs: revocations.nowMs });
  const access = createAccess({
    ...{ tokens, keys, revocations, isStaffTotpRequired: false },
    serviceCredential: credential,
  });
  const auth = await createAuth({
    feedDb: database.db,
    db: database.db,
    revocations,
    validateToken: access.validateToken,
    ...(mailer ? { mailer } : {}),
    log,
    config: { isSignUpOpen, isSignUpLocal, isStaffTotpRequired, signingKeyPem, previousKeyPem },
  });
  if (!auth.ok) throw new Error(auth.problem);
  const proxies = createAddressSet(['127.0.0.1']);
  const server = createGrpcServer({ services: [auth.value.service], access, log, proxies });
  hosted.host(server);
  const address = `127.0.0.1:${(await server.listen('127.0.0.1:0')).port}`;
  await revocations.start();
  auth.value.start();
  const client = new Client(address, credentials.createInsecure());
  return {
    database,
    serviceAuthorization: `Service ${credential}`,
    fetchJwks: () => peer.fetchJwks(),
    callFrom: (source, { path }, request, timeoutMs = Infinity) => {
      const name = path.slice(path.lastIndexOf('/') + 1);
      const handler = auth.value.service.handlers[name.charAt(0).toLowerCase() + name.slice(1)];
      if (!handler) throw new Error(`${path} has no handler`);
      const call = handler(request as never, contextFrom(source, timeoutMs)) as Promise<
        Result<never>
      >;
      return call.catch((err: unknown) => {
        const rejection = findTransientRejection(err);
        if (rejection) return { ok: false, rejection };
        throw err;
      });
    },
    call: (method, request, authorization, timeoutMs) => {
      const headers = authorization === undefined ? {} : { authorization };
      return callUnary(client, method, request, headers, timeoutMs);
    },
    callVia: (source, method, request, timeoutMs) =>
      callUnary(client, method, request, { 'x-forwarded-for': source }, timeoutMs),
    stop: async () => {
      client.close();
      revocations.stop();
      await server.stop(1_000);
      await auth.value.stop();
      if (!options.database) await database.drop();
    },
  };
}

const contextFrom = (source: string, timeoutMs: number): CallContext => ({
  requestId: randomUUID(),
  principal: { kind: 'anonymous' },
  source,
  isLocal: loopback.has(source),
  deadlineMs: performance.now() + timeoutMs,
  isCancelled: () => false,
});

function callUnary<Req, Res>(
  client: Client,
  method: MethodDefinition<Req, Res>,
  request: Req,
  headers: Readonly<Record<string, string>>,
  timeoutMs?: number,
): Promise<Answer<Res>> {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const options = timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      metadata,
      options,
      (err, value) => {
        if (err) resolve(readRefusal(err));
        else if (value !== undefined) resolve({ ok: true, value });
      },
    );
  });
}

function readRefusal(err: ServiceError): Extract<Answer<never>, { ok: false }> {
  const { code, details: message } = err;
  const [bytes] = err.metadata.get('grpc-status-details-bin');
  if (!Buffer.isBuffer(bytes)) return { ok: false, code, reason: '', message, metadata: {} };
  const [detail] = Status.decode(bytes).details;
  const info = ErrorInfo.decode(detail?.value ?? new Uint8Array());
  const { requestId: _requestId, ...metadata } = info.metadata;
  return { ok: false, code, reason: info.reason, message, metadata };
}
