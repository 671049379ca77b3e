import { chmodSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { run, type Environment } from '../../../scripts/product.ts';
import { createAuthority, type Authority } from '../../support/auth/certificates.ts';
import { findFreePort } from '../../support/free-port.ts';
import { createWorld, expectCode, type World } from '../../support/processes/world.ts';

let world: World;
let own: Authority;
let other: Authority;
let tls: Environment;
const metrics = { WALLETD_METRICS_LISTEN: `127.0.0.1:${await findFreePort()}` };

beforeAll(async () => {
  world = await createWorld();
  const folder = join(world.folder, 'tls');
  mkdirSync(folder);
  chmodSync(folder, 0o755);
  own = createAuthority(folder, 'own');
  other = createAuthority(folder, 'other');
  const issued = own.issue('walletd');
  tls = { TLS_CERT_FILE: issued.cert, TLS_KEY_FILE: issued.key };
});
afterAll(() => world.dispose());

/** What Docker runs in the container: the same environment as the daemon's. */
const check = (env: Environment) =>
  run(process.execPath, [resolve('docker/healthcheck.mjs')], {
    env: { PATH: process.env['PATH'] ?? '', WALLETD_METRICS_LISTEN: 'off', ...env },
  });

describe('check of the container', () => {
  const ways: [string, () => Environment][] = [
    ['in the clear', () => ({})],
    ['with TLS', () => tls],
    ['with TLS and certificates of clients', () => ({ ...tls, TLS_CLIENT_CA_FILE: own.cert })],
    [
      'where the daemon’s own certificate is of another authority',
      () => ({ ...tls, ...metrics, TLS_CLIENT_CA_FILE: other.cert }),
    ],
  ];
  it.each(ways)(
    'the container check %s is healthy while the daemon serves, and not after',
    async (_way, env) => {
      const daemon = await world.start(env());
      const asked = { ...env(), WALLETD_LISTEN: daemon.address };
      const healthy = await check(asked);
      expectCode(healthy, 0);
      expect(healthy.stdout).toBe('SERVING\n');
      expect(await world.stop()).toBe(0);
      const gone = await check(asked);
      expect(gone).toMatchObject({ code: 1 });
      expect(gone.stdout).not.toContain('SERVING');
      expect(gone.stderr).toBe('');
    },
  );
});
