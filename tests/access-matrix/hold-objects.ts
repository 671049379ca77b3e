import { Operation } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { item } from '../support/grpc/client.ts';
import type { ObjectRule } from './object-rule.ts';

const both = 'operator admin';
const noUser = ['USER_NOT_FOUND'];
const page = { pageSize: 10, pageToken: '' };
const use = (operation: Operation, parentId: string) => item({ operation, parentId });

/** Holds and terms, and each way in which a request names them. */
export const holdRules: readonly ObjectRule[] = [
  {
    rpc: 'wallet.getHold',
    names: 'hold_id',
    request: ({ holdId }) => ({ holdId, userId: '' }),
    hidden: ['HOLD_NOT_FOUND'],
    staff: both,
  },
  {
    rpc: 'wallet.getHold',
    names: 'hold_id, user_id',
    request: ({ holdId, userId }) => ({ holdId, userId }),
    hidden: noUser,
    staff: both,
  },
  {
    rpc: 'wallet.listHolds',
    names: 'user_id, BRL',
    request: ({ userId }) => ({ userId, currency: 'BRL', ...page, state: 0 }),
    hidden: noUser,
    staff: both,
  },
  {
    rpc: 'wallet.getWalletTerms',
    names: 'user_id, BRL',
    request: ({ userId }) => ({ userId, currency: 'BRL' }),
    hidden: noUser,
    staff: both,
  },
  // Customers use no hold, not even their own.
  ...[Operation.CAPTURE, Operation.RELEASE].flatMap((operation): ObjectRule[] => [
    ...[true, false].map((dryRun): ObjectRule => ({
      rpc: 'wallet.createTransaction',
      names: `hold as parent_id, operation ${operation}, dry_run ${String(dryRun)}`,
      request: ({ holdId }) => ({ item: use(operation, holdId), dryRun }),
      hidden: ['OPERATION_NOT_ALLOWED'],
      staff: 'as the service likes',
      own: 'not asked',
    })),
    ...['wallet.streamTransactions', 'wallet.batchCreateTransactions'].map((rpc): ObjectRule => ({
      rpc,
      names: `hold as parent_id, operation ${operation}`,
      request: ({ holdId }) => ({ items: [use(operation, holdId)], dryRun: true }),
      hidden: ['OPERATION_NOT_ALLOWED'],
      staff: 'as the service likes',
      own: 'not asked',
    })),
  ]),
];
