import { mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { connect as connectTcp, type Socket } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';

import { afterAll, afterEach, describe, expect, it } from 'vitest';

import { createAuthority } from '../../../../tests/support/auth/certificates.ts';
import { createLog } from '../../log.ts';
import { loadLimits } from '../admission/load-limits.ts';
import {
  connectionLimits,
  createListener,
  type ConnectionLimits,
  type ServerTls,
  type TlsMaterial,
} from './listener.ts';
import { createGrpcServer } from '../server.ts';
import { sessionLimits } from './sessions.ts';
import { createAddressSet } from './source.ts';

const folder = mkdtempSync(join(tmpdir(), 'dw-listener-'));
const authority = createAuthority(folder, 'authority');
const releases: (() => unknown)[] = [];

afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const readPair = ({ cert, key }: { cert: string; key: string }): TlsMaterial => ({
  cert: readFileSync(cert),
  key: readFileSync(key),
  clientCa: undefined,
});

const materialOf = (name: string, clientCa?: string): TlsMaterial => {
  const { cert, key } = authority.issue(name);
  return {
    cert: readFileSync(cert),
    key: readFileSync(key),
    clientCa: clientCa === undefined ? undefined : readFileSync(clientCa),
  };
};

type Door = { readonly port: number; readonly accepted: Socket[] };

async function open(
  limits: Partial<ConnectionLimits>,
  tls?: ServerTls,
  proxies: string[] = [],
): Promise<Door> {
  const accepted: Socket[] = [];
  const listener = createListener({
    tls,
    limits: { ...connectionLimits, ...limits },
    proxies: createAddressSet(proxies),
    log: createLog('silent'),
    onConnection: (socket) => {
      socket.on('error', () => undefined);
      socket.resume();
      accepted.push(socket);
    },
  });
  const port = await listener.listen({ host: '0.0.0.0', port: 0 });
  releases.push(() => {
    listener.stop();
    accepted.forEach((socket) => socket.destroy());
  });
  return { port, accepted };
}

/** Whether the connection stays. */
async function stays(socket: Socket): Promise<boolean> {
  releases.push(() => socket.destroy());
  socket.on('error', () => undefined);
  return new Promise((resolve) => {
    socket.once('close', () => resolve(false));
    setTimeout(() => resolve(true), 500);
  });
}

const from = (port: number, address: string): Socket => connectTcp({ port, host: address });

/** An address of this machine that is not loopback, so that it counts as a stranger. */
const stranger = Object.values(networkInterfaces())
  .flat()
  .find((found) => found?.family === 'IPv4' && !found.internal)?.address;

function fixed(material: TlsMaterial): ServerTls {
  return { current: () => material, subscribe: () => undefined };
}

/** Resolves once TLS stands, or to the error that came instead. */
function shake(port: number, options: ConnectionOptions = {}): Promise<TLSSocket | Error> {
  const ca = readFileSync(authority.cert);
  const host = '127.0.0.1';
  const socket = connectTls({ port, host, ca, ALPNProtocols: ['h2'], ...options });
  releases.push(() => socket.destroy());
  return new Promise((resolve) => {
    socket.once('error', resolve);
    socket.once('close', () => resolve(new Error('closed')));
    // In TLS 1.3 the server judges the client's certificate after the client is done.
    socket.once('secureConnect', () => setTimeout(() => resolve(socket), 300));
  });
}

describe('the caps on connections', () => {
  it('loopback has no cap for each source, but counts in the cap on all connections', async () => {
    const { port, accepted } = await open({ perSource: 1, trusted: 3 });
    const kept = await Promise.all([1, 2, 3, 4].map(() => stays(from(port, '127.0.0.1'))));
    expect(kept.filter(Boolean)).toHaveLength(3);
    expect(accepted).toHaveLength(3);
  });

  it('the cap on connections holds for each source, except a trusted proxy', async () => {
    expect(stranger).toBeDefined();
    const { port } = await open({ perSource: 2 });
    const kept = await Promise.all([1, 2, 3].map(() => stays(from(port, stranger ?? ''))));
    expect(kept.filter(Boolean)).toHaveLength(2);
    expect(await stays(from(port, '127.0.0.1'))).toBe(true);
    const trusting = await open({ perSource: 2 }, undefined, [stranger ?? '']);
    const all = await Promise.all([1, 2, 3].map(() => stays(from(trusting.port, stranger ?? ''))));
    expect(all).toEqual([true, true, true]);
  });

  it('a network at its cap loses its longest idle connection to a new one', async () => {
    const { port } = await open({ perSource: 2, settleMs: 100 });
    const first = from(port, stranger ?? '');
    const isFirstGone = closing(first);
    await stays(from(port, stranger ?? ''));
    expect(await stays(from(port, stranger ?? ''))).toBe(true);
    await isFirstGone;
  });

  it('loopback has reserved connections when others have used all of theirs', async () => {
    const { port } = await open({ all: 1 });
    expect(await stays(from(port, stranger ?? ''))).toBe(true);
    await closing(from(port, stranger ?? ''));
    expect(await stays(from(port, '127.0.0.1'))).toBe(true);
  });

  it('a closed connection makes room for the next, with and without TLS', async () => {
    for (const tls of [undefined, fixed(materialOf('place'))]) {
      const { port, accepted } = await open({ trusted: 1 }, tls);
      const connectOne = (): Promise<unknown> =>
        tls ? shake(port) : stays(from(port, '127.0.0.1'));
      const first = await connectOne();
      expect(accepted).toHaveLength(1);
      await closing(from(port, '127.0.0.1'));
      accepted[0]?.destroy();
      if (tls) expect(first).not.toBeInstanceOf(Error);
      await new Promise((resolve) => setTimeout(resolve, 200));
      await connectOne();
      expect(accepted).toHaveLength(2);
    }
  });
});

describe('TLS', () => {
  it('TLS is 1.2 or newer, and offers HTTP/2 only', async () => {
    const { port, accepted } = await open({}, fixed(materialOf('server')));
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1' } as const;
    expect(await shake(port, { ...old, ciphers: 'DEFAULT@SECLEVEL=0' })).toBeInstanceOf(Error);
    expect(await shake(port, { ALPNProtocols: ['http/1.1'] })).toBeInstanceOf(Error);
    expect(await shake(port, { ALPNProtocols: [] })).toBeInstanceOf(Error);
    expect(accepted).toHaveLength(0);
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const bounds = { minVersion: version, maxVersion: version };
      expect(await shake(port, bounds)).not.toBeInstanceOf(Error);
    }
    expect(accepted).toHaveLength(2);
  });

  it('TLS 1.2 has forward secrecy: a client with RSA key exchange only is refused', async () => {
    const { port, accepted } = await open(
      {},
      fixed(readPair(authority.issue('secrecy', 1, 'rsa'))),
    );
    const bounds = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const;
    for (const ciphers of [
      'AES128-GCM-SHA256',
      'AES256-GCM-SHA384',
      'AES128-SHA',
      'ECDHE-RSA-AES128-SHA',
      'ECDHE-RSA-AES128-SHA256',
      'DHE-RSA-AES128-GCM-SHA256',
    ]) {
      const offered = `${ciphers}:@SECLEVEL=0`;
      expect(await shake(port, { ...bounds, ciphers: offered }), ciphers).toBeInstanceOf(Error);
    }
    expect(accepted).toHaveLength(0);
    for (const ciphers of [
      'ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256',
      'ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-CHACHA20-POLY1305',
    ]) {
      expect(await shake(port, { ...bounds, ciphers }), ciphers).not.toBeInstanceOf(Error);
    }
  });

  it('TLS with a client authority accepts its certificates only', async () => {
    const stranger = createAuthority(folder, 'other');
    const { port, accepted } = await open({}, fixed(materialOf('mutual', authority.cert)));
    const read = ({ cert, key }: { cert: string; key: string }) => ({
      cert: readFileSync(cert),
      key: readFileSync(key),
    });
    expect(await shake(port)).toBeInstanceOf(Error);
    expect(await shake(port, read(stranger.issue('stranger')))).toBeInstanceOf(Error);
    expect(await shake(port, read(authority.issue('ended', -1)))).toBeInstanceOf(Error);
    expect(accepted).toHaveLength(0);
    expect(await shake(port, read(authority.issue('friend')))).not.toBeInstanceOf(Error);
    expect(accepted).toHaveLength(1);
  });

  it('TLS cuts a client that does not finish the handshake', async () => {
    const { port } = await open({ handshakeMs: 300 }, fixed(materialOf('slow')));
    await closing(from(port, '127.0.0.1'));
  });

  it('TLS shows a renewed certificate to new connections, and cuts no open one', async () => {
    let material = materialOf('first');
    let renew: (material: TlsMaterial) => void = () => undefined;
    const tls: ServerTls = { current: () => material, subscribe: (on) => (renew = on) };
    const { port } = await open({}, tls);
    const before = (await shake(port)) as TLSSocket;
    expect(before.getPeerCertificate().subject.CN).toBe('first');
    material = materialOf('second');
    renew(material);
    const after = (await shake(port)) as TLSSocket;
    expect(after.getPeerCertificate().subject.CN).toBe('second');
    expect(before.destroyed).toBe(false);
  });
});

it('a client that connects and does not speak HTTP/2 is cut', async () => {
  const server = createGrpcServer({
    services: [],
    access: {} as never,
    log: createLog('silent'),
    limits: {
      load: loadLimits,
      connections: connectionLimits,
      sessions: { ...sessionLimits, greetingMs: 300 },
    },
  });
  releases.push(() => server.stop(100));
  const { port } = await server.listen('127.0.0.1:0');
  const silent = from(port, '127.0.0.1');
  const halfway = from(port, '127.0.0.1');
  // A greeting without the acknowledgement of ours: without it our bounds would not hold.
  halfway.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  halfway.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
  await Promise.all([silent, halfway].map((socket) => closing(socket)));
});

function closing(socket: Socket): Promise<void> {
  socket.on('error', () => undefined);
  socket.resume();
  return new Promise((resolve) => socket.once('close', () => resolve()));
}
