import { randomUUID } from 'node:crypto';

import type { ServerAddress } from '../../config/server-address.ts';
import { readTlsFiles, type TlsFiles } from '../../config/tls.ts';
import type { Context } from '../../context.ts';
import type { Connection } from '../../rpc/client.ts';
import { toCliFailure } from '../../rpc/errors.ts';
import { ok, problem, skipped, toProblem, warning, type Finding } from './finding.ts';
import { checkHealth, serving } from './health.ts';
import { probeHttp, probeTcp, probeTls } from './probe.ts';
import { describeTls } from './tls-findings.ts';

export const callTimeoutMs = 5_000;

export type Checked = {
  readonly findings: readonly Finding[];
  /** Undefined where there is none over which calls are answered. */
  readonly value: Connection | undefined;
};

/** The way to the server: TCP, TLS, gRPC. */
export async function checkConnection(context: Context): Promise<Checked> {
  const { settings } = context;
  const { openConnection } = await import('../../rpc/client.ts');
  const opened = openConnection(settings);
  if (!opened.ok) return failed([toProblem('server', opened)]);
  const files = settings.hasTls ? readTlsFiles(settings) : undefined;
  if (files?.ok === false) return failed([toProblem('server', files)]);
  const way = await checkWay(context, files?.value);
  if (way.some(({ check, state }) => check === 'server' && state === 'problem')) {
    opened.value.close();
    return failed(way);
  }
  const grpc = await checkGrpc(opened.value, context);
  if (grpc.state === 'problem') opened.value.close();
  const value = grpc.state === 'problem' ? undefined : opened.value;
  return { findings: [...way, grpc], value };
}

const failed = (findings: readonly Finding[]): Checked => ({ findings, value: undefined });

/** Without a proxy of the host's, which would be the one to connect. */
async function checkWay(
  { settings, environment, settingValues, clock }: Context,
  files: TlsFiles | undefined,
): Promise<readonly Finding[]> {
  const { server } = settings;
  const { origin } = settingValues.server;
  const details = { server: server.text, origin };
  const proxy = ['grpc_proxy', 'https_proxy', 'http_proxy'].find(
    (name) => environment.helperEnv[name],
  );
  if (proxy !== undefined && !server.isLoopback) {
    return [skipped('server', `${server.text} is reached through a proxy (${proxy})`, { details })];
  }
  const why = await probeTcp(server);
  if (why !== undefined) {
    const fix = `${startFix(server)}, or use another server: --server HOST:PORT`;
    return [problem('server', `${server.text} cannot be reached: ${why}`, { fix, details })];
  }
  const reached = ok('server', `${server.text} accepts connections`, { details });
  if (!files) {
    return [reached, server.isLoopback ? local : plaintext];
  }
  const probe = await probeTls(server, files);
  if ('failure' in probe) {
    const fix = 'leave --tls out, or name the port that speaks TLS: --server HOST:PORT';
    return [reached, problem('tls', probe.failure, { fix })];
  }
  return [reached, ...describeTls(server, settings.tlsCaFile, probe, clock.now())];
}

const local = ok('tls', 'not used: the connection stays on this machine');
const plaintext = warning(
  'tls',
  'not used: others between here and the server can read and change what is sent',
  { fix: 'use --tls or --tls-ca FILE, and leave --insecure-plaintext out' },
);

const startFix = (server: ServerAddress): string =>
  server.isLoopback ? 'start it: walletd start' : 'see that walletd runs there';

/** Whether calls are answered; a call that needs no credential asks. */
async function checkGrpc(
  connection: Connection,
  { settings }: Pick<Context, 'settings'>,
): Promise<Finding> {
  const answered = await checkHealth(connection, '', {
    ...{ token: undefined, requestId: randomUUID() },
    deadlineMs: performance.now() + callTimeoutMs,
  });
  if (answered.ok) {
    if (answered.value === serving) return ok('grpc', 'the server answers, and is ready');
    const fix = 'wait, or see the log of walletd and its /readyz';
    return problem('grpc', 'the server answers, and is not ready', { fix });
  }
  if (answered.failure.reason === 'UNIMPLEMENTED') {
    return ok('grpc', 'the server answers, and does not say whether it is ready');
  }
  const failure = { ok: false as const, failure: toCliFailure(answered.failure, 'read') };
  const other = await nameOther(settings);
  return other ?? toProblem('grpc', failure);
}

/** What else it is that listens there. */
async function nameOther({ server, hasTls }: Context['settings']): Promise<Finding | undefined> {
  if (hasTls) return undefined;
  if ((await probeHttp(server)) === 'http') {
    const message = `${server.text} speaks HTTP, and not gRPC`;
    const fix = 'name the port of gRPC (by default 50051): --server HOST:PORT';
    return problem('grpc', message, { fix });
  }
  const probe = await probeTls(server, { ca: null, cert: null, key: null });
  if ('failure' in probe) return undefined;
  const fix = 'use --tls, or --tls-ca FILE for an authority of your own';
  return problem('grpc', `${server.text} speaks TLS, and this client does not`, { fix });
}
