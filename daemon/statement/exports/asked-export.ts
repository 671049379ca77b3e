import { uuidV5 } from '../../../core/ids.ts';
import { reasonCodes, refuse, type Rejection } from '../../../core/reasons.ts';
import type { Handling } from '../../platform/broker/broker.ts';
import { createTransientRejection } from '../../platform/transient-rejection.ts';
import type { AskedStatement } from '../projection/messages.ts';
import { createExport, type CreateOptions } from './create.ts';

/** Namespace of the keys that messages give to exports: a fixed random UUID. */
const keyNamespace = 'b9a5a0c3-2d52-4a5e-9a3b-6f1c7d0e4b21';

/**
 * Queues the export that a message asks for: of the user's wallet in the default currency, from a
 * date until now, in UTC, as CSV, by mail to the user. The user counts as its requester. The same
 * message again finds the same export.
 */
export async function createAskedExport(
  options: CreateOptions,
  asked: AskedStatement,
): Promise<Handling> {
  const { userId, fromMs, key } = asked;
  if (!options.canMail) return { kind: 'dead', reason: 'MAIL_NOT_CONFIGURED', field: 'body' };
  const user = await options.peers.findUser(userId).catch((cause: unknown) => {
    throw createTransientRejection(authUnavailable, cause);
  });
  if (!user) return { kind: 'dead', reason: 'USER_NOT_FOUND', field: 'data.userId' };
  const principal = { kind: 'user', userId, role: user.role } as const;
  const idempotencyKey = `message:${uuidV5(keyNamespace, key)}`;
  const created = await createExport(
    options,
    {
      ...{ userId, currency: '', fromMs, toMs: undefined, timezone: 'UTC', locale: '' },
      ...{ format: 'csv', shallMail: true, hasByteOrderMark: false, idempotencyKey },
      ...{ isDryRun: false, canReuse: false, hasHolds: false },
    },
    {
      principal: { ...principal, sessionId: undefined, apiKey: undefined },
      requestId: idempotencyKey,
    },
  );
  return created.ok ? { kind: 'done' } : toHandling(created.rejection);
}

/** The fields of the message, by their names in a call. */
const fieldPaths: Readonly<Record<string, string>> = {
  from: 'data.maxDate',
  to: 'data.maxDate',
  idempotency_key: 'messageId',
};

/** A refusal that will pass holds the message; throws where it concerns all messages. */
function toHandling(rejection: Rejection): Handling {
  const { reason, metadata } = rejection;
  switch (reasonCodes[reason]) {
    case 'UNAVAILABLE':
    case 'ABORTED':
    case 'DEADLINE_EXCEEDED':
      throw createTransientRejection(rejection);
    case 'RESOURCE_EXHAUSTED':
    case 'INTERNAL':
      return { kind: 'held' };
    default: {
      const field = fieldPaths[metadata['field'] ?? ''] ?? 'data.userId';
      return { kind: 'dead', reason, field };
    }
  }
}

const { rejection: authUnavailable } = refuse(
  'AUTH_UNAVAILABLE',
  'the auth service is unavailable: nothing was done, try again',
);
