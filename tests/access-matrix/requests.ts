import { randomUUID } from 'node:crypto';

import { Role as WireRole } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { ExportFormat } from '../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { Operation } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { item } from '../support/grpc/client.ts';

/** What a request at admission is about: it changes nothing, whichever caller sends it. */
export type Ground = {
  /** Whose wallet is meant; empty for oneself. */
  readonly userId: string;
  readonly validToken: string;
};

const page = { pageSize: 10, pageToken: '' };
const deposit = (userId: string) =>
  item({ userId, currency: 'BRL', operation: Operation.DEPOSIT, amountMinor: 1n });
const ofDeadLetters = () => ({ deadLetterIds: [randomUUID()], dryRun: true });
const status = (userId: string) => ({ userId, currency: 'BRL', note: 'a test', dryRun: true });

/**
 * A harmless request for each RPC. A new RPC needs a line here; without one its cells fail.
 */
export const plainRequests: Readonly<Record<string, (ground: Ground) => object>> = {
  'auth.signUp': () => ({ email: 'not an address', password: '' }),
  'auth.verifyEmail': () => ({ code: 'AAAA-AAAA', signUpToken: '', password: 'not one' }),
  'auth.requestPasswordReset': () => ({ email: 'not an address' }),
  'auth.resetPassword': () => ({ email: 'not an address', code: '', newPassword: '' }),
  'auth.requestEmailChange': () => ({ newEmail: 'not an address', password: '' }),
  'auth.confirmEmailChange': () => ({ code: '' }),
  'auth.revokeAllCredentials': () => ({ userId: randomUUID() }),
  // An account of its own for each: attempts at one wait for one another.
  'auth.signIn': () => ({
    email: `${randomUUID()}@example.com`,
    password: '',
    client: '',
    deviceToken: '',
  }),
  'auth.refreshSession': () => ({ refreshToken: 'not one of ours' }),
  'auth.exchangeSession': () => ({ browserToken: 'not one of ours' }),
  'auth.validateToken': ({ validToken }) => ({ accessToken: validToken }),
  'auth.getJwks': () => ({}),
  'auth.signOut': () => ({}),
  'auth.getUser': ({ userId }) => ({ userId }),
  'auth.changePassword': () => ({
    oldPassword: 'not the password',
    newPassword: 'x',
    revokeOtherSessions: false,
  }),
  'auth.listSessions': ({ userId }) => ({ userId, ...page }),
  'auth.revokeSession': () => ({ target: { $case: 'sessionId', value: randomUUID() } }),
  'auth.createApiKey': () => ({ name: '', scopes: [], operations: [], expiresAt: new Date(0) }),
  'auth.listApiKeys': ({ userId }) => ({ ownerId: userId, ...page }),
  'auth.revokeApiKey': () => ({ apiKeyId: randomUUID() }),
  'auth.resolveUsers': ({ userId }) => ({ userIds: [userId], emails: [] }),
  // No address: nothing is counted.
  'auth.resolveRecipient': () => ({ email: 'not an address' }),
  'auth.listUsers': () => ({ ...page, role: 0, email: '' }),
  'auth.createUser': () => ({ email: 'not an address', password: '', role: WireRole.CUSTOMER }),
  'auth.updateUser': () => ({ userId: randomUUID(), disabled: false }),
  'auth.listRevocations': () => ({ since: new Date() }),
  'auth.getTotpStatus': () => ({}),
  'auth.beginTotp': () => ({ password: 'not the password' }),
  'auth.enableTotp': () => ({ code: '' }),
  'auth.disableTotp': () => ({ password: 'not the password', code: '' }),
  'auth.regenerateRecoveryCodes': () => ({ password: 'not the password', code: '' }),
  'auth.listAuditEvents': () => ({ ...page, actor: '', target: '', action: '' }),
  'wallet.createTransaction': ({ userId }) => ({ item: deposit(userId), dryRun: true }),
  'wallet.streamTransactions': ({ userId }) => ({ items: [deposit(userId)], dryRun: true }),
  'wallet.batchCreateTransactions': ({ userId }) => ({ items: [deposit(userId)], dryRun: true }),
  'wallet.getTransaction': ({ userId }) => ({
    by: { $case: 'transactionId', value: randomUUID() },
    userId,
    currency: 'BRL',
  }),
  'wallet.listTransactions': ({ userId }) => ({
    userId,
    currency: 'BRL',
    ...page,
    ascending: false,
    operation: 0,
    idPrefix: '',
  }),
  'wallet.getBalance': ({ userId }) => ({ userId, currency: 'BRL' }),
  'wallet.listWallets': ({ userId }) => ({ userId, ...page }),
  'wallet.freezeWallet': ({ userId }) => ({ ...status(userId), debitsOnly: false }),
  'wallet.unfreezeWallet': ({ userId }) => status(userId),
  'wallet.closeWallet': ({ userId }) => ({ ...status(userId), idempotencyKey: '' }),
  'wallet.reopenWallet': ({ userId }) => status(userId),
  'wallet.getHold': ({ userId }) => ({ holdId: randomUUID(), userId }),
  'wallet.listHolds': ({ userId }) => ({ userId, currency: 'BRL', ...page, state: 0 }),
  'wallet.getWalletTerms': ({ userId }) => ({ userId, currency: 'BRL' }),
  'wallet.setWalletTerms': ({ userId }) => ({
    ...status(userId),
    ...{ overdraftLimitMinor: 0n, clearLimits: false },
  }),
  'wallet.streamLedger': () => ({ afterWalletId: '', afterSeq: 0n }),
  'wallet.verifyLedger': () => ({}),
  'wallet.getStatementProof': ({ userId }) => proofOf(userId, 'BRL'),
  'wallet.listCheckpoints': () => page,
  'wallet.listDeadLetters': () => ({ ...page, state: 0, reason: '', deadLetterIds: [] }),
  'wallet.replayDeadLetters': ofDeadLetters,
  'wallet.discardDeadLetters': () => ({ ...ofDeadLetters(), note: '' }),
  'statement.listAuditEvents': () => ({ ...page, actor: '', target: '', action: '' }),
  'auth.getStatus': () => ({}),
  'wallet.getStatus': () => ({}),
  'statement.getStatus': () => ({}),
  'wallet.listAuditEvents': () => ({ ...page, actor: '', target: '', action: '' }),
  'statement.generateStatement': ({ userId }) => ({
    userId,
    currency: 'BRL',
    timezone: '',
    ...page,
    operations: [],
    descending: false,
  }),
  'statement.watchLines': ({ userId }) => watchOf(userId),
  'statement.searchLines': ({ userId }) => searchOf(userId, userId === '' ? '' : 'BRL'),
  'statement.createExport': ({ userId }) => exportOf(userId, 'BRL', true),
  'statement.getExport': () => ({ exportId: randomUUID() }),
  'statement.listExports': ({ userId }) => ({ userId, ...page, idPrefix: '' }),
  'statement.downloadExport': () => ({ exportId: randomUUID(), offset: 0n }),
  'statement.verifyProjection': () => ({ walletId: randomUUID() }),
  'statement.rebuildProjection': () => ({ walletId: randomUUID() }),
  'statement.listDeadLetters': () => ({ ...page, state: 0, reason: '', deadLetterIds: [] }),
  'statement.replayDeadLetters': ofDeadLetters,
  'statement.discardDeadLetters': () => ({ ...ofDeadLetters(), note: '' }),
};

export const watchOf = (userId: string): object => ({
  userIds: userId === '' ? [] : [userId],
  cursor: '',
});

export const searchOf = (userId: string, currency: string): object => ({
  ...{ userId, currency, key: 'reference', value: 'R-1' },
  ...page,
});

export const proofOf = (userId: string, currency: string): object => ({
  userId,
  currency,
  from: new Date(0),
  to: new Date(),
  hideNeighbours: false,
});

export const exportOf = (userId: string, currency: string, dryRun: boolean): object => ({
  userId,
  currency,
  from: new Date(Date.now() - 86_400_000),
  to: new Date(),
  timezone: 'UTC',
  locale: '',
  format: ExportFormat.CSV,
  email: false,
  byteOrderMark: false,
  idempotencyKey: randomUUID(),
  dryRun,
});
