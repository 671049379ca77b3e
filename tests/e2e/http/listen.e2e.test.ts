import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { createAuthority, type Authority } from '../../support/auth/certificates.ts';
import { findFreePort } from '../../support/free-port.ts';
import { createHttpClient } from '../../support/http/client.ts';
import { createWorld, type World } from '../../support/processes/world.ts';

let world: World;
let authority: Authority;
beforeAll(async () => {
  world = await createWorld();
  authority = createAuthority(world.folder, 'authority');
});
afterAll(() => world.dispose());

it('a port for HTTP that is taken ends the start, with the name of the setting', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const address = `127.0.0.1:${(other.address() as AddressInfo).port}`;
  const said = await world.start({ WALLETD_HTTP_LISTEN: address }).then(
    () => 'it started',
    (err: unknown) => String(err),
  );
  other.close();
  expect(said).toContain(`walletd: cannot listen on ${address}: listen EADDRINUSE`);
  expect(said).toContain(
    'hint: stop what uses this port, or choose another with WALLETD_HTTP_LISTEN',
  );
  expect(said).toContain('ended with 1');
});

it('with off there is no HTTP, and gRPC is served', async () => {
  const daemon = await world.start({ WALLETD_HTTP_LISTEN: 'off' });
  expect(daemon.log()).toContain('walletd ready: gRPC on ');
  expect(daemon.log()).not.toContain('HTTP on');
  expect(await world.stop()).toBe(0);
});

it('the files of TLS are used for HTTP as well', async () => {
  const { cert, key } = authority.issue('walletd');
  const port = await findFreePort();
  const daemon = await world.start({
    WALLETD_HTTP_LISTEN: `127.0.0.1:${port}`,
    TLS_CERT_FILE: cert,
    TLS_KEY_FILE: key,
  });
  expect(daemon.log()).toContain(`HTTP on 127.0.0.1:${port}`);
  const ca = readFileSync(authority.cert);
  const client = createHttpClient(`https://127.0.0.1:${port}`, { ca });
  const ready = await client.send('GET', '/readyz');
  expect(ready).toMatchObject({ status: 200, text: 'ready\n' });
  const { headers } = await client.send('GET', '/v1/me');
  expect(headers['strict-transport-security']).toBe('max-age=31536000');
  client.close();
  const plain = createHttpClient(`http://127.0.0.1:${port}`);
  await expect(plain.send('GET', '/readyz')).rejects.toThrow();
  plain.close();
  expect(await world.stop()).toBe(0);
});
