import { mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { Client, credentials, type ChannelCredentials } from '@grpc/grpc-js';

import {
  AuthServiceService,
  SignInRequest,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  CreateExportRequest,
  ExportFormat,
  ExportStatus,
  GetExportRequest,
  StatementServiceService,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import type { Daemon, Environment } from '../../../scripts/product.ts';
import { callAny, type AnyMethod, type Outcome } from '../grpc/any-call.ts';
import { createAuthority } from '../auth/certificates.ts';
import { startPostgres, type PostgresServer } from '../postgres/server.ts';
import { createServerWorld, type ServerWorld } from './server-world.ts';
import { expectCode, password } from './world.ts';

export type Door = 'plaintext' | 'TLS';
export type User = { readonly id: string; readonly token: string };

/** A database server of its own, on which daemons are started and stopped, with TLS or without. */
export type DrainStage = {
  readonly server: PostgresServer;
  readonly world: ServerWorld;
  /** Certificate, key and authority, for a proxy in front. */
  readonly tls: { readonly cert: string; readonly key: string; readonly ca: string };
  start(door: Door, extra?: Environment): Promise<Daemon>;
  channel(door: Door): ChannelCredentials;
  call(
    daemon: Pick<Daemon, 'address'>,
    door: Door,
    method: object,
    request: object,
    token?: string,
  ): Promise<Outcome>;
  signUp(daemon: Pick<Daemon, 'address'>, door: Door, name: string): Promise<User>;
  operator(daemon: Daemon, door: Door, name: string): Promise<string>;
  dispose(): Promise<void>;
};

export async function createDrainStage(): Promise<DrainStage> {
  const folder = mkdtempSync(join(tmpdir(), 'dw-drain-'));
  const authority = createAuthority(folder, 'authority');
  const { cert, key } = authority.issue('walletd', 30);
  const server = await startPostgres({ settings: { max_connections: '300' } });
  const world = await createServerWorld(server);
  expectCode(await world.walletd(['migrate']), 0);
  const clients = new Map<string, Client>();
  const channel = (door: Door): ChannelCredentials =>
    door === 'TLS'
      ? credentials.createSsl(readFileSync(authority.cert))
      : credentials.createInsecure();
  const call: DrainStage['call'] = (daemon, door, method, request, token) => {
    const client = clients.get(daemon.address) ?? new Client(daemon.address, channel(door));
    clients.set(daemon.address, client);
    const authorization = token === undefined ? undefined : `Bearer ${token}`;
    return callAny(client, method as AnyMethod, request, authorization);
  };
  const signIn = async (
    daemon: Pick<Daemon, 'address'>,
    door: Door,
    email: string,
  ): Promise<string> => {
    const request = SignInRequest.fromPartial({ email, password });
    const { messages } = await call(daemon, door, AuthServiceService.signIn, request);
    const [answer] = messages as { tokens?: { accessToken: string } }[];
    return answer?.tokens?.accessToken ?? '';
  };
  return {
    server,
    world,
    tls: { cert, key, ca: authority.cert },
    start: (door, extra) =>
      world.start({
        ...(door === 'TLS' ? { TLS_CERT_FILE: cert, TLS_KEY_FILE: key } : {}),
        ...extra,
      }),
    channel,
    call,
    signUp: async (daemon, door, name) => {
      const email = `${name}@example.com`;
      const { messages } = await call(daemon, door, AuthServiceService.signUp, { email, password });
      const [answer] = messages as { user?: { id: string } }[];
      return { id: answer?.user?.id ?? '', token: await signIn(daemon, door, email) };
    },
    operator: async (daemon, door, name) => {
      const email = `${name}@example.com`;
      const args = ['users', 'create', '--email', email, '--role', 'operator'];
      expectCode(await world.walletd(args, password), 0);
      return signIn(daemon, door, email);
    },
    dispose: async () => {
      clients.forEach((client) => client.close());
      await world.dispose();
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Asks for an export of the user's own wallet, and waits until it is written. */
export async function makeExport(
  stage: DrainStage,
  daemon: Daemon,
  door: Door,
  { token }: User,
): Promise<{ readonly id: string; readonly bytes: bigint }> {
  type Made = { export?: { id: string; status: ExportStatus; bytes?: bigint } };
  const { createExport, getExport } = StatementServiceService;
  const request = CreateExportRequest.fromPartial({
    currency: 'BRL',
    from: new Date(Date.now() - 86_400_000),
    to: new Date(),
    timezone: 'UTC',
    format: ExportFormat.CSV,
    idempotencyKey: crypto.randomUUID(),
  });
  const asked = await stage.call(daemon, door, createExport, request, token);
  const exportId = (asked.messages[0] as Made | undefined)?.export?.id ?? '';
  for (let tries = 0; tries < 200; tries += 1) {
    const wanted = GetExportRequest.fromPartial({ exportId });
    const got = await stage.call(daemon, door, getExport, wanted, token);
    const made = (got.messages[0] as Made | undefined)?.export;
    if (made?.status === ExportStatus.DONE) return { id: exportId, bytes: made.bytes ?? 0n };
    await sleep(50);
  }
  throw new Error(`no export: ${asked.reason} ${asked.message}`);
}
