import {
  AuthServiceService as auth,
  SignInRequest,
  SignUpRequest,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { createGateway, listRoutes } from '../../../daemon/gateway/index.ts';
import { createOpenApi } from '../../../daemon/gateway/openapi/document.ts';
import type { Rejection } from '../../../core/reasons.ts';
import type { Caller } from '../../../daemon/platform/grpc/caller/caller.ts';
import { createAddressSet } from '../../../daemon/platform/grpc/ingress/source.ts';
import { createTransientRejection } from '../../../daemon/platform/transient-rejection.ts';
import { createLog } from '../../../daemon/platform/log.ts';
import { createAuthPeer } from '../../../daemon/peers.ts';
import { startAllServices, type AllServices } from '../processes/all-services.ts';
import { createContract, type HttpAnswer } from './contract.ts';

/** What the OpenAPI document says of the gateways of these tests. */
export type { HttpAnswer };
export const contract = createContract(createOpenApi(listRoutes('BRL')));

export type GatewayWorld = {
  readonly services: AllServices;
  readonly port: number;
  readonly url: string;
  setReady(isReady: boolean): void;
  /** From now on each call of the gateway is refused so; undefined: by the services themselves. */
  refuse(rejection: Rejection | undefined): void;
  /** The paths of the calls that the gateway has made. */
  readonly calls: readonly string[];
  /** Those of one request, streams too. */
  callsOf(requestId: string): readonly string[];
  stopGateway(): Promise<void>;
  stop(): Promise<void>;
};

/** A gateway before the three services, all in this process. */
export async function startGateway(
  allowedHosts = ['127.0.0.1'],
  settings: { readonly maxEventStreams?: number; readonly corsOrigins?: readonly string[] } = {},
): Promise<GatewayWorld> {
  const services = await startAllServices();
  const calls: string[] = [];
  const byRequest = new Map<string, string[]>();
  const note = (path: string, requestId = ''): void => {
    byRequest.set(requestId, [...(byRequest.get(requestId) ?? []), path]);
  };
  const inner = services.server.createCaller();
  let refusal: Rejection | undefined;
  const caller: Caller = {
    ...inner,
    call: (method, request, options) => {
      calls.push(method.path);
      note(method.path, options?.requestId);
      if (refusal) return Promise.resolve({ ok: false, rejection: refusal });
      return inner.call(method, request, options);
    },
    stream: (method, request, options) => {
      note(method.path, options?.requestId);
      return refusal ? endStream(refusal) : inner.stream(method, request, options);
    },
  };
  let isReady = true;
  const gateway = createGateway({
    callers: { auth: caller, wallet: caller, statement: caller },
    exchangeSession: createAuthPeer(services.server.createCaller({ kind: 'service' }))
      .exchangeSession,
    log: createLog('silent'),
    proxies: createAddressSet([]),
    tls: undefined,
    isReady: () => isReady,
    config: { defaultCurrency: 'BRL', allowedHosts, ...settings },
  });
  const { port } = await gateway.listen('127.0.0.1', 0);
  return {
    services,
    port,
    url: `http://127.0.0.1:${port}`,
    setReady: (next) => {
      isReady = next;
    },
    refuse: (rejection) => {
      refusal = rejection;
    },
    calls,
    callsOf: (requestId) => byRequest.get(requestId) ?? [],
    stopGateway: () => gateway.stop(1_000),
    stop: async () => {
      await gateway.stop(1_000);
      await services.stop();
    },
  };
}

/** A stream that is refused before its first answer. */
async function* endStream(rejection: Rejection): AsyncGenerator<never> {
  await Promise.resolve();
  throw createTransientRejection(rejection);
}

/** Opens an account, and signs in: an access token. */
export async function openAccount({ services }: GatewayWorld, email: string): Promise<string> {
  const caller = services.server.createCaller();
  const person = { email, password: 'correct horse battery' };
  await caller.call(auth.signUp, SignUpRequest.fromPartial(person));
  const signedIn = await caller.call(auth.signIn, SignInRequest.fromPartial(person));
  if (!signedIn.ok) throw new Error(signedIn.rejection.message);
  return signedIn.value.tokens?.accessToken ?? '';
}

/**
 * Sends a request with an optional JSON body, and reads the whole answer. Throws if it is not as
 * the OpenAPI document says.
 */
export async function send(
  url: string,
  method: string,
  path: string,
  options: {
    readonly token?: string;
    readonly body?: unknown;
    headers?: Record<string, string>;
  } = {},
): Promise<HttpAnswer> {
  const { token, body, headers = {} } = options;
  const response = await fetch(`${url}${path}`, {
    method,
    redirect: 'manual',
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = /[/+]json/.test(response.headers.get('content-type') ?? '');
  const parsed = isJson && text !== '' ? (JSON.parse(text) as Record<string, unknown>) : {};
  const answer = { status: response.status, headers: response.headers, body: parsed, text };
  if (contract.describes(method, path)) contract.check(method, path, answer);
  return answer;
}
