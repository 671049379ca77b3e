import { canonicalizeEmail, maskAddress } from '../../../core/addresses.ts';
import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import type {
  ResolveRecipientRequest,
  ResolveRecipientResponse,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { deny } from '../../platform/access/access.ts';
import type { Db, Tx } from '../../platform/db/db.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import { returnAttempt, takeAttempt, type Bucket } from '../throttling/store.ts';
import type { Throttle } from '../throttling/throttle.ts';
import { findUserByEmail } from './store.ts';

type RecipientOptions = { readonly db: Db; readonly throttle: Throttle };

/**
 * Who can be paid at an address: a user who has verified it and is not disabled. All other
 * addresses get the same answer in the same time. EMAIL_INVALID, RECIPIENT_NOT_FOUND, THROTTLED.
 */
export async function resolveRecipient(
  { db, throttle }: RecipientOptions,
  request: ResolveRecipientRequest,
  { principal }: CallContext,
): Promise<Result<ResolveRecipientResponse>> {
  if (principal.kind !== 'user') return deny('a user must ask for a recipient');
  const email = canonicalizeEmail(request.email);
  if (!email.ok) return email;
  const misses = throttle.bucketOf.recipientMissesOf(principal.userId);
  const hits = throttle.bucketOf.recipientHitsOf(principal.userId);
  return db.tx(async (tx): Promise<Result<ResolveRecipientResponse>> => {
    // One of each is taken before the look-up, and one is given back after it: a refusal does not
    // depend on the address, and a hit takes as many statements as a miss.
    const miss = await takeAttempt(tx, misses.key, misses.limit);
    if (miss === undefined) return throttle.explain(tx, misses);
    const hit = await takeAttempt(tx, hits.key, hits.limit);
    if (hit === undefined) {
      await giveBack(tx, misses, miss);
      return throttle.explain(tx, hits);
    }
    const user = await findUserByEmail(tx, email.value);
    const isFound = user?.isEmailVerified === true && !user.isDisabled;
    await (isFound ? giveBack(tx, misses, miss) : giveBack(tx, hits, hit));
    if (!isFound) return notFound;
    return succeed({ userId: user.id, maskedEmail: maskAddress(user.email) });
  });
}

const giveBack = (tx: Tx, { key, limit }: Bucket, number: number): Promise<void> =>
  returnAttempt(tx, key, number, limit);

const notFound = refuse(
  'RECIPIENT_NOT_FOUND',
  'no user can be paid at this address: check it, or ask the recipient for their user id',
  { field: 'email' },
);
