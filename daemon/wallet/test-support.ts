import { operations } from '../../core/operations.ts';
import type { Result } from '../../core/reasons.ts';
import {
  Operation,
  type TransactionItem,
} from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { createTestTrail } from '../../tests/support/grpc/calls.ts';
import { item } from '../../tests/support/grpc/client.ts';
import type { TestDatabase } from '../../tests/support/postgres/database.ts';
import type { Db } from '../platform/db/db.ts';
import type { CallContext } from '../platform/grpc/calls.ts';
import { createLog } from '../platform/log.ts';
import { createOptimisticCommit } from './commit/optimistic-commit.ts';
import { explainDefects } from './commit/alarms.ts';
import { createGroupCommit } from './commit/group-commit.ts';
import { createHandlers } from './rpc/handlers.ts';
import type { AuditedDecision, AuditedCommand } from './requests/audited-command.ts';
import { createKnownUsers } from './requests/users.ts';
import { walletsOf } from './domain.ts';

const log = createLog('silent');

/** The handlers of a wallet service on a test's database, as calls. */
export function serveCalls(test: TestDatabase, commitDb: Db = test.db) {
  const handlers = createHandlers({
    db: test.db,
    commitDb,
    trail: createTestTrail(test),
    groupCommit: createGroupCommit<AuditedCommand, AuditedDecision>({
      keysOf: (c) => walletsOf(c).map(({ id }) => id),
      maxCommits: 2,
      log,
      explain: explainDefects(log),
      commit: createOptimisticCommit(commitDb),
    }),
    users: createKnownUsers((ids) => Promise.resolve(new Set(ids))),
    isOutboxFull: () => false,
    onEvents: () => undefined,
    selfServiceOperations: new Set(operations),
    localOperations: new Set(operations),
    defaultCurrency: 'BRL',
  });
  const call =
    <Req, Res>(
      handler: ((request: Req, context: CallContext) => Promise<Result<Res>>) | undefined,
    ) =>
    (request: Req, context: CallContext) => {
      if (!handler) throw new Error('no such call');
      return handler(request, context);
    };
  const create = call(handlers.createTransaction);
  return {
    create: (fields: Partial<TransactionItem>, context: CallContext, dryRun = false) =>
      create(
        { item: item({ operation: Operation.DEPOSIT, amountMinor: 500n, ...fields }), dryRun },
        context,
      ),
    get: call(handlers.getTransaction),
    list: call(handlers.listTransactions),
    balance: call(handlers.getBalance),
    wallets: call(handlers.listWallets),
    freeze: call(handlers.freezeWallet),
  };
}

/** `ok`, or the reason of the refusal, and whether it is a denial. */
export const verdictOf = (result: Result<unknown>): string =>
  result.ok ? 'ok' : `${result.rejection.reason}${result.rejection.isDenial ? ', denied' : ''}`;
