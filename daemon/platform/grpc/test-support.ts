import { setTimeout as sleep } from 'node:timers/promises';

import { refuse, succeed } from '../../../core/reasons.ts';
import type { Access, Policy, Principal } from '../access/access.ts';
import { createLog, type Log } from '../log.ts';
import { pipeline } from '../concurrency/ordered-pipeline.ts';
import type { CallContext } from './admission/admission.ts';
import { loadLimits } from './admission/load-limits.ts';
import { connectionLimits, type ServerTls } from './ingress/listener.ts';
import { createGrpcServer, type GrpcServer, type Limits } from './server.ts';
import { sessionLimits } from './ingress/sessions.ts';
import { createAddressSet } from './ingress/source.ts';

/**
 * Stands in for tokens: `User name` is that user, `Slow name` after 50 ms, `Known name` one whose
 * token was verified before, `Service secret` a service.
 */
const access: Access = {
  validateToken: () => Promise.resolve(refuse('TOKEN_INVALID', 'no tokens here')),
  isService: (authorization) => authorization === 'Service secret',
  identify: async (authorization) => {
    const [scheme, name = ''] = (authorization ?? '').split(' ');
    if (scheme === 'Slow') await sleep(50);
    if (scheme === 'Service' && name === 'secret') return identified({ kind: 'service' });
    if (scheme !== 'User' && scheme !== 'Slow')
      return Promise.resolve(refuse('TOKEN_INVALID', 'not known'));
    const user = { userId: name, role: 'customer', sessionId: 's', apiKey: undefined } as const;
    return identified({ kind: 'user', ...user });
  },
  authorize: (authorization, policy) =>
    policy === 'public' ? identified({ kind: 'anonymous' }) : access.identify(authorization),
  recall: (authorization, policy) => {
    const [scheme, name = ''] = (authorization ?? '').split(' ');
    if (scheme !== 'Known' || policy === 'public') return undefined;
    return { kind: 'user', userId: name, role: 'customer', sessionId: 's', apiKey: undefined };
  },
};
const identified = (principal: Principal) => Promise.resolve(succeed(principal));

const bytesOf = (bytes: Buffer): Buffer => bytes;
const method = (name: string, requestStream = false, responseStream = false) => ({
  path: `/test.Test/${name}`,
  requestStream,
  responseStream,
  requestSerialize: bytesOf,
  requestDeserialize: bytesOf,
  responseSerialize: bytesOf,
  responseDeserialize: bytesOf,
});

export const definition = {
  signIn: method('signIn'),
  refresh: method('refresh'),
  wait: method('wait'),
  queue: method('queue'),
  large: method('large'),
  late: method('late'),
  lateWrite: method('lateWrite'),
  source: method('source'),
  pour: method('pour', false, true),
  talk: method('talk', true, true),
  talkAhead: method('talkAhead', true, true),
  local: method('local'),
  stream: method('stream', false, true),
};
const user: Policy = { roles: ['customer'], service: true };
const policies: Record<string, Policy> = {
  signIn: 'public',
  refresh: 'public',
  wait: user,
  queue: user,
  large: user,
  late: user,
  lateWrite: user,
  source: user,
  pour: user,
  talk: user,
  talkAhead: user,
  local: user,
  stream: user,
};

export type TestServer = {
  readonly address: string;
  readonly server: GrpcServer;
  /** Lets the calls that wait be answered. */
  answerWaiting(): void;
  stop(): Promise<void>;
};

type TestServerOptions = {
  readonly isFastPathOn?: boolean;
  readonly log?: Log;
  readonly tls?: ServerTls;
};

const megabyte = Buffer.alloc(1024 * 1024);

async function* streamOf(text: string): AsyncGenerator<Buffer> {
  yield await Promise.resolve(Buffer.from(text));
}

/** Echoes four messages at once, each once `wait` has let it go. */
const talkAhead = (
  requests: AsyncIterable<Buffer>,
  wait: () => Promise<unknown>,
): AsyncIterable<Buffer> =>
  pipeline(requests, (it) => Promise.resolve({ completed: wait().then(() => it) }), 4);

/**
 * `wait` and `queue` answer when they are let go, `large` with as many MiB as asked for (`late` and
 * `lateWrite`, which commits, once let go), `source` with its own.
 */
export async function startTestServer(
  limits: Partial<Limits>,
  proxies: string[],
  { isFastPathOn = true, log = createLog('silent'), tls }: TestServerOptions = {},
): Promise<TestServer> {
  const waiting: (() => void)[] = [];
  const wait = async () => {
    await new Promise<void>((resolve) => waiting.push(resolve));
    return succeed(Buffer.from('done'));
  };
  const late = (request: Buffer) =>
    wait().then(() => succeed(Buffer.alloc((request[0] ?? 0) << 20)));
  async function* pour(): AsyncGenerator<Buffer> {
    for (;;) yield await Promise.resolve(megabyte);
  }
  /** Echoes; a `w` is answered once the calls that wait are let go, a `p` is poured after. */
  async function* talk(requests: AsyncIterable<Buffer>, context: CallContext) {
    for await (const request of requests) {
      if (request.toString() === 'w') await wait();
      yield request;
      if (request.toString() === 'p') yield* pour();
      context.stream?.finishRequest();
    }
  }
  const server = createGrpcServer({
    services: [
      {
        name: 'test.Test',
        definition,
        policies,
        queued: ['queue'],
        largeWrites: ['lateWrite'],
        handlers: {
          signIn: wait,
          refresh: () => Promise.resolve(succeed(Buffer.from('refreshed'))),
          wait,
          queue: wait,
          large: (request: Buffer) =>
            Promise.resolve(succeed(Buffer.alloc((request[0] ?? 0) << 20))),
          late,
          lateWrite: late,
          source: (_request: Buffer, { source }: { source: string }) =>
            Promise.resolve(succeed(Buffer.from(source))),
          pour: () => Promise.resolve(succeed(pour())),
          talk: (requests: AsyncIterable<Buffer>, context: CallContext) =>
            Promise.resolve(succeed(talk(requests, context))),
          talkAhead: (requests: AsyncIterable<Buffer>) =>
            Promise.resolve(succeed(talkAhead(requests, wait))),
          local: (_request: Buffer, { isLocal }: CallContext) =>
            Promise.resolve(succeed(Buffer.from(String(isLocal)))),
          stream: (_request: Buffer, { isLocal }: CallContext) =>
            Promise.resolve(succeed(streamOf(String(isLocal)))),
        },
      },
    ],
    access,
    log,
    isFastPathOn,
    proxies: createAddressSet(proxies),
    limits: {
      load: loadLimits,
      connections: connectionLimits,
      sessions: sessionLimits,
      ...limits,
    },
  });
  const { port } = await server.listen('127.0.0.1:0', tls);
  const answerWaiting = (): void => waiting.splice(0).forEach((resolve) => resolve());
  const stop = () => (answerWaiting(), server.stop(500));
  return { address: `127.0.0.1:${port}`, server, answerWaiting, stop };
}
