import { randomUUID } from 'node:crypto';

import type { Role } from '../../../core/roles.ts';
import { createAuditTrail } from '../../../daemon/platform/audit/audit.ts';
import type { VerifiedKey } from '../../../daemon/platform/access/api-keys.ts';
import type { CallContext } from '../../../daemon/platform/grpc/calls.ts';
import { createLog } from '../../../daemon/platform/log.ts';
import type { TestDatabase } from '../postgres/database.ts';

/** The context of a call by this user; with `key`, by an API key of theirs. */
export function callAs(
  userId: string,
  role: Role = 'customer',
  key?: Partial<Pick<VerifiedKey, 'walletId' | 'operations'>>,
): CallContext {
  const apiKey: VerifiedKey | undefined = key && {
    keyId: randomUUID(),
    userId,
    role,
    scopes: [],
    walletId: undefined,
    operations: [],
    expiresAtMs: Infinity,
    hasOwnerTotp: false,
    ...key,
  };
  return {
    requestId: randomUUID(),
    principal: { kind: 'user', userId, role, sessionId: apiKey ? undefined : 's', apiKey },
    source: '127.0.0.1',
    deadlineMs: performance.now() + 20_000,
    isCancelled: () => false,
  };
}

export type AuditRow = {
  readonly actor: string;
  readonly actor_role: string;
  readonly action: string;
  readonly target: string;
  readonly result: string;
  readonly request_id: string;
  readonly details: Readonly<Record<string, string>>;
};

/** The audit log of a test's database, oldest first. */
export const readAudit = (test: Pick<TestDatabase, 'query'>): Promise<AuditRow[]> =>
  test.query<AuditRow>('SELECT * FROM audit_log ORDER BY occurred_at, id');

export const createTestTrail = (test: Pick<TestDatabase, 'db'>) =>
  createAuditTrail({ db: test.db, log: createLog('silent') });
