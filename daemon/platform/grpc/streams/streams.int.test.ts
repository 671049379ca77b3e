import { setTimeout as sleep } from 'node:timers/promises';

import {
  Client,
  credentials,
  Metadata,
  type ClientReadableStream,
  type MethodDefinition,
} from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';

import { succeed } from '../../../../core/reasons.ts';
import type { Role } from '../../../../core/roles.ts';
import { AuthServiceService } from '../../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { StatementServiceService } from '../../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { WalletServiceService } from '../../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { createAccess } from '../../access/access.ts';
import { createLog } from '../../log.ts';
import { createRevocations, type Revocation } from '../../access/revocations.ts';
import type { CallContext, UntypedHandlers } from '../calls.ts';
import { createGrpcServer } from '../server.ts';

type AnyMethod = MethodDefinition<object, object>;

const services = [
  { name: 'auth', definition: AuthServiceService },
  { name: 'wallet', definition: WalletServiceService },
  { name: 'statement', definition: StatementServiceService },
];
/** Every RPC that is a stream, whichever way. */
const streams = services.flatMap(({ name, definition }) =>
  Object.entries(definition as unknown as Readonly<Record<string, AnyMethod>>)
    .filter(([, method]) => method.requestStream || method.responseStream)
    .map(([method, of]) => ({ rpc: `${name}.${method}`, definition: of })),
);

const releases: (() => unknown)[] = [];
afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
});

const userId = 'b51a4c0e-6a63-4f0c-b4a4-0b5d5f7f1c01';
const sessionId = 'b51a4c0e-6a63-4f0c-b4a4-0b5d5f7f1c02';
const keyId = 'b51a4c0e-6a63-4f0c-b4a4-0b5d5f7f1c03';

/** The real services' methods, with handlers that never end by themselves. */
async function start(kind: 'idle' | 'busy') {
  let isHeard = true;
  let role: Role = 'admin';
  const log = createLog('silent');
  const revocations = createRevocations({
    feed: () =>
      isHeard
        ? Promise.resolve({ revocations: [], asOfMs: Date.now(), isStaffTotpRequired: false })
        : Promise.reject(new Error('away')),
    log,
  });
  await revocations.start();
  releases.push(revocations.stop);
  const issuedAtMs = Date.now() - 1_000;
  const token = {
    userId,
    role: 'admin' as Role,
    sessionId,
    issuedAtMs,
    expiresAtMs: Infinity,
    hasTotp: false,
    generation: 0,
  };
  const access = createAccess({
    tokens: {
      recall: () => token,
      verify: () => Promise.resolve(succeed(token)),
    },
    keys: {
      verify: () => {
        const bounds = { scopes: ['wallets:read' as const], walletId: undefined, operations: [] };
        const times = { expiresAtMs: Infinity };
        return Promise.resolve(
          succeed({ keyId, userId, role, hasOwnerTotp: false, ...bounds, ...times }),
        );
      },
    },
    revocations,
    serviceCredential: 'secret',
    isStaffTotpRequired: false,
  });
  const seen = { ended: 0, cancelled: 0 };
  const handlersOf = (definition: Readonly<Record<string, unknown>>): UntypedHandlers =>
    Object.fromEntries(
      Object.entries(definition).map(([name, method]) => {
        const { responseDeserialize } = method as AnyMethod;
        const message = responseDeserialize(Buffer.alloc(0));
        async function* answer(context: CallContext): AsyncGenerator<object> {
          try {
            yield message;
            for (;;) {
              await sleep(50);
              if (kind === 'busy') yield message;
              if (context.isCancelled()) seen.cancelled += 1;
              if (context.isCancelled()) return;
            }
          } finally {
            seen.ended += 1;
          }
        }
        return [
          name,
          (_request: never, context: CallContext) => Promise.resolve(succeed(answer(context))),
        ];
      }),
    );
  const server = createGrpcServer({
    services: services.map(({ name, definition }) => ({
      name,
      definition,
      handlers: handlersOf(definition),
      policies: Object.fromEntries(
        Object.keys(definition).map((method) => [
          method,
          { roles: ['admin'] as const, scope: 'wallets:read' as const, service: true as const },
        ]),
      ),
    })),
    access,
    log,
  });
  releases.push(() => server.stop(100));
  const { port } = await server.listen('127.0.0.1:0');
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  releases.push(() => client.close());
  return {
    client,
    seen,
    revoke: (revocation: Omit<Revocation, 'revokedAtMs'>) =>
      revocations.apply({ ...revocation, revokedAtMs: Date.now() }),
    loseRole: () => (role = 'customer'),
    loseFeed: () => (isHeard = false),
  };
}

/** Opens a stream, waits for its first answer, and says how it ends. */
async function open(
  client: Client,
  { path, requestSerialize, responseDeserialize, requestStream }: AnyMethod,
  authorization: string,
) {
  const metadata = new Metadata();
  metadata.set('authorization', authorization);
  const empty = { path, items: [], walletId: '', exportId: '', afterWalletId: '', offset: 0n };
  const request = { ...empty, afterSeq: 0n, userIds: [], cursor: '' };
  let stream: ClientReadableStream<object>;
  if (requestStream) {
    stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata);
  } else {
    stream = client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      metadata,
    );
  }
  const ended = new Promise<number>((resolve) => {
    stream.on('error', (err) => resolve((err as { code?: number }).code ?? -1));
    stream.on('end', () => resolve(0));
  });
  releases.push(() => stream.cancel());
  await new Promise((resolve) => stream.once('data', resolve));
  return { ended };
}

/** How a stream ended; -2 if it went on. */
const endOf = (ended: Promise<number>): Promise<number> =>
  Promise.race([ended, sleep(15_000, -2, { ref: false })]);

const unauthenticated = 16;
const unavailable = 14;
const permissionDenied = 7;

describe.each(['idle', 'busy'] as const)('an %s stream', (kind) => {
  it.each(streams)('a stream of $rpc ends when its session is revoked', async ({ definition }) => {
    const { client, revoke, seen } = await start(kind);
    const { ended } = await open(client, definition, 'Bearer token');
    revoke({ kind: 'session', id: sessionId });
    expect(await endOf(ended)).toBe(unauthenticated);
    await sleep(200);
    // What works for it has been let go of too.
    expect(seen.ended).toBe(1);
  });

  it.each([
    ['the user is shut out', { kind: 'user', id: userId }, 'Bearer token', unauthenticated],
    ['the API key is revoked', { kind: 'api-key', id: keyId }, 'Bearer dwk_1', unauthenticated],
  ] as const)('a stream ends when %s', async (_name, revocation, authorization, code) => {
    const { client, revoke } = await start(kind);
    const { definition } = streams.find(({ rpc }) => rpc === 'statement.downloadExport')!;
    const { ended } = await open(client, definition, authorization);
    revoke(revocation);
    expect(await endOf(ended)).toBe(code);
  });

  it('a stream ends when the owner of its API key loses the role', async () => {
    const { client, loseRole } = await start(kind);
    const { definition } = streams.find(({ rpc }) => rpc === 'statement.rebuildProjection')!;
    const { ended } = await open(client, definition, 'Bearer dwk_1');
    loseRole();
    expect(await endOf(ended)).toBe(permissionDenied);
  });

  it('a user stream ends when the revocation feed is lost; a service stream does not', async () => {
    const { client, loseFeed } = await start(kind);
    const { definition } = streams.find(({ rpc }) => rpc === 'wallet.streamLedger')!;
    const service = await open(client, definition, 'Service secret');
    const { ended } = await open(client, definition, 'Bearer token');
    loseFeed();
    expect(await endOf(ended)).toBe(unavailable);
    expect(await Promise.race([service.ended, sleep(1_500, 'open')])).toBe('open');
  });
});
