import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { runWalletd } from '../../../scripts/product.ts';
import { startEmbedded } from '../../../daemon/embedded/index.ts';
import { createLog } from '../../../daemon/platform/log.ts';
import { expectExplained } from '../../support/processes/explained.ts';
import { createOwnSite, type OwnSite } from '../../support/processes/own-site.ts';
import { expectCode } from '../../support/processes/world.ts';
import { queryUrl } from '../../support/postgres/client.ts';

const notListening = { WALLETD_METRICS_LISTEN: 'off', WALLETD_HTTP_LISTEN: 'off' };

const earlier = /created this database: it has migration 0001-accounts, this version has 0001-/;

/** The table of migrations as earlier development versions left it. */
const createTableSql = `CREATE TABLE IF NOT EXISTS schema_migrations (
    version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,
    min_compatible integer NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
  DELETE FROM schema_migrations;
  INSERT INTO schema_migrations (version, name, checksum, min_compatible) VALUES
    (1, '0001-accounts', 'a', 1), (2, '0002-access', 'b', 1), (3, '0003-totp', 'c', 3);`;

describe('a database of an earlier development version', () => {
  let site: OwnSite;
  let folder: string;

  beforeAll(async () => {
    site = await createOwnSite();
    folder = mkdtempSync(join(tmpdir(), 'dw-earlier-'));
    // The embedded server runs as another user where the tests run as root.
    chmodSync(folder, 0o711);
    expectCode(await runWalletd(['migrate'], { env: { ...site.env, ...site.owners } }), 0);
    await site.query('auth', createTableSql);
  });
  afterAll(async () => {
    await site.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each([
    ['migrate', true],
    ['start', true],
    ['start', false],
  ])(
    'walletd %s (with owner roles: %s) names dropdb, createdb and walletd migrate',
    async (command, hasOwners) => {
      const done = await runWalletd([command], {
        env: { ...site.env, ...(hasOwners ? site.owners : {}) },
      });
      expectExplained(done, 1, earlier);
      expect(done.stderr).toMatch(/^walletd: the auth database: an earlier development version/m);
      expect(done.stderr).toMatch(
        /^hint: its data cannot be converted\..*`dropdb auth`.*`createdb .*auth`.*`walletd migrate`/m,
      );
    },
  );

  it('walletd with the embedded Postgres names the data folder to move', async () => {
    const dataDir = join(folder, 'data');
    const started = await startEmbedded({ dataDir, log: createLog('silent') });
    if (!started.ok) throw new Error(started.fault.fault);
    await queryUrl(started.value.databases.auth.ownerUrl, createTableSql);
    await started.value.stop();
    const runAs = process.getuid?.() === 0 ? { WALLETD_USER: 'root' } : {};
    const env = { PATH: process.env['PATH'] ?? '', WALLETD_DATA_DIR: dataDir, ...runAs };
    for (const command of ['start', 'migrate']) {
      const done = await runWalletd([command], {
        env: { ...env, WALLETD_LISTEN: '127.0.0.1:0', ...notListening },
      });
      expectExplained(done, 1, earlier);
      expect(done.stderr).toContain(`run \`mv ${dataDir} ${dataDir}.old\`, then \`walletd start\``);
    }
    expect(existsSync(join(dataDir, 'postgres', 'postmaster.pid'))).toBe(false);
  });
});
