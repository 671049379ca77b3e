import { createHash, randomBytes, randomUUID } from 'node:crypto';

import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import { Role, type SignUpResponse } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Db } from '../../platform/db/db.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import { createAccount } from '../users/accounts.ts';
import { canonicalizeEmail, canonicalizePassword, codeLifeMs } from '../domain.ts';
import { appendMail } from '../mails/store.ts';
import type { Passwords } from '../users/passwords.ts';
import type { Attempted, Throttle } from '../throttling/throttle.ts';
import { fairCallerOf } from '../throttling/fair-caller.ts';
import { toWireUser } from '../wire.ts';
import { admitSignUp } from './pending-sign-ups.ts';
import { keepSignUp, listWaiting, removeSignUp } from './store.ts';

export type SignUpOptions = {
  readonly db: Db;
  readonly passwords: Passwords;
  readonly throttle: Throttle;
  readonly isSignUpOpen: boolean;
  /** True where it is open for programs on this machine only, to try the daemon out. */
  readonly isSignUpLocal: boolean;
  /** False: no mail is sent, and accounts can be used at once. */
  readonly isMailOn: boolean;
};

type SignUpInput = {
  readonly email: string;
  readonly password: string;
  readonly caller: Pick<CallContext, 'source' | 'isLocal' | 'deadlineMs' | 'isCancelled' | 'pause'>;
};

/**
 * Opens a customer's account; or, where mail is sent, keeps the sign-up until a code comes back,
 * with an answer that does not tell whether the address has an account.
 */
export async function signUp(
  options: SignUpOptions,
  input: SignUpInput,
): Promise<Result<SignUpResponse>> {
  if (!options.isSignUpOpen) {
    return refuse('SIGN_UP_CLOSED', 'accounts are opened by the staff here: ask them for one');
  }
  const { caller } = input;
  if (options.isSignUpLocal && !caller.isLocal) return notFromHere;
  const email = canonicalizeEmail(input.email);
  if (!email.ok) return email;
  const password = canonicalizePassword(input.password);
  if (!password.ok) return password;
  const account = { email: email.value, password: password.value };
  const { throttle, isMailOn } = options;
  // Where nothing is mailed, callers on this host may try out as much as they like.
  const isCounted = isMailOn || !caller.isLocal;
  const buckets = isCounted ? [throttle.bucketOf.signUpsFrom(caller.source)] : [];
  const fairCaller = fairCallerOf(caller, account.email);
  const work = async (): Promise<Attempted<SignUpResponse>> => {
    if (isMailOn) return requestAccount(options, { ...account, caller });
    const row = { ...account, role: 'customer', isEmailVerified: false } as const;
    const created = await createAccount({ ...options, fairCaller }, row);
    if (!created.ok) return attempted(created);
    const user = toWireUser(created.value);
    return attempted(succeed({ user, verificationRequired: false, signUpToken: '' }));
  };
  return throttle.guard(buckets, work, { fairCaller });
}

const notFromHere = refuse(
  'SIGN_UP_CLOSED',
  'sign-up is open to programs on this machine only, and a proxy forwarded this request: ' +
    'to open sign-up to all callers, set SIGN_UP=open on the server',
  { setting: 'SIGN_UP' },
);

/** Each sign-up counts, save one that was not even tried. */
const attempted = <T>(result: Result<T>): Attempted<T> => ({
  outcome: !result.ok && untried.has(result.rejection.reason) ? 'void' : 'failed',
  result,
});
const untried: ReadonlySet<string> = new Set(['OVERLOADED', 'CANCELLED']);

/** What the database keeps of a sign-up token: 256 random bits, which one hash protects. */
export const hashSignUpToken = (token: string): Buffer =>
  createHash('sha256').update(token).digest();

async function requestAccount(
  { db, passwords, throttle }: SignUpOptions,
  { email, password, caller }: SignUpInput,
): Promise<Attempted<SignUpResponse>> {
  const hashed = await passwords.hash(password, fairCallerOf(caller, email));
  if (!hashed.ok) return attempted(hashed);
  const signUpToken = `dws_${randomBytes(32).toString('base64url')}`;
  const network = throttle.bucketOf.signUpPlacesOf(caller.source).key;
  await db.tx(async (tx) => {
    // Sign-ups with one address take turns from here on. Past the limit nothing is mailed, but the
    // sign-up waits all the same: any code that was mailed to the address completes it.
    const isMailed = await throttle.count(tx, throttle.bucketOf.mailsTo(email));
    const waiting = await listWaiting(tx, email, codeLifeMs['sign-up']);
    const place = admitSignUp(waiting, network.toString('hex'));
    if (place.removedId !== undefined) await removeSignUp(tx, place.removedId);
    if (place.isKept) {
      await keepSignUp(tx, {
        id: randomUUID(),
        email,
        network,
        passwordHash: hashed.value,
        tokenHash: hashSignUpToken(signUpToken),
        lifeMs: codeLifeMs['sign-up'],
      });
    }
    if (isMailed) await appendMail(tx, { kind: 'sign-up-code', recipient: email });
  });
  const user = {
    // An account that does not exist yet has no id, and one that does must not show.
    id: '',
    email,
    role: Role.CUSTOMER,
    disabled: false,
    emailVerified: false,
    createdAt: undefined,
    totpEnabled: false,
  };
  return attempted(succeed({ user, verificationRequired: true, signUpToken }));
}
