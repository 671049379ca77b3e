import { readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createAuthority } from '../../support/auth/certificates.ts';
import { findFreePort } from '../../support/free-port.ts';
import {
  readDocumentedProxy,
  replaceAll,
  runProxy,
  startNginx,
  type Proxy,
} from '../../support/processes/proxy.ts';
import { createWorld, type World } from '../../support/processes/world.ts';

const heading = '### A proxy in front of HTTP';
const name = 'walletd.internal';

let world: World;
let authority: string;
const ports: Record<string, number> = {};
const proxies: Proxy[] = [];

beforeAll(async () => {
  world = await createWorld();
  const port = await findFreePort();
  await world.start({
    WALLETD_HTTP_LISTEN: `127.0.0.1:${port}`,
    HTTP_ALLOWED_HOSTS: name,
    TRUSTED_PROXIES: '127.0.0.1',
    SIGN_UP: 'open',
    SELF_SERVICE_OPERATIONS: 'deposit,withdraw',
  });
  const { cert: trusted, issue } = createAuthority(world.folder, 'authority');
  authority = trusted;
  const { cert, key } = issue('proxy', 2);
  const both = join(world.folder, 'both.pem');
  writeFileSync(both, [cert, key].map((file) => readFileSync(file, 'utf8')).join('\n'));
  const [nginx, haproxy] = [await findFreePort(), await findFreePort()];
  const server = replaceAll(readDocumentedProxy('nginx', heading), [
    ['listen 443 ssl', `listen 127.0.0.1:${nginx} ssl`],
    ['wallet.example.com', name],
    ['/etc/digital-wallet/tls/public.pem', cert],
    ['/etc/digital-wallet/tls/public.key', key],
    ['127.0.0.1:3000', `127.0.0.1:${port}`],
  ]);
  proxies.push(await startNginx(world.folder, nginx, server));
  const file = join(world.folder, 'haproxy.cfg');
  const backends = replaceAll(readDocumentedProxy('haproxy', heading), [
    ['bind :443 ', `bind 127.0.0.1:${haproxy} `],
    ['/etc/digital-wallet/tls/public-with-key.pem', both],
    ['walletd-1.internal:3000', `127.0.0.1:${port}`],
    ['walletd-2.internal:3000', `127.0.0.1:${port}`],
  ]);
  writeFileSync(file, backends);
  proxies.push(await runProxy('/usr/sbin/haproxy', ['-db', '-f', file], haproxy));
  Object.assign(ports, { nginx, haproxy });
});
afterAll(async () => {
  for (const proxy of proxies) await proxy.stop();
  await world.dispose();
});

type Asked = { readonly headers?: Record<string, string>; readonly body?: unknown };

/** Over TLS, under the public name. */
function open(port: number, method: string, path: string, { headers = {}, body }: Asked = {}) {
  return new Promise<IncomingMessage>((resolve, reject) => {
    const asked = request({
      ...{ host: '127.0.0.1', port, method, path, servername: name, agent: false },
      ca: readFileSync(authority),
      headers: { Host: `${name}:${port}`, 'Content-Type': 'application/json', ...headers },
    });
    asked.on('response', resolve).on('error', reject);
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

async function ask(port: number, method: string, path: string, asked?: Asked) {
  const answer = await open(port, method, path, asked);
  const body = JSON.parse((await text(answer)) || '{}') as Record<string, unknown>;
  return { status: answer.statusCode, headers: answer.headers, body };
}

describe.each(['nginx', 'haproxy'])('behind %s, as docs/operations.md configures it', (proxy) => {
  const person = { email: `ana-${proxy}@example.com`, password: 'correct horse battery' };
  let port: number;
  beforeAll(() => {
    port = ports[proxy] ?? 0;
  });

  it('a browser signs up, and its pages use the cookie, which those of others cannot', async () => {
    const body = { ...person, confirmPassword: person.password };
    await expect
      .poll(async () => (await open(port, 'GET', '/readyz')).statusCode, { timeout: 20_000 })
      .toBe(200);
    const signedUp = await ask(port, 'POST', '/auth/sign-up', { body });
    expect(signedUp.status).toBe(200);
    const [cookie = ''] = signedUp.headers['set-cookie'] ?? [];
    expect(cookie).toMatch(/^token=dws_.*; Secure$/);
    const deposit = { operation: 0, amount: 5 };
    const pay = (origin: string) => {
      const headers = { Cookie: cookie.split(';')[0] ?? '', Origin: origin };
      return ask(port, 'POST', '/wallet/transaction', { headers, body: deposit });
    };
    expect((await pay(`https://${name}:${port}`)).status).toBe(201);
    for (const origin of [`http://${name}:${port}`, 'https://evil.example']) {
      expect(await pay(origin)).toMatchObject({ status: 403, body: { reason: 'ORIGIN_REFUSED' } });
    }
  });

  it('a program moves money, and its event stream shows each line at once', async () => {
    const signedIn = await ask(port, 'POST', '/v1/sign-in', { body: person });
    const { accessToken } = signedIn.body['tokens'] as { accessToken: string };
    const headers = { Authorization: `Bearer ${accessToken}` };
    const events = await open(port, 'GET', '/v1/events', { headers });
    expect(events.statusCode).toBe(200);
    let seen = '';
    events.on('data', (chunk: Buffer) => (seen += chunk.toString()));
    await expect.poll(() => seen, { timeout: 20_000 }).toContain(':');
    const items = Array.from({ length: 1_000 }, (_x, i) => ({
      ...{ operation: 'deposit', amount: '0.01', description: 'x'.repeat(500) },
      idempotencyKey: `${proxy}-${i}`,
    }));
    const batch = await ask(port, 'POST', '/v1/transactions/batch', { headers, body: { items } });
    expect(batch.status).toBe(200);
    await expect
      .poll(() => seen.match(/^event: line$/gm)?.length, { timeout: 20_000 })
      .toBe(items.length);
    events.destroy();
  });
});
