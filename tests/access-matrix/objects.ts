import { randomUUID } from 'node:crypto';

import { Operation } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { item } from '../support/grpc/client.ts';
import { holdRules } from './hold-objects.ts';
import type { ObjectRule } from './object-rule.ts';
import type { Belongings } from './people.ts';
import { exportOf, proofOf, searchOf, watchOf } from './requests.ts';

const page = { pageSize: 10, pageToken: '' };
const both = 'operator admin';
const noUser = ['USER_NOT_FOUND'];
const move = (changes: Parameters<typeof item>[0]) =>
  item({ operation: Operation.DEPOSIT, currency: 'BRL', amountMinor: 1n, ...changes });
const payment = (userId: string) =>
  move({ userId, operation: Operation.TRANSFER, toUserId: randomUUID() });
const undo = (of: Belongings, operation: Operation) =>
  item({ operation, parentId: of.purchaseId, currency: 'BRL' });
const ofWallet = (userId: string, currency: string) => ({ userId, currency });

const inWallet: readonly ObjectRule[] = (['BRL', 'EUR', 'JPY'] as const).flatMap((currency) => [
  {
    rpc: 'wallet.getBalance',
    names: `user_id, ${currency}`,
    request: ({ userId }: Belongings) => ofWallet(userId, currency),
    hidden: noUser,
    staff: both,
  },
  {
    rpc: 'wallet.listTransactions',
    names: `user_id, ${currency}`,
    request: ({ userId }: Belongings) => ({
      ...ofWallet(userId, currency),
      ...page,
      ascending: true,
      operation: 0,
      idPrefix: '',
    }),
    hidden: noUser,
    staff: both,
  },
  {
    rpc: 'wallet.getStatementProof',
    names: `user_id, ${currency}`,
    request: ({ userId }: Belongings) => proofOf(userId, currency),
    hidden: noUser,
    staff: both,
    afterAccess: 'CHECKPOINT_PENDING',
  },
  {
    rpc: 'statement.generateStatement',
    names: `user_id, ${currency}`,
    request: ({ userId }: Belongings) => ({
      ...ofWallet(userId, currency),
      timezone: 'UTC',
      ...page,
      operations: [],
      descending: false,
    }),
    hidden: noUser,
    staff: both,
  },
  {
    rpc: 'statement.searchLines',
    names: `user_id, ${currency}`,
    request: ({ userId }: Belongings) => searchOf(userId, currency),
    hidden: noUser,
    staff: both,
  },
  {
    rpc: 'statement.createExport',
    names: `user_id, ${currency}`,
    request: ({ userId }: Belongings) => exportOf(userId, currency, true),
    hidden: noUser,
    staff: both,
  },
  ...[true, false].map((dryRun): ObjectRule => ({
    rpc: 'wallet.createTransaction',
    names: `user_id, ${currency}, dry_run ${String(dryRun)}`,
    request: ({ userId }) => ({ item: move({ userId, currency }), dryRun }),
    hidden: noUser,
    staff: both,
  })),
  ...['wallet.streamTransactions', 'wallet.batchCreateTransactions'].map((rpc): ObjectRule => ({
    rpc,
    names: `user_id, ${currency}`,
    request: ({ userId }) => ({ items: [move({ userId, currency })], dryRun: true }),
    hidden: noUser,
    staff: both,
  })),
]);

/** Every RPC that names an object, and each way in which it does. */
export const objectRules: readonly ObjectRule[] = [
  ...inWallet,
  ...holdRules,
  {
    rpc: 'auth.getUser',
    names: 'user_id',
    request: ({ userId }) => ({ userId }),
    hidden: noUser,
    staff: both,
  },
  {
    rpc: 'auth.listSessions',
    names: 'user_id',
    request: ({ userId }) => ({ userId, ...page }),
    hidden: noUser,
    staff: 'as the service likes',
  },
  {
    rpc: 'auth.revokeSession',
    names: 'session_id',
    request: ({ sessionId }) => ({ target: { $case: 'sessionId', value: sessionId } }),
    hidden: ['SESSION_NOT_FOUND'],
    staff: 'as the service likes',
    own: 'not asked',
  },
  {
    rpc: 'auth.revokeSession',
    names: 'all_of_user_id',
    request: ({ userId }) => ({ target: { $case: 'allOfUserId', value: userId } }),
    hidden: noUser,
    staff: 'as the service likes',
    own: 'not asked',
  },
  {
    rpc: 'auth.revokeAllCredentials',
    names: 'user_id',
    request: ({ userId }) => ({ userId }),
    hidden: noUser,
    staff: 'as the service likes',
    own: 'not asked',
  },
  {
    rpc: 'auth.listApiKeys',
    names: 'owner_id',
    request: ({ userId }) => ({ ownerId: userId, ...page }),
    hidden: noUser,
    staff: 'as the service likes',
  },
  {
    rpc: 'auth.revokeApiKey',
    names: 'api_key_id',
    request: ({ apiKeyId }) => ({ apiKeyId }),
    hidden: ['API_KEY_NOT_FOUND'],
    staff: 'as the service likes',
    own: 'not asked',
  },
  {
    rpc: 'wallet.getTransaction',
    names: 'transaction_id',
    request: (of) => ({
      by: { $case: 'transactionId', value: of.transactionId },
      ...ofWallet('', ''),
    }),
    hidden: ['TRANSACTION_NOT_FOUND'],
    staff: both,
  },
  {
    rpc: 'wallet.getTransaction',
    names: 'transaction_id, user_id',
    request: (of) => ({
      by: { $case: 'transactionId', value: of.transactionId },
      ...ofWallet(of.userId, ''),
    }),
    hidden: noUser,
    staff: both,
  },
  {
    rpc: 'wallet.getTransaction',
    names: 'idempotency_key',
    request: (of) => ({
      by: { $case: 'idempotencyKey', value: of.idempotencyKey },
      ...ofWallet('', 'BRL'),
    }),
    hidden: ['TRANSACTION_NOT_FOUND'],
    staff: 'as the service likes',
  },
  {
    rpc: 'wallet.getTransaction',
    names: 'idempotency_key, user_id',
    request: (of) => ({
      by: { $case: 'idempotencyKey', value: of.idempotencyKey },
      ...ofWallet(of.userId, 'BRL'),
    }),
    hidden: noUser,
    // The keys of staff are others than their customers'.
    staff: 'as the service likes',
  },
  {
    rpc: 'wallet.listWallets',
    names: 'user_id',
    request: ({ userId }) => ({ userId, ...page }),
    hidden: noUser,
    staff: both,
  },
  {
    rpc: 'wallet.listTransactions',
    names: 'page_token',
    request: ({ pageToken }) => ({
      ...ofWallet('', 'BRL'),
      pageSize: 1,
      pageToken,
      ascending: false,
      operation: 0,
      idPrefix: '',
    }),
    hidden: ['PAGE_TOKEN_INVALID'],
    staff: 'as the service likes',
  },
  ...[Operation.CANCELLATION, Operation.REVERSAL].flatMap((operation): ObjectRule[] => [
    {
      rpc: 'wallet.createTransaction',
      names: `parent_id, operation ${operation}`,
      request: (of) => ({ item: undo(of, operation), dryRun: true }),
      hidden: ['PARENT_NOT_FOUND'],
      staff: 'as the service likes',
    },
    {
      rpc: 'wallet.createTransaction',
      names: `parent_id, operation ${operation}, no dry run`,
      request: (of) => ({ item: undo(of, operation), dryRun: false }),
      hidden: ['PARENT_NOT_FOUND'],
      staff: 'as the service likes',
      own: 'not asked',
    },
    ...['wallet.streamTransactions', 'wallet.batchCreateTransactions'].map((rpc): ObjectRule => ({
      rpc,
      names: `parent_id, operation ${operation}`,
      request: (of) => ({ items: [undo(of, operation)], dryRun: true }),
      hidden: ['PARENT_NOT_FOUND'],
      staff: 'as the service likes',
    })),
  ]),
  ...[true, false].map((dryRun): ObjectRule => ({
    rpc: 'wallet.createTransaction',
    names: `user_id of the payer, dry_run ${String(dryRun)}`,
    request: ({ userId }) => ({ item: payment(userId), dryRun }),
    hidden: noUser,
    // There is no such payee, and the answer says so.
    staff: 'as the service likes',
    own: 'not asked',
  })),
  ...['wallet.streamTransactions', 'wallet.batchCreateTransactions'].map((rpc): ObjectRule => ({
    rpc,
    names: 'user_id of the payer',
    request: ({ userId }) => ({ items: [payment(userId)], dryRun: true }),
    hidden: noUser,
    staff: 'as the service likes',
    own: 'not asked',
  })),
  {
    rpc: 'statement.watchLines',
    names: 'user_ids',
    request: ({ userId }) => watchOf(userId),
    hidden: noUser,
    staff: both,
  },
  {
    rpc: 'statement.getExport',
    names: 'export_id',
    request: ({ exportId }) => ({ exportId }),
    hidden: ['EXPORT_NOT_FOUND'],
    staff: both,
  },
  {
    rpc: 'statement.downloadExport',
    names: 'export_id',
    request: ({ exportId }) => ({ exportId, offset: 0n }),
    hidden: ['EXPORT_NOT_FOUND'],
    staff: both,
  },
  {
    rpc: 'statement.listExports',
    names: 'user_id',
    request: ({ userId }) => ({ userId, ...page, idPrefix: '' }),
    hidden: noUser,
    staff: both,
  },
];
