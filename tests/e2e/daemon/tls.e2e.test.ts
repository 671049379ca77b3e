import { mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';

import { credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { WalletServiceService } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { runWallet, runWalletd, type Environment } from '../../../scripts/product.ts';
import { createAuthority, type Authority } from '../../support/auth/certificates.ts';
import { connect } from '../../support/grpc/client.ts';
import { waitUntil } from '../../support/ledger/ledger.ts';
import {
  createWorld,
  expectCode,
  password,
  signInAs,
  type World,
} from '../../support/processes/world.ts';

let world: World;
let authority: Authority;
let inUse: { cert: string; key: string };

const tls = (): Environment => ({ TLS_CERT_FILE: inUse.cert, TLS_KEY_FILE: inUse.key });

beforeAll(async () => {
  world = await createWorld();
  mkdirSync(join(world.folder, 'tls'));
  authority = createAuthority(join(world.folder, 'tls'), 'authority');
  inUse = authority.issue('first');
  await world.start(tls());
});

afterAll(() => world.dispose());

const check = (env: Environment) =>
  runWalletd(['config', 'check'], { env: { PATH: process.env['PATH'] ?? '', ...env } });

describe('unusable TLS files', () => {
  const faults: [string, () => Environment, string][] = [
    ['a certificate without a key', () => ({ TLS_CERT_FILE: inUse.cert }), 'TLS_KEY_FILE'],
    ['a key without a certificate', () => ({ TLS_KEY_FILE: inUse.key }), 'TLS_CERT_FILE'],
    ['a client authority alone', () => ({ TLS_CLIENT_CA_FILE: inUse.cert }), 'TLS_CLIENT_CA_FILE'],
    ['a file that is not there', () => ({ ...tls(), TLS_CERT_FILE: '/nowhere' }), '/nowhere'],
    ['a folder', () => ({ ...tls(), TLS_CERT_FILE: '/tmp' }), 'EISDIR'],
    ['what is no certificate', () => ({ ...tls(), TLS_CERT_FILE: inUse.key }), 'no certificates'],
    ['what is no key', () => ({ ...tls(), TLS_KEY_FILE: inUse.cert }), 'not a private key'],
    ['text', () => ({ ...tls(), TLS_CLIENT_CA_FILE: '/etc/passwd' }), 'TLS_CLIENT_CA_FILE'],
    [
      'the key of another certificate',
      () => ({ ...tls(), TLS_KEY_FILE: authority.issue('other').key }),
      'is not the key of',
    ],
    [
      'a certificate that has ended',
      () => {
        const { cert, key } = authority.issue('ended', -1);
        return { TLS_CERT_FILE: cert, TLS_KEY_FILE: key };
      },
      'ended at',
    ],
  ];
  it.each(faults)(
    'config check refuses TLS files with a hint: %s',
    async (_what, env, reported) => {
      const done = await check(env());
      expect({ code: done.code, said: done.stderr }).toMatchObject({ code: 2 });
      expect(done.stderr).toContain(reported);
      expect(done.stderr).toContain('hint: ');
    },
  );

  it('unusable TLS files keep the daemon from starting', async () => {
    const done = await world.walletd(['--tls-cert-file', '/nowhere', '--tls-key-file', inUse.key]);
    expect(done.code).toBe(1);
    expect(done.stderr).toContain('/nowhere does not exist');
  });

  it('with TLS files gRPC may listen beyond loopback, and metrics may not', async () => {
    const good = await check({ ...tls(), WALLETD_LISTEN: '0.0.0.0:50051' });
    expectCode(good, 0);
    const open = await check({ ...tls(), WALLETD_METRICS_LISTEN: '0.0.0.0:9464' });
    expect(open.stderr).toContain('WALLETD_METRICS_LISTEN');
    expect(open.code).toBe(2);
  });
});

describe('a daemon with TLS', () => {
  it('a daemon with TLS serves the CLI, which checks the certificate', async () => {
    const server = (): Environment => ({
      WALLET_SERVER: world.daemon().address,
      WALLET_TLS_CA: authority.cert,
    });
    const env = await world.homeOf('ana');
    const args = ['sign-up', '--email', 'ana@example.com', '--password-stdin', '--quiet'];
    expectCode(await runWallet(args, { env: { ...env, ...server() }, input: password }), 0);
    const ana = await signInAs('ana@example.com', env, server);
    await ana.json(['deposit', '3.00', '--yes']);
    expect(await ana.json(['statement', 'show'])).toMatchObject({ status: 'complete' });
    const plain = { ...env, WALLET_SERVER: world.daemon().address };
    expect((await runWallet(['balance', '--json'], { env: plain })).code).not.toBe(0);
  });

  it('a renewed certificate is used without a restart, but not without its key', async () => {
    const renewed = authority.issue('second');
    // In two steps, with a time in between in which they do not fit together.
    renameSync(renewed.key, inUse.key);
    await waitUntil('a warning', () => said('TLS files cannot be used'), 30_000);
    expect(await nameOnWire()).toBe('first');
    renameSync(renewed.cert, inUse.cert);
    await waitUntil('the new certificate', async () => (await nameOnWire()) === 'second', 30_000);
    expect(await said('the TLS certificate ends soon')).toBe(true);
  });

  it('a client authority refuses clients without a certificate, but not own calls', async () => {
    await world.stop();
    await world.start({ ...tls(), TLS_CLIENT_CA_FILE: authority.cert });
    const ca = readFileSync(authority.cert);
    const ask = async (key: Buffer | null, cert: Buffer | null): Promise<string> => {
      const channel = credentials.createSsl(ca, key, cert);
      const client = connect(world.daemon().address, channel);
      const request = { userId: '', currency: '', at: undefined };
      const answer = await client.call(WalletServiceService.getBalance, request, 'no token');
      client.close();
      return answer.ok ? 'OK' : answer.reason;
    };
    expect(await ask(null, null)).toContain('code 14');
    // The token is evaluated, which needs the auth service.
    const own = authority.issue('client');
    expect(await ask(readFileSync(own.key), readFileSync(own.cert))).toBe('TOKEN_INVALID');
  });
});

const said = (text: string): Promise<boolean> =>
  Promise.resolve(world.daemon().log().includes(text));

function nameOnWire(): Promise<string> {
  const [host, port] = world.daemon().address.split(':');
  return new Promise((resolve, reject) => {
    const ca = readFileSync(authority.cert);
    const socket = connectTls({ host, port: Number(port), ca, ALPNProtocols: ['h2'] }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on('error', reject);
  });
}
