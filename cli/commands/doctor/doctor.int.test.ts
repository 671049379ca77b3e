import { readFileSync, writeFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ServerCredentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createAuthority, type Authority } from '../../../tests/support/auth/certificates.ts';
import { findFreePort } from '../../../tests/support/free-port.ts';
import packageJson from '../../../package.json' with { type: 'json' };
import { createCli, fakeToken, startFakeServer, userId } from '../../test-support.ts';
import type { Finding } from './finding.ts';

const { version } = packageJson;
let folder: string;
let known: Authority;
let unknown: Authority;
const closing: (() => unknown)[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wallet-doctor-'));
  known = createAuthority(folder, 'known', 400);
  unknown = createAuthority(folder, 'unknown');
});
afterAll(async () => {
  for (const close of closing) await close();
  await rm(folder, { recursive: true, force: true });
});

type Status = Readonly<Record<string, unknown>>;

/** A server that knows the token, and whose services have this status. */
async function startServer(status: Status = {}, files?: { cert: string; key: string }) {
  const schema = { expectedVersion: 1, appliedVersion: 1 };
  const getStatus = () => ({ status: { version, serverTime: new Date(), schema, ...status } });
  const expiresAt = new Date(Date.now() + 900_000);
  const validateToken = () => ({ userId, role: 1, sessionId: 's', expiresAt });
  const pair = files && [
    { private_key: readFileSync(files.key), cert_chain: readFileSync(files.cert) },
  ];
  const credentials = pair ? ServerCredentials.createSsl(null, pair) : undefined;
  const server = await startFakeServer({ getStatus, validateToken }, 0, credentials);
  closing.push(server.crash);
  return server;
}

async function diagnose(
  args: readonly string[],
  env: Readonly<Record<string, string>> = { WALLET_TOKEN: fakeToken() },
) {
  const cli = await createCli(env);
  closing.push(cli.remove);
  const { exitCode, out, err } = await cli.run(['doctor', '--json', ...args]);
  expect(err).toBe('');
  const { items, state } = JSON.parse(out) as { items: Finding[]; state: string };
  const of = (check: string) => items.filter((item) => item.check === check);
  return { exitCode, err, items, state, of, cli };
}

describe('a server that works', () => {
  test('doctor finds nothing wrong, and exits with 0', async () => {
    const server = await startServer();
    const found = await diagnose(['--server', server.address]);
    expect(found).toMatchObject({ exitCode: 0, state: 'ok', err: '' });
    const checks = ['profile', 'server', 'grpc', 'session', 'clock', 'versions', 'auth schema'];
    for (const check of checks) expect(found.of(check)).toMatchObject([{ state: 'ok' }]);
    expect(found.of('session')[0]?.details).toMatchObject({ userId, source: 'WALLET_TOKEN' });
    expect(found.of('settings')[0]).toMatchObject({
      details: { key: 'server', value: server.address, origin: 'flag' },
    });
  });

  test('a table has the fix below its line, and a narrow one the text below its title', async () => {
    const server = await startServer({ version: '99.0.0' });
    const cli = await createCli({ WALLET_TOKEN: fakeToken() });
    closing.push(cli.remove);
    const argv = ['doctor', '--server', server.address];
    const wide = await cli.run(argv, { columns: 132 });
    expect(wide.exitCode).toBe(1);
    const line = new RegExp(
      `^problem  versions {11}wallet ${version} does not fit walletd 99`,
      'm',
    );
    expect(wide.out).toMatch(line);
    expect(wide.out).toMatch(/^ {28}fix: install the same version/m);
    const narrow = await cli.run(argv, { columns: 40 });
    expect(narrow.out).toMatch(/^problem {2}versions\n {2}wallet /m);
    const long = narrow.out.split('\n').filter((text) => text.length > 40 && text.includes(' '));
    expect(long.filter((text) => !/\S{38}/.test(text))).toEqual([]);
    expect(wide.out).toMatch(/\n1 problem, /);
  });

  test('a clock that is an hour ahead, and a schema that is not migrated, are problems', async () => {
    const serverTime = new Date(Date.now() - 3_600_000);
    const server = await startServer({
      serverTime,
      schema: { expectedVersion: 2, appliedVersion: 1 },
    });
    const found = await diagnose(['--server', server.address]);
    expect(found.exitCode).toBe(1);
    expect(found.of('clock')).toMatchObject([{ state: 'problem' }]);
    expect(found.of('clock')[0]?.message).toContain('60 min ahead of');
    expect(found.of('wallet schema')).toMatchObject([{ state: 'problem', fix: 'walletd migrate' }]);
  });
});

describe('TLS', () => {
  const certificates = () => ({
    good: known.issue('good', 300),
    ending: known.issue('ending', 3),
    ended: known.issue('ended', -1),
    other: issueOther(),
  });
  let files: ReturnType<typeof certificates>;
  beforeAll(() => {
    files = certificates();
  });

  function issueOther() {
    const names = join(folder, 'names');
    const usual = readFileSync(names);
    writeFileSync(names, 'subjectAltName=DNS:walletd.internal\n');
    const pair = known.issue('other');
    writeFileSync(names, usual);
    return pair;
  }

  const lines = ['tls chain', 'tls name', 'tls expiry'] as const;
  const check = async (pair: { cert: string; key: string }, { authority = known } = {}) => {
    const server = await startServer({}, pair);
    const address = server.address.replace('127.0.0.1', 'localhost');
    const found = await diagnose(['--server', address, '--tls-ca', authority.cert]);
    return { ...found, states: lines.map((line) => found.of(line)[0]?.state) };
  };

  test('a certificate that is right has three good lines', async () => {
    const found = await check(files.good);
    expect(found.states).toEqual(['ok', 'ok', 'ok']);
    expect(found).toMatchObject({ exitCode: 0, state: 'ok' });
    expect(found.of('tls expiry')[0]?.details).toMatchObject({ daysLeft: 299 });
  });

  test('a certificate that ends soon is a warning with the days left, and exit code 0', async () => {
    const found = await check(files.ending);
    expect(found.states).toEqual(['ok', 'ok', 'warning']);
    expect(found.of('tls expiry')[0]?.message).toMatch(/the certificate ends in 2 days \(/);
    expect(found).toMatchObject({ exitCode: 0, state: 'warning' });
  });

  test('a certificate that has ended is a problem of its time alone', async () => {
    const found = await check(files.ended);
    expect(found.states).toEqual(['ok', 'ok', 'problem']);
    expect(found.of('tls expiry')[0]?.message).toMatch(/the certificate ended .* ago/);
    expect(found.of('grpc')).toMatchObject([{ state: 'problem' }]);
    expect(found.exitCode).toBe(1);
  });

  test('a certificate for another host names the hosts that it is for', async () => {
    const found = await check(files.other);
    expect(found.states.slice(0, 2)).toEqual(['ok', 'problem']);
    expect(found.of('tls name')[0]?.message).toContain('DNS:walletd.internal');
    expect(found.exitCode).toBe(1);
  });

  test('an unknown authority is a problem of the chain, with the option that names one', async () => {
    const found = await check(files.good, { authority: unknown });
    expect(found.states.slice(0, 2)).toEqual(['problem', 'ok']);
    expect(found.of('tls chain')[0]?.fix).toContain('--tls-ca FILE');
    expect(found.exitCode).toBe(1);
  });

  test('TLS on one side only is named on either side', async () => {
    const withTls = await startServer({}, files.good);
    const plain = await startServer();
    const without = await diagnose(['--server', withTls.address]);
    expect(without.of('grpc')[0]).toMatchObject({ state: 'problem' });
    expect(without.of('grpc')[0]?.message).toContain('speaks TLS, and this client does not');
    const only = await diagnose(['--server', plain.address, '--tls-ca', known.cert]);
    expect(only.of('tls')[0]?.message).toContain('does not speak TLS');
    expect([without.exitCode, only.exitCode]).toEqual([1, 1]);
  });
});

describe('no server', () => {
  test('a port without a server is a problem, and says what was not checked', async () => {
    const address = `127.0.0.1:${await findFreePort()}`;
    const found = await diagnose(['--server', address], {});
    expect(found.exitCode).toBe(1);
    expect(found.of('server')[0]?.message).toMatch(/cannot be reached: .*ECONNREFUSED/);
    expect(found.of('server')[0]?.fix).toContain('walletd start');
    expect(found.of('session')).toMatchObject([{ state: 'skipped' }]);
    expect(found.of('session')[0]?.fix).toBe(`wallet sign-in --server ${address}`);
    expect(found.of('services')).toMatchObject([{ state: 'skipped' }]);
  });

  test('a server that speaks HTTP, is named', async () => {
    const http: HttpServer = createServer((_request, response) => response.end('hello'));
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    closing.push(() => http.close());
    const address = `127.0.0.1:${(http.address() as AddressInfo).port}`;
    const found = await diagnose(['--server', address]);
    expect(found.of('grpc')[0]?.message).toBe(`${address} speaks HTTP, and not gRPC`);
    expect(found.of('grpc')[0]?.fix).toContain('50051');
  });

  test('a host without TLS that is not this machine is refused before it is asked', async () => {
    const found = await diagnose(['--server', '192.0.2.1:50051']);
    expect(found.of('server')).toMatchObject([{ details: { reason: 'PLAINTEXT_REFUSED' } }]);
  });
});

describe('this machine', () => {
  test('invalid settings and an unknown profile are problems, each with its origin', async () => {
    const server = await startServer();
    const env = { WALLET_TOKEN: fakeToken(), WALLET_TIMEOUT: 'soon' };
    const found = await diagnose(['--server', server.address, '--profile', 'nowhere'], env);
    expect(found.exitCode).toBe(1);
    const timeout = found.of('settings').find(({ details }) => details?.['key'] === 'timeout');
    expect(timeout).toMatchObject({ state: 'problem', fix: 'correct or unset WALLET_TIMEOUT' });
    expect(found.of('profile')).toMatchObject([{ state: 'problem' }]);
    // The rest is looked at with the defaults in their place.
    expect(found.of('clock')).toMatchObject([{ state: 'ok' }]);
  });

  test('a folder that is a file is named with the variable that selects another', async () => {
    const file = join(folder, 'a-file');
    await writeFile(file, '');
    const found = await diagnose([], { WALLET_STATE_DIR: join(file, 'state') });
    const [, state] = found.of('folders');
    expect(state).toMatchObject({ state: 'problem' });
    expect(state?.fix).toContain('WALLET_STATE_DIR');
  });

  test('a folder of tokens that others can read is a problem with its chmod', async () => {
    const cli = await createCli({ WALLET_INSECURE_STORAGE: '1' });
    closing.push(cli.remove);
    const credentials = join(cli.configDir, 'credentials');
    await mkdir(credentials, { recursive: true });
    await chmod(credentials, 0o755);
    const { out, exitCode } = await cli.run(['doctor', '--json']);
    const { items } = JSON.parse(out) as { items: Finding[] };
    const found = items.find(({ check }) => check === 'keychain');
    expect(found).toMatchObject({ state: 'problem' });
    expect(found?.fix).toContain(`chmod 700 ${credentials}`);
    expect(exitCode).toBe(1);
  });
});
