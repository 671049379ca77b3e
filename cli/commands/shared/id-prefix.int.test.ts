import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import {
  ApiKey,
  Session,
  type ListSessionsRequest,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  Export,
  type ListExportsRequest,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import type {
  CreateTransactionRequest,
  GetTransactionRequest,
  ListTransactionsRequest,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  createCli,
  created,
  fakeToken,
  refusal,
  startFakeServer,
  userId,
  type Cli,
  type FakeServer,
} from '../../test-support.ts';

const id = 'b4013d1d-f8a6-54ce-835e-4d4f030245d6';
const otherId = 'b4013d1d-aaaa-54ce-835e-4d4f030245d6';
const ownerId = '0e3e3a4b-76c8-4d7c-9df1-9d6f0a4c2f11';

let cli: Cli;
let server: FakeServer;
/** The ids that there are, of whatever kind. */
let ids: string[];
let isUnavailable: boolean;
let isLost: boolean;
let requests: { name: string; request: unknown }[];

const requestsOf = <T>(name: string) =>
  requests.filter((made) => made.name === name).map(({ request }) => request as T);

beforeEach(async () => {
  ids = [id];
  isUnavailable = false;
  isLost = false;
  requests = [];
  const record = (name: string, request: unknown) => requests.push({ name, request });
  const { transaction } = created({ item: undefined, dryRun: false });
  server = await startFakeServer({
    listTransactions: (request: ListTransactionsRequest) => {
      record('list', request);
      if (isUnavailable) return refusal('OVERLOADED', 'not now');
      const found = ids.filter((known) => known.startsWith(request.idPrefix));
      const transactions = found.slice(0, request.pageSize).map((known) => ({
        ...transaction,
        id: known,
      }));
      return { transactions, nextPageToken: '' };
    },
    getTransaction: (request: GetTransactionRequest) => {
      record('get', request);
      return { transaction, related: [] };
    },
    createTransaction: (request: CreateTransactionRequest) => {
      record('create', request);
      if (!isLost) return { transaction, replayed: false };
      const isFirst = requestsOf('create').length % 2 === 1;
      return refusal(isFirst ? 'OUTCOME_UNKNOWN' : 'INTERNAL', 'lost');
    },
    listExports: (request: ListExportsRequest) => {
      record('exports', request);
      const exports = ids
        .filter((known) => known.startsWith(request.idPrefix))
        .map((known) => Export.fromPartial({ id: known, timezone: 'UTC' }));
      return { exports, nextPageToken: '' };
    },
    getExport: ({ exportId }: { exportId: string }) => ({
      export: Export.fromPartial({ id: exportId, timezone: 'UTC' }),
    }),
    listSessions: (request: ListSessionsRequest) => {
      record('sessions', request);
      const sessions = ids.map((known) => Session.fromPartial({ id: known, client: 'laptop' }));
      return { sessions, nextPageToken: '' };
    },
    revokeSession: (request: unknown) => {
      record('revoke session', request);
      return { revoked: 1 };
    },
    listApiKeys: () => ({
      apiKeys: ids.map((known) => ApiKey.fromPartial({ id: known })),
      nextPageToken: '',
    }),
    revokeApiKey: (request: { apiKeyId: string }) => {
      record('revoke key', request);
      return { apiKey: ApiKey.fromPartial({ id: request.apiKeyId }) };
    },
    getUser: () => ({ user: { id: userId, email: 'ana@example.com', role: 1 } }),
  });
  cli = await createCli({ WALLET_SERVER: server.address, WALLET_TOKEN: fakeToken() });
});

afterEach(async () => {
  server.crash();
  await cli.remove();
});

const run = (line: string, options?: Parameters<Cli['run']>[1]) =>
  cli.run(line.split(' '), options);

describe('the beginning of a transaction’s id', () => {
  test('transactions show takes it, within the wallet of --user and --currency', async () => {
    const ran = await run(`transactions show B4013D1D --user ${ownerId} --currency EUR`);
    expect(ran.exitCode).toBe(0);
    expect(requestsOf('list')).toMatchObject([
      { idPrefix: 'b4013d1d', userId: ownerId, currency: 'EUR' },
    ]);
    expect(requestsOf('get')).toMatchObject([{ by: { $case: 'transactionId', value: id } }]);
    await run('transactions show b4013d1d-f8');
    expect(requestsOf('list')[1]).toMatchObject({ idPrefix: 'b4013d1d-f8', currency: 'BRL' });
  });

  test('a whole id is not looked up', async () => {
    await run(`transactions show ${id}`);
    await run(`cancel ${id} --yes`);
    expect(requestsOf('list')).toEqual([]);
  });

  test.each(['cancel', 'reverse'])(
    '%s sends the whole id, and shows it on stderr',
    async (verb) => {
      for (const option of ['--yes', '--yes --quiet', '--dry-run']) {
        const ran = await run(`${verb} b4013d1d ${option}`);
        expect(ran).toMatchObject({ exitCode: 0, err: expect.stringContaining(id) as string });
      }
      const parents = requestsOf<CreateTransactionRequest>('create').map(
        ({ item }) => item?.parentId,
      );
      expect(parents).toEqual([id, id, id]);
    },
  );

  test('the confirmation of a cancellation shows the whole id', async () => {
    const confirm = () => Promise.resolve(false);
    const ran = await run('cancel b4013d1d', { isTerminal: true, prompter: { confirm } });
    expect(ran.exitCode).toBe(130);
    expect(ran.err.split(id).length).toBeGreaterThan(2);
    expect(requestsOf('create')).toEqual([]);
  });

  test('an ambiguous one moves no money, and lists up to 5 candidates', async () => {
    ids = Array.from({ length: 7 }, (_, n) => `b4013d1d-000${n}-54ce-835e-4d4f030245d6`);
    for (const line of ['reverse b4013d1d --yes', 'cancel b4013d1d --dry-run']) {
      const ran = await run(`${line} --json`);
      expect(ran).toMatchObject({ exitCode: 2, out: '' });
      const { error } = JSON.parse(ran.err) as { error: { reason: string; message: string } };
      expect(error.reason).toBe('ID_AMBIGUOUS');
      expect(ids.filter((known) => error.message.includes(known))).toEqual(ids.slice(0, 5));
    }
    expect(requestsOf('create')).toEqual([]);
  });

  test('one that no transaction has is answered like an id that does not exist', async () => {
    const ran = await run('reverse 00000000 --yes --json');
    expect(ran.exitCode).toBe(5);
    expect(JSON.parse(ran.err)).toMatchObject({ error: { reason: 'TRANSACTION_NOT_FOUND' } });
    expect(requestsOf('create')).toEqual([]);
  });

  test.each(['b4013d1', 'b4013d1x', 'b4013d1df', `${id}0`])('%s is refused', async (text) => {
    for (const line of ['transactions show', 'cancel --yes']) {
      expect(await run(`${line} ${text}`)).toMatchObject({ exitCode: 2, out: '' });
    }
    expect(requests).toEqual([]);
  });

  test('after an unknown outcome the whole id and its beginning are the same command', async () => {
    isLost = true;
    expect(await run('reverse b4013d1d --yes')).toMatchObject({ exitCode: 9 });
    // What cannot be looked up says nothing about what was sent before.
    isUnavailable = true;
    expect(await run('reverse b4013d1d --yes --timeout 500ms')).toMatchObject({ exitCode: 9 });
    isUnavailable = false;
    ids = [id, otherId];
    isLost = false;
    expect(await run(`reverse ${id} --yes`)).toMatchObject({ exitCode: 0 });
    const made = requestsOf<CreateTransactionRequest>('create');
    expect(new Set(made.map(({ item }) => item?.idempotencyKey)).size).toBe(1);
  });
});

describe('the beginning of other ids', () => {
  test('exports show takes it, and lists those that it could mean', async () => {
    expect((await run('exports show b4013d1d --json')).out).toContain(id);
    ids = [id, otherId];
    const ran = await run('exports show b4013d1d');
    expect(ran.exitCode).toBe(2);
    expect(ran.err).toContain(id);
    expect(ran.err).toContain(otherId);
    expect((await run('exports wait 00000000')).exitCode).toBe(5);
  });

  test('sessions revoke takes it, among those of the caller or of --user', async () => {
    ids = [id, ownerId];
    expect(await run('sessions revoke b4013d1d -y')).toMatchObject({ exitCode: 0 });
    expect(await run(`sessions revoke 0e3e3a4b --user ${userId} -y`)).toMatchObject({
      exitCode: 0,
    });
    expect(requestsOf('sessions')).toMatchObject([{ userId: '' }, { userId }]);
    const targets = requestsOf<{ target: unknown }>('revoke session').map(({ target }) => target);
    expect(targets).toEqual([
      { $case: 'sessionId', value: id },
      { $case: 'sessionId', value: ownerId },
    ]);
    ids = [id, otherId];
    expect((await run('sessions revoke b4013d1d -y')).exitCode).toBe(2);
    expect((await run('sessions revoke 00000000 -y')).exitCode).toBe(5);
    expect(requestsOf('revoke session')).toHaveLength(2);
  });

  test('api-keys revoke takes it, and never one of two', async () => {
    expect(await run('api-keys revoke b4013d1d -y')).toMatchObject({ exitCode: 0 });
    expect(requestsOf('revoke key')).toEqual([{ apiKeyId: id }]);
    ids = [id, otherId];
    expect((await run('api-keys revoke b4013d1d -y')).exitCode).toBe(2);
    expect((await run('api-keys revoke 00000000 -y')).exitCode).toBe(5);
    expect(requestsOf('revoke key')).toHaveLength(1);
  });
});
