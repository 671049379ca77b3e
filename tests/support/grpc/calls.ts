import { randomUUID } from 'node:crypto';

import type { Role } from '../../../core/roles.ts';
import { createAuditTrail } from '../../../daemon/platform/audit/audit.ts';
import type { AuditEvent } from '../../../daemon/platform/audit/events.ts';
import { listAuditEvents } from '../../../daemon/platform/audit/rows.ts';
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

const allLines = { actor: '', target: '', action: '', fromMs: undefined, toMs: undefined };

/** The lines of the audit log of a test's database, oldest first. */
export async function readAudit(test: Pick<TestDatabase, 'db'>): Promise<AuditEvent[]> {
  const lines = await test.db.read((tx) => listAuditEvents(tx, allLines, undefined, 10_000));
  return lines.reverse();
}

export const createTestTrail = (test: Pick<TestDatabase, 'db'>) =>
  createAuditTrail({ db: test.db, log: createLog('silent') });
