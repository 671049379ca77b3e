import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { chmod, copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ServerCredentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { User } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  createCli,
  fakeToken,
  startFakeServer,
  userId,
  type Cli,
  type FakeServer,
} from '../test-support.ts';

let dir: string;
let cli: Cli;
/** Asks its clients for a certificate. */
let strict: FakeServer;
let open: FakeServer;

const at = (name: string): string => join(dir, name);
const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });

/** A certificate for `name`, signed by the authority of the same folder. */
function issue(name: string): void {
  const subject = ['-subj', `/CN=${name}`, '-nodes', '-keyout', `${name}.key`];
  openssl('req', '-newkey', 'rsa:2048', ...subject, '-out', `${name}.csr`);
  const signer = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2'];
  const names = ['-extfile', 'names.cnf'];
  openssl('x509', '-req', '-in', `${name}.csr`, ...signer, ...names, '-out', `${name}.pem`);
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'wallet-tls-'));
  await writeFile(at('names.cnf'), 'subjectAltName=DNS:localhost\n');
  const authority = ['-subj', '/CN=authority', '-nodes', '-keyout', 'ca.key', '-out', 'ca.pem'];
  openssl('req', '-x509', '-newkey', 'rsa:2048', '-days', '2', ...authority);
  for (const name of ['server', 'client', 'other']) issue(name);
  openssl('rsa', '-in', 'client.key', '-aes128', '-passout', 'pass:x', '-out', 'locked.key');
  await writeFile(at('junk.pem'), 'not a certificate\n');
  const ca = readFileSync(at('ca.pem'));
  const pair = [
    { private_key: readFileSync(at('server.key')), cert_chain: readFileSync(at('server.pem')) },
  ];
  const handlers = {
    getUser: () => ({ user: User.fromPartial({ id: userId, email: 'a@example.com' }) }),
  };
  strict = await startFakeServer(handlers, 0, ServerCredentials.createSsl(ca, pair, true));
  open = await startFakeServer(handlers, 0, ServerCredentials.createSsl(null, pair));
  cli = await createCli({ WALLET_TOKEN: fakeToken() });
});

afterAll(async () => {
  strict.crash();
  open.crash();
  await cli.remove();
  await rm(dir, { recursive: true, force: true });
});

const whoami = (
  server: FakeServer,
  options: readonly string[],
  env: Record<string, string> = {},
) => {
  const address = server.address.replace('127.0.0.1', 'localhost');
  return cli.run(['whoami', '--json', '--server', address, ...options], { env });
};
const ca = () => ['--tls-ca', at('ca.pem')];
const client = (cert = 'client.pem', key = 'client.key') => [
  '--tls-cert',
  at(cert),
  '--tls-key',
  at(key),
];

describe('client certificates', () => {
  test('a client certificate is accepted from flags, variables and profile', async () => {
    expect(await whoami(strict, [...ca(), ...client()])).toMatchObject({ exitCode: 0, err: '' });
    const env = {
      WALLET_TLS_CA: at('ca.pem'),
      WALLET_TLS_CERT: at('client.pem'),
      WALLET_TLS_KEY: at('client.key'),
    };
    expect((await whoami(strict, [], env)).exitCode).toBe(0);
    for (const [key, name] of [
      ['tls-ca', 'ca.pem'],
      ['tls-cert', 'client.pem'],
      ['tls-key', 'client.key'],
    ]) {
      await cli.run(['config', 'set', key ?? '', at(name ?? ''), '--profile', 'p']);
    }
    expect((await whoami(strict, ['--profile', 'p'])).exitCode).toBe(0);
  });

  test('a client certificate is refused while other users can read its key', async () => {
    await copyFile(at('client.key'), at('open.key'));
    await chmod(at('open.key'), 0o644);
    const ran = await whoami(strict, [...ca(), ...client('client.pem', 'open.key')]);
    expect(ran.exitCode).toBe(2);
    expect(ran.err).toContain(`chmod 600 ${at('open.key')}`);
  });

  test('a client certificate is needed only if the server asks, and implies TLS', async () => {
    expect((await whoami(open, ca())).exitCode).toBe(0);
    const untrusted = await whoami(open, client());
    expect(untrusted.exitCode).toBe(7);
    expect(untrusted.err).toMatch(/certificate/);
  });

  test('a missing client certificate is a failed connection, with exit code 7', async () => {
    const ran = await whoami(strict, [...ca(), '--timeout', '3s']);
    expect(ran.exitCode).toBe(7);
    expect(ran.err).toContain('certificate');
  });
});

describe('unusable TLS files', () => {
  test.each([
    ['no such file', () => client('nowhere.pem'), 'tls-cert', 'nowhere.pem'],
    ['no such key', () => client('client.pem', 'nowhere.key'), 'tls-key', 'nowhere.key'],
    ['no certificate', () => client('junk.pem'), 'tls-cert', 'holds no certificate in PEM'],
    ['no key', () => client('client.pem', 'junk.pem'), 'tls-key', 'holds no private key in PEM'],
    ['a passphrase', () => client('client.pem', 'locked.key'), 'tls-key', 'passphrase'],
    ['of two pairs', () => client('client.pem', 'other.key'), 'tls-key', 'is not the key of'],
    ['no authority', () => ['--tls-ca', at('junk.pem')], 'tls-ca', 'holds no certificate in PEM'],
  ])('TLS files are refused with CONFIG_INVALID: %s', async (_name, options, field, reported) => {
    const ran = await whoami(strict, [...ca(), ...options()]);
    expect(ran.exitCode).toBe(2);
    expect(JSON.parse(ran.err)).toMatchObject({ error: { reason: 'CONFIG_INVALID', field } });
    expect(ran.err).toContain(reported);
  });

  test('a certificate without its key, or a key without its certificate, is refused', async () => {
    const flag = await whoami(strict, ['--tls-cert', at('client.pem')]);
    expect(flag.exitCode).toBe(2);
    expect(flag.err).toContain('--tls-cert needs --tls-key beside it');
    const variable = await whoami(strict, [], { WALLET_TLS_KEY: at('client.key') });
    expect(JSON.parse(variable.err)).toMatchObject({ error: { reason: 'CONFIG_INVALID' } });
    expect(variable.err).toContain('WALLET_TLS_KEY needs WALLET_TLS_CERT beside it');
    // The commands that repair a configuration still work.
    const listed = await cli.run(['config', 'list', '--tls-cert', at('client.pem')]);
    expect(listed.exitCode).toBe(0);
  });
});
