import { createHash, randomBytes, randomUUID } from 'node:crypto';

import { refuse, succeed, type Result } from '../../core/reasons.ts';
import {
  Role,
  type SignUpResponse,
  type VerifyEmailResponse,
} from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Db } from '../platform/db.ts';
import type { CallContext } from '../platform/grpc/calls.ts';
import { createAccount } from './accounts.ts';
import {
  canonicalizeCode,
  canonicalizeEmail,
  canonicalizePassword,
  formatCode,
  verificationLifeMs,
  type User,
} from './domain.ts';
import type { Passwords } from './passwords.ts';
import * as store from './store.ts';
import type { Attempted, Throttle } from './throttling/throttle.ts';
import { turnOf, type HashTurn } from './throttling/turn.ts';
import { createSignUpMail, type Post } from './verification-mail.ts';
import { keepSignUp, takeSignUp } from './verification-store.ts';
import { toWireUser } from './wire.ts';

export type SignUpOptions = {
  readonly db: Db;
  readonly passwords: Passwords;
  readonly throttle: Throttle;
  readonly isSignUpOpen: boolean;
  /** True where it is open for programs on this machine only, to try the daemon out. */
  readonly isSignUpLocal: boolean;
  /** Undefined: no mail is sent, and accounts can be used at once. */
  readonly post: Post | undefined;
};

type Caller = Pick<CallContext, 'source' | 'isLocal' | 'deadlineMs' | 'isCancelled' | 'pause'>;
type SignUpInput = { readonly email: string; readonly password: string; readonly caller: Caller };

/**
 * Opens a customer's account; or, where mail is sent, keeps the sign-up until its code comes back,
 * with an answer that does not tell whether the address has an account.
 */
export async function signUp(
  options: SignUpOptions,
  input: SignUpInput,
): Promise<Result<SignUpResponse>> {
  if (!options.isSignUpOpen) {
    return refuse('SIGN_UP_CLOSED', 'accounts are opened by the staff here: ask them for one');
  }
  if (options.isSignUpLocal && !input.caller.isLocal) return notFromHere;
  const email = canonicalizeEmail(input.email);
  if (!email.ok) return email;
  const password = canonicalizePassword(input.password);
  if (!password.ok) return password;
  const account = { email: email.value, password: password.value };
  const { throttle, post } = options;
  const { source } = input.caller;
  const turn = turnOf(input.caller, account.email);
  // Where nothing is mailed, whoever is on this host may try out as much as they like.
  const isCounted = post !== undefined || !input.caller.isLocal;
  const buckets = isCounted ? [throttle.bucketOf.signUpsFrom(source)] : [];
  const work = async (): Promise<Attempted<SignUpResponse>> => {
    if (post) return requestAccount(options, post, account, turn);
    const row = { ...account, role: 'customer', isEmailVerified: false } as const;
    const created = await createAccount({ ...options, turn }, row);
    if (!created.ok) return attempted(created);
    const user = toWireUser(created.value);
    return attempted(succeed({ user, verificationRequired: false }));
  };
  return throttle.guard(buckets, work, { turn });
}

const notFromHere = refuse(
  'SIGN_UP_CLOSED',
  'sign-up is open to programs on this machine only, and a proxy forwarded this request: ' +
    'to let anybody open an account, set SIGN_UP=open on the server',
  { setting: 'SIGN_UP' },
);

/** Each sign-up counts, save one that was not even tried. */
const attempted = <T>(result: Result<T>): Attempted<T> => ({
  outcome: !result.ok && untried.has(result.rejection.reason) ? 'void' : 'failed',
  result,
});
const untried: ReadonlySet<string> = new Set(['OVERLOADED', 'CANCELLED']);

async function requestAccount(
  { db, passwords, throttle }: SignUpOptions,
  post: Post,
  { email, password }: { readonly email: string; readonly password: string },
  turn: HashTurn,
): Promise<Attempted<SignUpResponse>> {
  const hashed = await passwords.hash(password, turn);
  if (!hashed.ok) return attempted(hashed);
  const code = formatCode(randomBytes(15));
  const signUp = {
    email,
    passwordHash: hashed.value,
    codeHash: hashCode(code),
    lifeMs: verificationLifeMs,
  };
  const mail = await db.tx(async (tx) => {
    // Past the limit nothing changes at all: a code that is under way keeps its password.
    if (!(await throttle.count(tx, throttle.bucketOf.mailsTo(email)))) return undefined;
    const isKept = await keepSignUp(tx, signUp);
    return createSignUpMail(email, isKept ? code : undefined);
  });
  if (mail) post.send(mail);
  const user = {
    // An account that is not there yet has no number, and one that is must not show.
    id: '',
    email,
    role: Role.CUSTOMER,
    disabled: false,
    emailVerified: false,
    createdAt: undefined,
    totpEnabled: false,
  };
  return attempted(succeed({ user, verificationRequired: true }));
}

/** Makes the account that waits for this code. VERIFICATION_CODE_INVALID, THROTTLED. */
export async function verifyEmail(
  { db, throttle }: SignUpOptions,
  input: { readonly code: string; readonly caller: Caller },
): Promise<Result<VerifyEmailResponse>> {
  const code = canonicalizeCode(input.code);
  const work = async (): Promise<Attempted<VerifyEmailResponse>> => {
    const user = code === undefined ? undefined : await openAccount(db, hashCode(code));
    if (user) return { outcome: 'passed', result: succeed({ user: toWireUser(user) }) };
    const message = 'no account waits for this code: it may be mistyped, used up or a day old';
    return { outcome: 'failed', result: refuse('VERIFICATION_CODE_INVALID', message) };
  };
  const turn = turnOf(input.caller, code ?? '');
  return throttle.guard([throttle.bucketOf.codesFrom(input.caller.source)], work, { turn });
}

async function openAccount(db: Db, codeHash: Buffer): Promise<User | undefined> {
  const open = db.tx(async (tx) => {
    const signUp = await takeSignUp(tx, codeHash);
    if (!signUp) return undefined;
    const account = {
      ...signUp,
      id: randomUUID(),
      role: 'customer',
      isEmailVerified: true,
    } as const;
    return store.insertUser(tx, account);
  });
  return open.catch((err: unknown) => {
    // The staff were quicker: theirs is the account.
    if (store.isEmailTaken(err)) return undefined;
    throw err;
  });
}

const hashCode = (code: string): Buffer => createHash('sha256').update(code).digest();
