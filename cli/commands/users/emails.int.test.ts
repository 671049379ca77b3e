import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import {
  ApiKey,
  Role,
  type ResolveUsersRequest,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  Wallet,
  type ListWalletsRequest,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  createCli,
  fakeToken,
  refusal,
  startFakeServer,
  userId,
  walletId,
  type Cli,
  type FakeServer,
} from '../../test-support.ts';

const otherId = '0e3e3a4b-76c8-4d7c-9df1-9d6f0a4c2f11';
let cli: Cli;
let server: FakeServer;
let role: Role;
let scopes: string[];
let owners: string[];
let isRefused: boolean;
let resolved: string[][];

beforeEach(async () => {
  role = Role.ADMIN;
  scopes = ['wallets:read'];
  owners = [otherId, userId];
  isRefused = false;
  resolved = [];
  server = await startFakeServer({
    listWallets: ({ pageToken }: ListWalletsRequest) => ({
      wallets: owners.map((owner) =>
        Wallet.fromPartial({ id: walletId, userId: owner, currency: 'BRL', exponent: 2 }),
      ),
      nextPageToken: pageToken === '' ? 'more' : '',
    }),
    getUser: () => ({ user: { id: userId, email: 'ana@example.com', role } }),
    validateToken: () => ({ userId, role, sessionId: '', apiKey: ApiKey.fromPartial({ scopes }) }),
    resolveUsers: ({ userIds }: ResolveUsersRequest) => {
      resolved.push(userIds);
      if (isRefused) return refusal('PERMISSION_DENIED', 'no');
      return {
        users: userIds.map((id) => ({ id, email: `${id.slice(0, 4)}@example.com`, role: 1 })),
      };
    },
  });
  cli = await createCli({ WALLET_SERVER: server.address, WALLET_TOKEN: fakeToken() });
});

afterEach(async () => {
  server.crash();
  await cli.remove();
});

const list = (env: Record<string, string> = {}, ...argv: string[]) =>
  cli.run(['wallets', 'list', '--all', ...argv], { env });

describe('e-mail addresses beside the ids of users', () => {
  test('staff see them in tables, JSON and CSV, looked up once for a page', async () => {
    const ran = await list();
    expect(ran.out).toMatch(new RegExp(`^ *BALANCE.* USER +EMAIL +WALLET\\n`));
    expect(ran.out).toMatch(new RegExp(`${otherId} +0e3e@example\\.com +${walletId}`));
    expect(resolved).toEqual([[otherId, userId]]);
    const { items } = JSON.parse((await list({}, '--json')).out) as { items: unknown[] };
    expect(items[0]).toMatchObject({ userId: otherId, userEmail: '0e3e@example.com' });
    expect((await list({}, '-o', 'csv')).out).toContain('0e3e@example.com');
  });

  test('a customer’s own wallets need no addresses, and nothing is asked for them', async () => {
    owners = [userId];
    role = Role.CUSTOMER;
    expect((await list()).out).not.toContain('EMAIL');
    expect(resolved).toEqual([]);
  });

  test('an API key without users:read asks for no addresses, and has the list', async () => {
    const env = { WALLET_TOKEN: `dwk_ab12cd34_${'x'.repeat(43)}` };
    const ran = await list(env);
    expect(ran).toMatchObject({ exitCode: 0, err: '' });
    expect(ran.out).toContain(otherId);
    expect(ran.out).not.toContain('EMAIL');
    expect(resolved).toEqual([]);
    scopes = ['wallets:read', 'users:read'];
    expect((await list(env)).out).toContain('0e3e@example.com');
  });

  test('a lookup that is refused leaves the addresses out, and is not repeated', async () => {
    isRefused = true;
    const ran = await list({}, '--json');
    expect(ran).toMatchObject({ exitCode: 0, err: '' });
    expect(ran.out).not.toContain('userEmail');
    expect(resolved).toHaveLength(1);
  });

  test('at 80 columns a list of wallets has the id, the address and the balance', async () => {
    const ran = await cli.run(['wallets', 'list', '--limit', '2', '--no-color'], {
      ...{ isTerminal: true, columns: 80 },
    });
    const [titles = '', row = ''] = ran.out.split('\n');
    for (const title of ['BALANCE', 'CURRENCY', 'EMAIL', 'WALLET']) expect(titles).toContain(title);
    expect(row).toContain(walletId);
    expect(row.length).toBeLessThanOrEqual(80);
  });
});
