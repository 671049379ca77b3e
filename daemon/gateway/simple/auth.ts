import { z } from 'zod';

import { toUserJson } from '../../../lib/json/accounts.ts';
import {
  AuthServiceService as auth,
  GetUserRequest,
  SignOutRequest,
  SignUpRequest,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { answer, defineRoute, type Answer, type Route, type ServiceCall } from '../http/route.ts';
import {
  email,
  newPassword,
  password,
  totpCode,
  user,
  userExample,
  userOf,
} from '../routes/account-shapes.ts';
import { signInBrowser } from './browser-sign-in.ts';
import { simpleStatuses } from './problems.ts';

const tag = 'simple API';

const account = z.object({ user });
const cookie = { 'Set-Cookie': 'The cookie `token` of the session' };
const signInProblems = [
  'CREDENTIALS_INVALID',
  'EMAIL_INVALID',
  'EMAIL_UNVERIFIED',
  'HOST_UNKNOWN',
  'ORIGIN_REFUSED',
  'OVERLOADED',
  'THROTTLED',
] as const;

/** `/auth/…`: the session is in the cookie `token`. */
export const simpleAuthRoutes: readonly Route[] = [
  defineRoute({
    method: 'POST',
    path: '/auth/sign-in',
    tag,
    summary: 'Sign in, and get the session cookie',
    description: 'For tokens instead of a cookie, see `/v1/sign-in`.',
    credential: 'none',
    startsSession: true,
    body: z.strictObject({ email, password, totpCode }),
    bodyExample: { email: 'ana@example.com', password: 'correct horse battery' },
    answers: {
      200: {
        description: 'Signed in',
        schema: account,
        example: { user: userExample },
        headers: cookie,
      },
    },
    problems: [...signInProblems, 'TOTP_INVALID', 'TOTP_REQUIRED', 'TOTP_UNREADABLE'],
    problemStatuses: simpleStatuses,
    run: ({ body, headers, call }) => signIn(call, body, headers),
  }),
  defineRoute({
    method: 'POST',
    path: '/auth/sign-up',
    tag,
    summary: 'Create an account, and sign in',
    description:
      'Where the server sends mail, the answer is 202: `/v1/verify-email` with the mailed code ' +
      'comes before the first sign-in.',
    credential: 'none',
    startsSession: true,
    body: z
      .strictObject({ email, password: newPassword, confirmPassword: password })
      .refine((body) => body.password === body.confirmPassword, {
        path: ['confirmPassword'],
        message: 'must be the same as password',
      }),
    bodyExample: {
      email: 'ana@example.com',
      password: 'correct horse battery',
      confirmPassword: 'correct horse battery',
    },
    answers: {
      200: {
        description: 'Signed in',
        schema: account,
        example: { user: userExample },
        headers: cookie,
      },
      202: {
        description: 'A code was mailed to the address',
        schema: z.object({ verificationRequired: z.literal(true), signUpToken: z.string() }),
        example: { verificationRequired: true, signUpToken: '…' },
      },
    },
    problems: [...signInProblems, 'EMAIL_TAKEN', 'PASSWORD_INVALID', 'SIGN_UP_CLOSED'],
    problemStatuses: simpleStatuses,
    run: async ({ body, headers, call }) => {
      const person = { email: body.email, password: body.password };
      const signedUp = await call('auth', auth.signUp, SignUpRequest.fromPartial(person));
      if (!signedUp.ok) return signedUp;
      const { verificationRequired, signUpToken } = signedUp.value;
      return verificationRequired
        ? answer(202, { verificationRequired, signUpToken })
        : signIn(call, person, headers);
    },
  }),
  defineRoute({
    method: 'POST',
    path: '/auth/sign-out',
    tag,
    summary: 'End the session, and remove its cookie',
    credential: 'required',
    body: z.strictObject({}),
    answers: {
      200: {
        description: 'Ended',
        schema: z.object({ status: z.literal(200) }),
        example: { status: 200 },
        optionalHeaders: { 'Set-Cookie': 'Ends the cookie, where the request has it' },
      },
    },
    problems: [],
    problemStatuses: simpleStatuses,
    run: async ({ call }) => {
      const ended = await call('auth', auth.signOut, SignOutRequest.fromPartial({}));
      if (!ended.ok) return ended;
      const session = { token: '', maxAgeSeconds: 0 };
      return { ok: true, status: 200, body: { status: 200 }, session };
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/auth/me',
    tag,
    summary: 'Get the user who is signed in',
    credential: 'required',
    answers: { 200: { description: 'The user', schema: account, example: { user: userExample } } },
    problems: [],
    problemStatuses: simpleStatuses,
    run: ({ call }) => getMe(call),
  }),
  defineRoute({
    method: 'POST',
    path: '/auth/refresh',
    tag,
    summary: 'Use the session, so that it does not end for want of use',
    description:
      'A session ends after 12 hours without a request, and after 30 days in any case. Its cookie ' +
      'does not change. Every other request with the cookie has the same effect.',
    credential: 'required',
    body: z.strictObject({}),
    answers: { 200: { description: 'The user', schema: account, example: { user: userExample } } },
    problems: [],
    problemStatuses: simpleStatuses,
    run: ({ call }) => getMe(call),
  }),
];

async function signIn(
  call: ServiceCall,
  person: Parameters<typeof signInBrowser>[1],
  headers: Readonly<Record<string, string | undefined>>,
): Promise<Answer> {
  const signedIn = await signInBrowser(call, person, headers['user-agent']);
  if (!signedIn.ok) return signedIn;
  const { user: who, session } = signedIn.value;
  return { ok: true, status: 200, body: { user: toUserJson(who) }, session };
}

async function getMe(call: ServiceCall): Promise<Answer> {
  const got = await call('auth', auth.getUser, GetUserRequest.fromPartial({}));
  return got.ok ? answer(200, { user: toUserJson(userOf(got.value)) }) : got;
}
