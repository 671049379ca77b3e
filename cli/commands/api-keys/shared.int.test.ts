import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import {
  ApiKey,
  AuthServiceService as rpc,
  ListApiKeysResponse,
  RevokeApiKeyResponse,
  Role,
  type CreateApiKeyRequest,
  type ListApiKeysRequest,
  type RevokeApiKeyRequest,
  type ValidateTokenRequest,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { DeadLetter } from '../../../protos/gen/digitalwallet/common/v1/dead_letter.ts';
import type { DiscardDeadLettersRequest } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
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

const keyId = '2f9f5b0e-6c1d-4e0a-9a38-7b1f5d0c4e21';
const otherId = '1f6c1c0e-9a57-4b5e-8f0a-0d7d6a9a7f10';
const secret = 'dwk_ab12cd34_the-rest-of-it';
const dayMs = 86_400_000;

let cli: Cli;
let server: FakeServer;
let creates: CreateApiKeyRequest[];
let lists: ListApiKeysRequest[];
let revokes: RevokeApiKeyRequest[];
let discards: DiscardDeadLettersRequest[];
let canReadUsers: boolean;

const key = (changes: Partial<ApiKey> = {}): ApiKey =>
  ApiKey.fromPartial({
    ...{ id: keyId, ownerId: userId, name: 'shop', prefix: 'dwk_ab12cd34' },
    ...{ scopes: ['transactions:write', 'wallets:read'], operations: ['purchase'] },
    ...{ createdAt: new Date('2026-11-22T12:00:00Z'), expiresAt: new Date(4e12) },
    ...changes,
  });

beforeEach(async () => {
  [creates, lists, revokes, discards] = [[], [], [], []];
  canReadUsers = false;
  server = await startFakeServer({
    createApiKey: (request: CreateApiKeyRequest) => {
      creates.push(request);
      if (request.name === 'lost') return refusal('OUTCOME_UNKNOWN', 'lost');
      return { apiKey: key({ ...request, id: keyId }), secret };
    },
    listApiKeys: (request: ListApiKeysRequest) => {
      lists.push(request);
      const expired = key({ id: otherId, name: 'old', expiresAt: new Date(0), operations: [] });
      return { apiKeys: [key(), expired, key({ revoked: true })], nextPageToken: '' };
    },
    revokeApiKey: (request: RevokeApiKeyRequest) => {
      revokes.push(request);
      return { apiKey: key({ id: request.apiKeyId, revoked: true }) };
    },
    validateToken: ({ accessToken }: ValidateTokenRequest) =>
      accessToken === secret
        ? { userId, role: Role.OPERATOR, expiresAt: new Date(4e12), apiKey: key() }
        : refusal('TOKEN_REVOKED', 'this API key has been revoked'),
    getUser: () =>
      canReadUsers
        ? { user: { id: userId, email: 'op@example.com', role: Role.OPERATOR } }
        : refusal('PERMISSION_DENIED', 'this API key lacks the scope users:read'),
    listDeadLetters: () => ({
      deadLetters: [DeadLetter.fromPartial({ id: keyId, body: '{}' })],
      nextPageToken: '',
    }),
    discardDeadLetters: (request: DiscardDeadLettersRequest) => {
      discards.push(request);
      return { deadLetters: [] };
    },
  });
  cli = await createCli({ WALLET_SERVER: server.address, WALLET_TOKEN: fakeToken() });
});

afterEach(async () => {
  server.crash();
  await cli.remove();
});

const run = (line: string, options?: Parameters<Cli['run']>[1]) =>
  cli.run(line.split(' '), options);
const create = 'api-keys create --name shop --scope transactions:write';

describe('api-keys create', () => {
  test('api-keys create prints only the secret to stdout, the rest to stderr', async () => {
    const ran = await run(create);
    expect(ran).toMatchObject({ exitCode: 0, out: `${secret}\n` });
    for (const shown of [keyId, 'shop', 'dwk_ab12cd34', 'shown only once']) {
      expect(ran.err).toContain(shown);
    }
    expect(ran.err).not.toContain(secret);
    expect(await run(`${create} --quiet`)).toMatchObject({ out: `${secret}\n`, err: '' });
  });

  test('api-keys create has the secret as a field of JSON, NDJSON and CSV', async () => {
    const json = await run(`${create} --json`);
    expect(json.err).toBe('');
    expect(JSON.parse(json.out)).toMatchObject({ id: keyId, name: 'shop', secret });
    expect(JSON.parse((await run(`${create} -o ndjson`)).out)).toMatchObject({ secret });
    const [header, row] = (await run(`${create} -o csv`)).out.split('\r\n');
    expect(header).toMatch(/^id,name,prefix,scopes,.*,secret$/);
    expect(row).toMatch(new RegExp(`,${secret}$`));
  });

  test('api-keys create sends each restriction once, and by default a 90-day expiry', async () => {
    const operations = '--operation purchase --operation deposit --operation purchase';
    await run(`${create} --scope wallets:read --wallet ${walletId.toUpperCase()} ${operations}`);
    expect(creates[0]).toMatchObject({
      name: 'shop',
      scopes: ['transactions:write', 'wallets:read'],
      walletId,
      operations: ['purchase', 'deposit'],
    });
    const lifetimeMs = (creates[0]?.expiresAt?.getTime() ?? 0) - Date.now();
    expect(Math.round(lifetimeMs / dayMs)).toBe(90);
    await run(`${create} --expires-in 2w`);
    const twoWeeksMs = (creates[1]?.expiresAt?.getTime() ?? 0) - Date.now();
    expect(Math.round(twoWeeksMs / dayMs)).toBe(14);
    await run(`${create} --expires-at 2099-01-31 --timezone UTC`);
    expect(creates[2]?.expiresAt).toEqual(new Date('2099-02-01T00:00:00Z'));
    expect(creates[2]).toMatchObject({ walletId: undefined, operations: [] });
  });

  test.each([
    ['api-keys create --scope users:read', 'name'],
    ['api-keys create --name x', 'scope'],
    [`${create} --scope users:write`, 'scope'],
    [`${create} --operation gift`, 'operation'],
    [`${create} --wallet mine`, 'wallet'],
    [`${create} --expires-in 90`, 'expires_in'],
    [`${create} --expires-in 0d`, 'expires_in'],
    [`${create} --expires-at 2001-01-01`, 'expires_at'],
    [`${create} --expires-at 2099-01-01 --expires-in 1d`, 'expires_at'],
  ])('%s is refused before anything is sent', async (line, field) => {
    const ran = await run(`${line} --json`);
    expect(ran.exitCode).toBe(2);
    expect(JSON.parse(ran.err)).toMatchObject({ error: { field } });
    expect(creates).toEqual([]);
  });

  test('a secret that cannot be written is reported with the command to revoke it', async () => {
    for (const kind of ['failed', 'closed'] as const) {
      const ran = await run(create, { stdoutFault: { kind, message: 'no space left' } });
      expect(ran.exitCode).toBe(1);
      expect(ran.err).toContain(`wallet api-keys revoke ${keyId}`);
    }
  });

  test('api-keys create of unknown outcome is sent once, and ends with exit code 9', async () => {
    const ran = await run(`${create} --name lost --json`);
    expect(ran.exitCode).toBe(9);
    expect(ran.err).toContain('wallet api-keys list');
    expect(creates).toHaveLength(1);
  });
});

describe('api-keys list and revoke', () => {
  test('api-keys list shows which API keys are active, expired or revoked', async () => {
    const ran = await run('api-keys list');
    expect(ran.out.split('\n').map((line) => /active|expired|revoked/.exec(line)?.[0])).toEqual([
      undefined,
      'active',
      'expired',
      'revoked',
      undefined,
    ]);
    const json = JSON.parse((await run('api-keys list --json')).out) as { items: unknown[] };
    expect(json.items[0]).toEqual({
      ...{ id: keyId, ownerId: userId, name: 'shop', prefix: 'dwk_ab12cd34' },
      ...{ scopes: ['transactions:write', 'wallets:read'], operations: ['purchase'] },
      ...{ createdAt: '2026-11-22T12:00:00.000Z', expiresAt: new Date(4e12).toISOString() },
      revoked: false,
    });
    await run(`api-keys list --user ${otherId} --limit 5`);
    expect(lists.at(-1)).toEqual({ ownerId: otherId, pageSize: 5, pageToken: '' });
  });

  test.each(['-o table', '--json', '-o ndjson', '-o csv'])(
    'api-keys list and revoke %s print no secret, even if the server returned one',
    async (format) => {
      const withSecret = (keys: readonly ApiKey[]) => keys.map((one) => ({ ...one, secret }));
      const listed = vi
        .spyOn(rpc.listApiKeys, 'responseDeserialize')
        .mockImplementation((bytes) => {
          const answer = ListApiKeysResponse.decode(bytes);
          return { ...answer, apiKeys: withSecret(answer.apiKeys) };
        });
      const revoked = vi
        .spyOn(rpc.revokeApiKey, 'responseDeserialize')
        .mockImplementation((bytes) => {
          const { apiKey } = RevokeApiKeyResponse.decode(bytes);
          return { apiKey: withSecret([apiKey!])[0] };
        });
      for (const line of ['api-keys list', `api-keys revoke ${keyId} -y`]) {
        const ran = await run(`${line} ${format}`);
        expect(ran).toMatchObject({ exitCode: 0 });
        expect(ran.out).toContain('dwk_ab12cd34');
        expect(ran.out + ran.err).not.toContain(secret);
      }
      expect(listed).toHaveBeenCalled();
      expect(revoked).toHaveBeenCalled();
      listed.mockRestore();
      revoked.mockRestore();
    },
  );

  test('api-keys revoke shows the server, the role and the API key, and asks', async () => {
    canReadUsers = true;
    const confirm = () => Promise.resolve(false);
    const ran = await run(`api-keys revoke ${keyId}`, { isTerminal: true, prompter: { confirm } });
    expect(ran).toMatchObject({ exitCode: 130, out: '' });
    for (const shown of [server.address, 'operator', 'shop (dwk_ab12cd34…)', keyId]) {
      expect(ran.err).toContain(shown);
    }
    expect((await run(`api-keys revoke ${keyId}`)).exitCode).toBe(2);
    expect((await run('api-keys revoke shop -y')).exitCode).toBe(2);
    expect(revokes).toEqual([]);
    const yes = await run(`api-keys revoke ${keyId} -y --json`);
    expect(JSON.parse(yes.out)).toMatchObject({ id: keyId, revoked: true });
    expect(revokes).toEqual([{ apiKeyId: keyId }]);
  });
});

describe('API keys as credentials', () => {
  const env = { WALLET_TOKEN: secret };

  test('whoami shows the API key in use, even if that may not read its owner', async () => {
    const ran = await run('whoami', { env });
    expect(ran.exitCode).toBe(0);
    expect(ran.out).toContain('API key shop (dwk_ab12cd34…), WALLET_TOKEN\n');
    expect(ran.out).toMatch(/scopes +transactions:write, wallets:read\n/);
    expect(ran.out).not.toContain('email');
    canReadUsers = true;
    const json = await run('whoami --json', { env });
    expect(JSON.parse(json.out)).toEqual({
      user: { id: userId, email: 'op@example.com', role: 'operator' },
      server: server.address,
      profile: 'default',
      credential: {
        source: 'WALLET_TOKEN',
        expiresAt: new Date(4e12).toISOString(),
        apiKey: {
          ...{ id: keyId, name: 'shop', prefix: 'dwk_ab12cd34', operations: ['purchase'] },
          scopes: ['transactions:write', 'wallets:read'],
        },
      },
    });
  });

  test('a revoked API key is reported as revoked', async () => {
    const ran = await run('whoami --json', { env: { WALLET_TOKEN: 'dwk_other' } });
    expect(ran.exitCode).toBe(4);
    expect(ran.err).toContain('the token in WALLET_TOKEN was revoked');
    expect(ran.err).not.toContain('dwk_other');
  });

  test('sign-in --with-token stores an API key, and whoami shows it', async () => {
    const none = { WALLET_TOKEN: '' };
    const signedIn = await run('sign-in --with-token --insecure-storage --json', {
      env: none,
      stdin: `${secret}\n`,
    });
    expect(JSON.parse(signedIn.out)).toMatchObject({ credential: { apiKey: { name: 'shop' } } });
    const ran = await run('whoami --json --quiet', { env: none });
    expect(JSON.parse(ran.out)).toMatchObject({
      user: { id: userId, role: 'operator' },
      credential: { source: 'file', apiKey: { id: keyId } },
    });
  });

  test('a confirmation with an API key shows the role of its owner', async () => {
    const confirm = () => Promise.resolve(true);
    const options = { env, isTerminal: true, prompter: { confirm } };
    const ran = await run(`dead-letters discard ${keyId}`, options);
    expect(ran.exitCode).toBe(0);
    expect(ran.err).toMatch(/role +.*operator/);
    expect(discards).toHaveLength(1);
  });
});
