import { randomUUID } from 'node:crypto';

import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import type {
  VerifyEmailRequest,
  VerifyEmailResponse,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Db } from '../../platform/db/db.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import { codeLifeMs, normalizePassword, type User } from '../domain.ts';
import { dropCodes, hashTypedCode, returnGuess, takeCode, takeGuess } from '../mails/codes.ts';
import * as store from '../store.ts';
import type { Attempted } from '../throttling/throttle.ts';
import { fairCallerOf, type FairCaller } from '../throttling/fair-caller.ts';
import { toWireUser } from '../wire.ts';
import { hashSignUpToken, type SignUpOptions } from './sign-up.ts';
import { listSignUps, lockSignUps, removeSignUps, type PendingSignUp } from './store.ts';

/** Uses of one code with a wrong password or token, after which it is void. */
const maxGuesses = 20;

/**
 * Makes the account of the sign-up whose token or password comes with a code that was mailed to its
 * address. The code alone proves access to the mailbox, not that its reader signed up: other
 * callers can sign up with the same address. VERIFICATION_CODE_INVALID, THROTTLED.
 */
export async function verifyEmail(
  options: SignUpOptions,
  request: VerifyEmailRequest,
  caller: Pick<CallContext, 'source' | 'deadlineMs' | 'isCancelled' | 'pause'>,
): Promise<Result<VerifyEmailResponse>> {
  const { throttle } = options;
  // No account is known before the code is: the network is all that the turns go by.
  const fairCaller = fairCallerOf(caller, '');
  const buckets = [throttle.bucketOf.codesFrom(caller.source)];
  return throttle.guard(buckets, () => tryCode(options, request, fairCaller), { fairCaller });
}

const failed = {
  outcome: 'failed' as const,
  result: refuse(
    'VERIFICATION_CODE_INVALID',
    'no sign-up waits for this code together with this password or sign-up token: the code may be ' +
      'mistyped, used or more than a day old, or the sign-up another one',
  ),
};

async function tryCode(
  options: SignUpOptions,
  request: VerifyEmailRequest,
  fairCaller: FairCaller,
): Promise<Attempted<VerifyEmailResponse>> {
  const { db } = options;
  const hasSecret = request.signUpToken !== '' || request.password !== '';
  const codeHash = hasSecret ? hashTypedCode(request.code) : undefined;
  const lifeMs = codeLifeMs['sign-up'];
  // Counted before it is checked, so that many at once are no way past the limit.
  const found = codeHash && (await db.tx((tx) => takeGuess(tx, codeHash, 'sign-up', maxGuesses)));
  if (!codeHash || found === undefined) return failed;
  const pending = await db.read((tx) => listSignUps(tx, found, lifeMs));
  const chosen = await findSignUp(options, pending, request, fairCaller);
  if (!chosen.ok) {
    await db.tx((tx) => returnGuess(tx, codeHash));
    return { outcome: 'void', result: chosen };
  }
  if (!chosen.value) return failed;
  const user = await openAccount(db, { email: found, codeHash }, chosen.value);
  return user ? { outcome: 'passed', result: succeed({ user: toWireUser(user) }) } : failed;
}

/** The sign-up that a token or a password belongs to. */
async function findSignUp(
  { passwords }: SignUpOptions,
  pending: readonly PendingSignUp[],
  { signUpToken, password }: VerifyEmailRequest,
  fairCaller: FairCaller,
): Promise<Result<PendingSignUp | undefined>> {
  const hash = hashSignUpToken(signUpToken);
  const byToken = pending.find(({ tokenHash }) => tokenHash.equals(hash));
  const normalized = normalizePassword(password);
  if (byToken || password === '' || normalized === undefined) return succeed(byToken);
  for (const candidate of pending) {
    const verified = await passwords.verify(candidate.passwordHash, normalized, fairCaller);
    if (!verified.ok) return verified;
    if (verified.value.isMatch) return succeed(candidate);
  }
  return succeed(undefined);
}

/** Opens the account, and makes void what else waits for the address. */
async function openAccount(
  db: Db,
  { email, codeHash }: { readonly email: string; readonly codeHash: Buffer },
  { id, passwordHash }: PendingSignUp,
): Promise<User | undefined> {
  const open = db.tx(async (tx) => {
    // Two codes for one address at once take turns; the second finds nothing that waits.
    if (!(await lockSignUps(tx, email)).includes(id)) return undefined;
    if (!(await takeCode(tx, codeHash, 'sign-up', email))) return undefined;
    await removeSignUps(tx, email);
    await dropCodes(tx, 'sign-up', email);
    const role = 'customer' as const;
    const account = { id: randomUUID(), email, passwordHash, role, isEmailVerified: true };
    return store.insertUser(tx, account);
  });
  return open.catch((err: unknown) => {
    // The staff made the account meanwhile, and theirs it is.
    if (store.isEmailTaken(err)) return undefined;
    throw err;
  });
}
