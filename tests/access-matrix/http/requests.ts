import { randomUUID } from 'node:crypto';

import { password } from '../../support/http/people.ts';
import { holdRows } from './hold-rows.ts';
import {
  key,
  me,
  ofQuery,
  ofUser,
  reads,
  readsOne,
  someId,
  type HttpRequest,
  type Row,
  type Things,
} from './row.ts';

export type { HttpRequest, Row, Things } from './row.ts';

const newEmail = (): string => `new-${randomUUID()}@example.com`;
const noAddress = { email: 'not an address', password };
const deposit = { operation: 'deposit', amount: '1.00' };
const range = () => ({
  from: new Date(Date.now() - 86_400_000).toISOString(),
  to: new Date().toISOString(),
});
const today = (): string => new Date().toISOString().slice(0, 10);
const nothing = (): HttpRequest => ({});
const emptyBody = (): HttpRequest => ({ body: {} });

const account: Readonly<Record<string, Row>> = {
  'POST /v1/sign-up': {
    rpc: 'auth.signUp',
    plain: () => ({ body: noAddress }),
    effective: () => ({ body: { email: newEmail(), password } }),
  },
  'POST /v1/verify-email': {
    rpc: 'auth.verifyEmail',
    plain: () => ({ body: { code: 'AAAA-AAAA', password: 'not one' } }),
    effective: () => ({ body: { code: 'AAAA-AAAA', password } }),
  },
  // An address of its own for each: attempts at one wait for one another.
  'POST /v1/sign-in': {
    rpc: 'auth.signIn',
    plain: () => ({ body: { email: `no address ${randomUUID()}`, password: 'no' } }),
    effective: ({ email }) => ({ body: { email, password } }),
  },
  'POST /v1/sessions/refresh': {
    rpc: 'auth.refreshSession',
    plain: () => ({ body: { refreshToken: 'not one of ours' } }),
    effective: () => ({ body: { refreshToken: 'not one of ours' } }),
  },
  // Of an API key the first call is ValidateToken, about the key itself.
  'GET /v1/me': { rpc: 'auth.getUser', plain: nothing, effective: nothing },
  'PUT /v1/me/password': {
    rpc: 'auth.changePassword',
    plain: () => ({ body: { oldPassword: 'not the password', newPassword: 'x' } }),
    effective: () => ({ body: { oldPassword: password, newPassword: `${password} new` } }),
  },
  'GET /v1/sessions': reads('auth.listSessions', ofQuery),
  'DELETE /v1/sessions/current': {
    rpc: 'auth.signOut',
    plain: nothing,
    effective: nothing,
    endsSession: true,
  },
  'DELETE /v1/sessions/:id': readsOne('auth.revokeSession', ({ sessionId: id }) => ({
    params: { id },
  })),
  'GET /v1/users': reads('auth.listUsers', nothing),
  'POST /v1/users': {
    rpc: 'auth.createUser',
    plain: () => ({ body: noAddress }),
    effective: () => ({ body: { email: newEmail(), password, role: 'customer' } }),
  },
  'GET /v1/users/:id': {
    rpc: 'auth.getUser',
    plain: someId,
    effective: ({ userId: id }) => ({ params: { id } }),
  },
  'PATCH /v1/users/:id': {
    rpc: 'auth.updateUser',
    plain: () => ({ ...someId(), body: { disabled: false } }),
    effective: ({ userId: id }) => ({ params: { id }, body: { disabled: true } }),
  },
  'GET /v1/api-keys': reads('auth.listApiKeys', ofQuery),
  'POST /v1/api-keys': {
    rpc: 'auth.createApiKey',
    plain: () => ({
      body: { name: 'x', scopes: ['wallets:read'], expiresAt: '1970-01-01T00:00:00Z' },
    }),
    effective: () => ({ body: { name: 'x', scopes: ['wallets:read'] } }),
  },
  'DELETE /v1/api-keys/:id': readsOne('auth.revokeApiKey', ({ apiKeyId: id }) => ({
    params: { id },
  })),
};

const money: Readonly<Record<string, Row>> = {
  'POST /v1/transactions': {
    rpc: 'wallet.createTransaction',
    plain: ({ userId }) => ({
      body: { ...deposit, ...ofUser(userId), dryRun: true },
      headers: key(),
    }),
    effective: ({ userId }) => ({ body: { ...deposit, ...ofUser(userId) }, headers: key() }),
  },
  'POST /v1/transactions/batch': {
    rpc: 'wallet.batchCreateTransactions',
    plain: ({ userId }) => ({ body: { items: [itemOf(userId)], dryRun: true } }),
    effective: ({ userId }) => ({ body: { items: [itemOf(userId)] } }),
  },
  'GET /v1/transactions': reads('wallet.listTransactions', ofQuery),
  'GET /v1/transactions/:id': readsOne('wallet.getTransaction', ({ transactionId: id }) => ({
    params: { id },
  })),
  'GET /v1/transactions/by-key/:key': {
    rpc: 'wallet.getTransaction',
    plain: ({ userId }) => ({ params: { key: 'no key' }, query: { ...ofUser(userId) } }),
    effective: (of) => ({ params: { key: of.key }, query: { user: of.userId } }),
  },
  'GET /v1/wallets': reads('wallet.listWallets', ofQuery),
  'GET /v1/wallets/:user/:currency': reads('wallet.getBalance', (userId) => ({
    params: { user: me(userId), currency: 'BRL' },
  })),
  'PATCH /v1/wallets/:user/:currency': {
    rpc: 'wallet.freezeWallet',
    plain: ({ userId }) => ({
      params: { user: me(userId), currency: 'BRL' },
      body: { status: 'frozen', note: 'a test', dryRun: true },
    }),
    effective: ({ userId }) => ({
      params: { user: userId, currency: 'BRL' },
      body: { status: 'frozen', note: 'a test' },
    }),
  },
};

const closing: Readonly<Record<string, Row>> = {
  'POST /v1/wallets/:user/:currency/close': {
    rpc: 'wallet.closeWallet',
    plain: ({ userId }) => ({
      params: { user: me(userId), currency: 'BRL' },
      body: { note: 'a test', dryRun: true },
    }),
    effective: ({ userId }) => ({
      params: { user: userId, currency: 'BRL' },
      body: { note: 'a test', sweepToUserId: randomUUID() },
      headers: key(),
    }),
  },
  'POST /v1/wallets/:user/:currency/reopen': {
    rpc: 'wallet.reopenWallet',
    plain: ({ userId }) => ({
      params: { user: me(userId), currency: 'BRL' },
      body: { note: 'a test', dryRun: true },
    }),
    effective: ({ userId }) => ({ params: { user: userId, currency: 'BRL' }, body: {} }),
  },
  'POST /v1/recipients': {
    rpc: 'auth.resolveRecipient',
    plain: () => ({ body: { email: 'not an address' } }),
    effective: ({ email }) => ({ body: { email } }),
  },
};

const statements: Readonly<Record<string, Row>> = {
  'GET /v1/statements': reads('statement.generateStatement', (userId) => ({
    query: { ...ofUser(userId), ...range() },
  })),
  'GET /v1/statements/search': reads('statement.searchLines', (userId) => ({
    query: { ...ofUser(userId), currency: 'BRL', key: 'reference', value: 'R-1' },
  })),
  'POST /v1/exports': {
    rpc: 'statement.createExport',
    plain: ({ userId }) => ({
      body: { ...ofUser(userId), ...range(), dryRun: true },
      headers: key(),
    }),
    effective: ({ userId }) => ({ body: { ...ofUser(userId), ...range() }, headers: key() }),
  },
  'GET /v1/exports': reads('statement.listExports', ofQuery),
  'GET /v1/exports/:id': readsOne('statement.getExport', ({ exportId: id }) => ({
    params: { id },
  })),
  'GET /v1/exports/:id/file': readsOne('statement.getExport', ({ exportId: id }) => ({
    params: { id },
  })),
  'GET /v1/events': reads('statement.watchLines', ofQuery),
};

const simple: Readonly<Record<string, Row>> = {
  'POST /auth/sign-in': {
    rpc: 'auth.signIn',
    plain: () => ({ body: { email: `no address ${randomUUID()}`, password: 'no' } }),
    effective: ({ email }) => ({ body: { email, password } }),
  },
  'POST /auth/sign-up': {
    rpc: 'auth.signUp',
    plain: () => ({ body: { ...noAddress, confirmPassword: password } }),
    effective: () => ({ body: { email: newEmail(), password, confirmPassword: password } }),
  },
  'POST /auth/sign-out': {
    rpc: 'auth.signOut',
    plain: emptyBody,
    effective: emptyBody,
    endsSession: true,
  },
  'GET /auth/me': { rpc: 'auth.getUser', plain: nothing, effective: nothing },
  'POST /auth/refresh': { rpc: 'auth.getUser', plain: emptyBody, effective: emptyBody },
  'GET /wallet/balance': reads('wallet.getBalance', ofQuery),
  // It has no dry run: more than any wallet has is refused by the ledger.
  'POST /wallet/transaction': {
    rpc: 'wallet.createTransaction',
    plain: ({ userId }) => ({ body: { operation: 1, amount: 1_000_000, ...ofUser(userId) } }),
    effective: ({ userId }) => ({ body: { operation: 0, amount: 1, ...ofUser(userId) } }),
  },
  'GET /wallet/transactions': reads('wallet.listTransactions', ofQuery),
  'POST /statement/generate': reads('statement.generateStatement', (userId) => ({
    body: { maxDate: today(), ...ofUser(userId) },
  })),
  'GET /statement/exports/:id': readsOne('statement.getExport', ({ exportId: id }) => ({
    params: { id },
  })),
  'GET /statement/exports/:id/file': readsOne('statement.getExport', ({ exportId: id }) => ({
    params: { id },
  })),
};

/**
 * By method and path of the route table. A route without a row has no cells, and fails.
 */
export const rows: Readonly<Record<string, Row>> = {
  ...account,
  ...money,
  ...closing,
  ...holdRows,
  ...statements,
  ...simple,
};

function itemOf(userId: string): object {
  return { ...deposit, ...ofUser(userId), idempotencyKey: randomUUID() };
}

/** Objects of no user. */
export const absent = (): Things => ({
  userId: randomUUID(),
  email: newEmail(),
  transactionId: randomUUID(),
  key: `unused ${randomUUID()}`,
  pageToken: Buffer.from(JSON.stringify(['AAAAAAAAAAAAAAAA', { seq: '1' }])).toString('base64url'),
  sessionId: randomUUID(),
  apiKeyId: randomUUID(),
  exportId: randomUUID(),
  holdId: randomUUID(),
});
