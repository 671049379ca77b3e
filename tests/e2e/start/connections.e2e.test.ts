import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { WalletServiceService } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { runWalletd, startWalletd, type Environment } from '../../../scripts/product.ts';
import { connect } from '../../support/grpc/client.ts';
import { createOwnSite, type OwnSite } from '../../support/processes/own-site.ts';
import { expectCode, password } from '../../support/processes/world.ts';

let site: OwnSite;

beforeAll(async () => {
  site = await createOwnSite();
  expectCode(await runWalletd(['migrate'], { env: { ...site.env, ...site.owners } }), 0);
});
afterAll(() => site.dispose());

const counts = () =>
  site.server.query<{ database: string; count: number }>(
    `SELECT datname AS database, count(*)::int AS count FROM pg_stat_activity
     WHERE application_name LIKE 'walletd %' GROUP BY 1`,
  );

it.each([
  ['as documented', {}, 16],
  ['as set', { DATABASE_CONNECTIONS: '10' }, 10],
])('database connections stay within the limit, %s', async (_what, env: Environment, most) => {
  const args = ['users', 'create', '--email', `u${most}@example.com`, '--role', 'customer'];
  expectCode(await runWalletd(args, { env: site.env, input: password }), 0);
  const daemon = await startWalletd({ ...site.env, ...env });
  const client = connect(daemon.address);
  try {
    const signedIn = await client.call(AuthServiceService.signIn, {
      ...{ email: `u${most}@example.com`, password, client: '', deviceToken: '' },
    });
    const token = signedIn.ok ? (signedIn.value.tokens?.accessToken ?? '') : '';
    expect(token).not.toBe('');
    const calls = Array.from({ length: 150 }, () => [
      client.call(
        AuthServiceService.listSessions,
        { userId: '', pageSize: 10, pageToken: '' },
        token,
      ),
      client.call(
        WalletServiceService.listWallets,
        { userId: '', pageSize: 10, pageToken: '' },
        token,
      ),
    ]).flat();
    const over = new AbortController();
    const all = Promise.all(calls).finally(() => over.abort());
    const seen = new Map<string, number>();
    while (!over.signal.aborted) {
      for (const { database, count } of await counts()) {
        seen.set(database, Math.max(seen.get(database) ?? 0, count));
      }
      await sleep(5);
    }
    const refused = (await all).flatMap((answer) => (answer.ok ? [] : answer.reason));
    expect(refused).toEqual([]);
    expect([...seen.keys()].sort()).toEqual(['auth', 'statement', 'wallet']);
    expect(Math.max(...seen.values())).toBeLessThanOrEqual(most);
    // It is under load: more than the first of each pool.
    expect(Math.max(...seen.values())).toBeGreaterThan(2);
  } finally {
    client.close();
    daemon.kill('SIGTERM');
    expect(await daemon.exited).toBe(0);
  }
});
