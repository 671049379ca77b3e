import type { StatementServiceServer } from '../../protos/gen/digitalwallet/statement/v1/statement.ts';
import type { Policies } from '../platform/grpc/server.ts';

const allRoles = ['customer', 'operator', 'admin'] as const;
const staff = ['operator', 'admin'] as const;
const admins = ['admin'] as const;

/** Who may call what. Customers reach their own statements only; the handlers see to that. */
export const policies: Policies<StatementServiceServer> = {
  generateStatement: { roles: allRoles, scope: 'statements:read' },
  watchLines: { roles: allRoles, scope: 'statements:read' },
  searchLines: { roles: allRoles, scope: 'statements:read' },
  createExport: { roles: allRoles, scope: 'statements:read' },
  getExport: { roles: allRoles, scope: 'statements:read' },
  listExports: { roles: allRoles, scope: 'statements:read' },
  downloadExport: { roles: allRoles, scope: 'statements:read' },
  verifyProjection: { roles: admins, service: true },
  rebuildProjection: { roles: admins, service: true },
  listDeadLetters: { roles: staff, scope: 'dead-letters:read' },
  replayDeadLetters: { roles: staff, scope: 'dead-letters:write' },
  discardDeadLetters: { roles: staff, scope: 'dead-letters:write' },
  listAuditEvents: { roles: admins },
  getStatus: { roles: allRoles, scope: 'any' },
};
