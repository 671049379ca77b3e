import { StatementServiceService } from '../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { createAuditTrail } from '../platform/audit.ts';
import { createAuditHandlers } from '../platform/audit-wire.ts';
import { createDeadLetterHandlers } from '../platform/dead-letter-wire.ts';
import { createDeadLetters } from '../platform/dead-letters.ts';
import type { Db } from '../platform/db.ts';
import type { HostedService } from '../platform/grpc/server.ts';
import type { Log } from '../platform/log.ts';
import type { ReadHead } from './generate.ts';
import { createHandlers } from './handlers.ts';
import { policies } from './policy.ts';
import { createProjection } from './projection.ts';

export type StatementOptions = {
  readonly db: Db;
  readonly peers: { readonly readHead: ReadHead };
  readonly config: {
    readonly defaultCurrency: string;
    readonly inlineDays: number;
    readonly queue: string;
  };
  readonly log: Log;
};

/** Statements, projected from the ledger's events. */
export function createStatement({ db, peers, config, log }: StatementOptions) {
  const projection = createProjection(db, config.queue);
  const trail = createAuditTrail({ db, log });
  const deadLetters = createDeadLetters({ db, handle: projection.handle });
  const service: HostedService = {
    name: 'digitalwallet.statement.v1.StatementService',
    definition: StatementServiceService,
    handlers: {
      ...createHandlers({ db, trail, readHead: peers.readHead, ...config }),
      ...createDeadLetterHandlers(deadLetters),
      ...createAuditHandlers({ db }),
    },
    policies,
    onDenied: trail.recordDenial,
  };
  return {
    service,
    consumers: [projection],
    start: () => undefined,
    stop: () => Promise.resolve(),
  };
}
