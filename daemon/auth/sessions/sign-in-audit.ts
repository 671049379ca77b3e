import type { Result } from '../../../core/reasons.ts';
import type { AuditActor, AuditTrail } from '../../platform/audit/audit.ts';
import type { Db } from '../../platform/db/db.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import { canonicalizeEmail } from '../domain.ts';
import type { SignedIn } from './sessions.ts';
import type { SigningKeys } from './signing-keys.ts';
import { findUserByEmail } from '../users/store.ts';

/** Refusals that say nothing of the account: a full server can be asked without end. */
const unrecorded: ReadonlySet<string> = new Set(['OVERLOADED', 'THROTTLED', 'CANCELLED']);

/**
 * Records how a sign-in ended before the answer is sent, so that each issued token is on record.
 * The account is named by its id; an unknown address by a digest: it may be a typed password.
 */
export async function recordSignIn(
  options: { readonly db: Db; readonly trail: AuditTrail; readonly keys: SigningKeys },
  context: CallContext,
  typedEmail: string,
  result: Result<SignedIn>,
): Promise<Result<SignedIn>> {
  const { source, requestId } = context;
  if (result.ok) {
    const { user, tokens, browserToken } = result.value;
    const { sessionId } = tokens;
    const actor: AuditActor = {
      requestId,
      principal: { kind: 'user', userId: user.id, role: user.role, sessionId, apiKey: undefined },
    };
    const kind = browserToken === undefined ? {} : { kind: 'browser' };
    const details = { source, sessionId, ...kind };
    await options.trail.record(actor, {
      action: 'sign_in',
      target: user.id,
      result: 'ok',
      details,
    });
  } else if (!unrecorded.has(result.rejection.reason)) {
    const target = await nameAccount(options, typedEmail);
    const line = { action: 'sign_in', target, result: result.rejection.reason };
    const actor: AuditActor = { requestId, principal: { kind: 'anonymous' } };
    await options.trail.record(actor, { ...line, details: { source } });
  }
  return result;
}

async function nameAccount(
  { db, keys }: { readonly db: Db; readonly keys: SigningKeys },
  typedEmail: string,
): Promise<string> {
  const email = canonicalizeEmail(typedEmail);
  const canonical = email.ok ? email.value : '';
  // Looked up in any case, so that its time does not tell whether there is an account.
  const user = await db.read((tx) => findUserByEmail(tx, canonical));
  return user?.id ?? `unknown:${keys.digestText(canonical)}`;
}
