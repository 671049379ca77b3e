import type { StatementServiceServer } from '../../protos/gen/digitalwallet/statement/v1/statement.ts';
import type { Policies } from '../platform/grpc/server.ts';

/** Who may call what. Customers reach their own statements only; the handlers see to that. */
export const policies: Policies<StatementServiceServer> = {
  generateStatement: ['customer', 'operator', 'admin'],
  createExport: ['customer', 'operator', 'admin'],
  getExport: ['customer', 'operator', 'admin'],
  listExports: ['customer', 'operator', 'admin'],
  downloadExport: ['customer', 'operator', 'admin'],
  verifyProjection: ['admin', 'service'],
  rebuildProjection: ['admin', 'service'],
  listDeadLetters: ['operator', 'admin'],
  replayDeadLetters: ['operator', 'admin'],
  discardDeadLetters: ['operator', 'admin'],
};
