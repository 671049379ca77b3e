import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { expect, it } from 'vitest';

import { routes, type OperationName } from './gen/api.ts';
import { createClient, WalletProblem, type Client } from './index.ts';

type Seen = { readonly method: string; readonly path: string; readonly authorization: unknown };

/** A server that gives every request an empty list, and keeps what was asked. */
async function startRecorder() {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    const { method = '', url = '', headers } = request;
    seen.push({ method, path: url.split('?')[0] ?? '', authorization: headers.authorization });
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"items":[]}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, seen, stop: () => new Promise((resolve) => server.close(resolve)) };
}

const any = {} as never;
/** How each operation of the API is called; the compiler sees that none is missing. */
const calls: Readonly<Record<OperationName, (client: Client) => Promise<unknown>>> = {
  postTransactions: (client) => client.transactions.create(any),
  getTransactions: (client) => client.transactions.list(),
  getTransactionsById: (client) => client.transactions.get('a'),
  getTransactionsByKeyByKey: (client) => client.transactions.getByKey('a'),
  postTransactionsBatch: (client) => client.transactions.createBatch({ items: [] }),
  postHolds: (client) => client.holds.place(any),
  postHoldsByIdCapture: (client) => client.holds.capture('a', any),
  postHoldsByIdRelease: (client) => client.holds.release('a', any),
  getHolds: (client) => client.holds.list(),
  getHoldsById: (client) => client.holds.get('a'),
  getWalletsByUserByCurrencyTerms: (client) => client.wallets.getTerms('a', 'a'),
  putWalletsByUserByCurrencyTerms: (client) => client.wallets.setTerms('a', 'a', any),
  getStatementsSearch: (client) => client.statements.search(any),
  getWallets: (client) => client.wallets.list(),
  getWalletsByUserByCurrency: (client) => client.wallets.get('a', 'a'),
  patchWalletsByUserByCurrency: (client) => client.wallets.update('a', 'a', any),
  postWalletsByUserByCurrencyClose: (client) => client.wallets.close('a', 'a', any),
  postWalletsByUserByCurrencyReopen: (client) => client.wallets.reopen('a', 'a', any),
  postRecipients: (client) => client.wallets.findRecipient('a'),
  getEvents: (client) => client.events.follow({ maxReconnects: 0 }).next(),
  postSignUp: (client) => client.account.signUp(any),
  postVerifyEmail: (client) => client.account.verifyEmail(any),
  postSignIn: (client) => client.account.signIn(any),
  postSessionsRefresh: (client) => client.sessions.refresh('a'),
  getMe: (client) => client.account.get(),
  putMePassword: (client) => client.account.changePassword(any),
  getSessions: (client) => client.sessions.list(),
  deleteSessionsCurrent: (client) => client.sessions.signOut(),
  deleteSessionsById: (client) => client.sessions.revoke('a'),
  getUsers: (client) => client.users.list(),
  postUsers: (client) => client.users.create(any),
  getUsersById: (client) => client.users.get('a'),
  patchUsersById: (client) => client.users.update('a', any),
  getApiKeys: (client) => client.apiKeys.list(),
  postApiKeys: (client) => client.apiKeys.create(any),
  deleteApiKeysById: (client) => client.apiKeys.revoke('a'),
  getStatements: (client) => client.statements.get(),
  postExports: (client) => client.exports.create(any),
  getExports: (client) => client.exports.list(),
  getExportsById: (client) => client.exports.get('a'),
  getExportsByIdFile: (client) => client.exports.download('a'),
};

it('each operation of the API has a method that calls it, with the credential where it needs one', async () => {
  const recorder = await startRecorder();
  const client = createClient({ baseUrl: `${recorder.url}/wallets/`, apiKey: 'dwk_x' });
  for (const [name, call] of Object.entries(calls) as [OperationName, (typeof calls)['getMe']][]) {
    recorder.seen.length = 0;
    // What is no file and no stream of events is refused, after it was asked for.
    await call(client).catch((error: unknown) => expect(error).toBeInstanceOf(WalletProblem));
    const { method, path, isPublic } = routes[name];
    expect(recorder.seen).toEqual([
      {
        method,
        path: `/wallets${path.replace(/\{\w+\}/g, 'a')}`,
        authorization: isPublic ? undefined : 'Bearer dwk_x',
      },
    ]);
  }
  await recorder.stop();
});

it('a part of a path that would lead to another path is refused', async () => {
  const client = createClient({ baseUrl: 'http://127.0.0.1:1' });
  for (const id of ['', '.', '..']) {
    await expect(client.transactions.get(id)).rejects.toThrow('id must be');
  }
});

it.each([
  ['baseUrl must', { baseUrl: 'ftp://wallet.example' }],
  ['baseUrl must', { baseUrl: 'https://user:secret@wallet.example' }],
  ['at most one', { baseUrl: 'https://wallet.example', token: 'a', apiKey: 'b' }],
  ['timeoutMs must', { baseUrl: 'https://wallet.example', timeoutMs: 0 }],
  ['the token must', { baseUrl: 'https://wallet.example', token: 'two words' }],
])('an option that is wrong is named: %s', (message, options) => {
  expect(() => createClient(options)).toThrow(message);
});

it('an answer of another server is none of this API', async () => {
  const server = createServer((_request, response) => {
    response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>Not found</h1>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await expect(createClient({ baseUrl }).account.get()).rejects.toMatchObject({
    ...{ reason: 'ANSWER_INVALID', status: 404, isOutcomeUnknown: false },
    hint: expect.stringContaining('baseUrl') as string,
  });
  await new Promise((resolve) => server.close(resolve));
});

it('a redirect is not followed: neither money nor a token goes to another server', async () => {
  const recorder = await startRecorder();
  const server = createServer((_request, response) => {
    response.writeHead(307, { location: recorder.url }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = createClient({ baseUrl, token: 'x', maxAttempts: 1 });
  await expect(client.account.get()).rejects.toMatchObject({ reason: 'CONNECTION_FAILED' });
  expect(recorder.seen).toEqual([]);
  await recorder.stop();
  await new Promise((resolve) => server.close(resolve));
});
