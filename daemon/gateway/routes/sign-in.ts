import { z } from 'zod';

import { toUserJson } from '../../../lib/json/accounts.ts';
import {
  AuthServiceService as auth,
  RefreshSessionRequest,
  SignInRequest,
  SignUpRequest,
  VerifyEmailRequest,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { answer, defineRoute, type Route } from '../http/route.ts';
import {
  email,
  newPassword,
  password,
  tokens,
  tokensExample,
  toTokensJson,
  totpCode,
  user,
  userExample,
  userOf,
} from './account-shapes.ts';

const tag = 'sign-in';

const pending = z.object({
  email: z.string(),
  verificationRequired: z.literal(true),
  signUpToken: z.string().meta({ description: 'To be sent to `/v1/verify-email` with the code' }),
});

const signedIn = z.object({
  user,
  tokens,
  deviceToken: z.string().meta({
    description:
      'To be sent with the next sign-in: it is then not slowed down by the failures of others',
  }),
  totpEnrolmentRequired: z.boolean().meta({
    description: 'The session can do nothing but set up a second factor',
  }),
  recoveryCodesLeft: z.int().optional().meta({ description: 'After the use of a recovery code' }),
});

const deviceToken = z.string().max(4_096).optional().meta({ description: 'Of an earlier sign-in' });
const throttled = ['OVERLOADED', 'THROTTLED'] as const;

/** `/v1/sign-up`, `/v1/verify-email`, `/v1/sign-in`, `/v1/sessions/refresh` */
export const signInRoutes: readonly Route[] = [
  defineRoute({
    method: 'POST',
    path: '/v1/sign-up',
    tag,
    summary: 'Create an account for oneself',
    description:
      'If `SIGN_UP` allows it. Where the server sends mail, the account exists once ' +
      '`/v1/verify-email` got the mailed code: the answer is then 202, for any address.',
    credential: 'none',
    body: z.strictObject({ email, password: newPassword }),
    bodyExample: { email: 'ana@example.com', password: 'correct horse battery' },
    answers: {
      201: {
        description: 'The account',
        schema: user.extend({ verificationRequired: z.literal(false) }),
        example: { ...userExample, emailVerified: false, verificationRequired: false },
      },
      202: {
        description: 'A code was mailed to the address',
        schema: pending,
        example: { email: 'ana@example.com', verificationRequired: true, signUpToken: '…' },
      },
    },
    problems: ['EMAIL_INVALID', 'EMAIL_TAKEN', 'PASSWORD_INVALID', 'SIGN_UP_CLOSED', ...throttled],
    run: async ({ body, call }) => {
      const signedUp = await call('auth', auth.signUp, SignUpRequest.fromPartial(body));
      if (!signedUp.ok) return signedUp;
      const { verificationRequired, signUpToken } = signedUp.value;
      const account = userOf(signedUp.value);
      return verificationRequired
        ? answer(202, { email: account.email, verificationRequired, signUpToken })
        : answer(201, { ...toUserJson(account), verificationRequired });
    },
  }),
  defineRoute({
    method: 'POST',
    path: '/v1/verify-email',
    tag,
    summary: 'Finish a sign-up with the mailed code',
    credential: 'none',
    body: z
      .strictObject({
        code: z.string().max(100).meta({ description: 'From the mail' }),
        signUpToken: z.string().max(4_096).optional().meta({ description: 'Of the sign-up' }),
        password: password.optional().meta({ description: 'Instead: that of the sign-up' }),
      })
      .refine((body) => (body.signUpToken === undefined) !== (body.password === undefined), {
        path: ['signUpToken'],
        message: 'give either signUpToken or password',
      }),
    bodyExample: { code: 'K7QF-2M9X', signUpToken: '…' },
    answers: { 200: { description: 'The account', schema: user, example: userExample } },
    problems: ['EMAIL_TAKEN', 'VERIFICATION_CODE_INVALID', ...throttled],
    run: async ({ body, call }) => {
      const request = VerifyEmailRequest.fromPartial({
        code: body.code,
        signUpToken: body.signUpToken ?? '',
        password: body.password ?? '',
      });
      const verified = await call('auth', auth.verifyEmail, request);
      return verified.ok ? answer(200, toUserJson(userOf(verified.value))) : verified;
    },
  }),
  defineRoute({
    method: 'POST',
    path: '/v1/sign-in',
    tag,
    summary: 'Sign in, and get tokens',
    description: 'Sets no cookie: for that, see `/auth/sign-in`.',
    credential: 'none',
    body: z.strictObject({
      email,
      password,
      totpCode,
      client: z.string().max(200).optional().meta({
        description: 'Shown in the list of sessions',
        example: 'shop on build-host',
      }),
      deviceToken,
    }),
    bodyExample: { email: 'ana@example.com', password: 'correct horse battery' },
    answers: {
      200: {
        description: 'A session',
        schema: signedIn,
        example: {
          ...{ user: userExample, tokens: tokensExample },
          ...{ deviceToken: '…', totpEnrolmentRequired: false },
        },
      },
    },
    problems: [
      'CREDENTIALS_INVALID',
      'EMAIL_INVALID',
      'EMAIL_UNVERIFIED',
      ...throttled,
      'TOTP_INVALID',
      'TOTP_REQUIRED',
      'TOTP_UNREADABLE',
    ],
    run: async ({ body, call }) => {
      const { client = '', deviceToken: known = '', ...credentials } = body;
      const request = SignInRequest.fromPartial({ ...credentials, client, deviceToken: known });
      const made = await call('auth', auth.signIn, request);
      if (!made.ok) return made;
      const { deviceToken: device, totpEnrolmentRequired, recoveryCodesLeft } = made.value;
      return answer(200, {
        user: toUserJson(userOf(made.value)),
        tokens: toTokensJson(made.value),
        deviceToken: device,
        totpEnrolmentRequired,
        recoveryCodesLeft,
      });
    },
  }),
  defineRoute({
    method: 'POST',
    path: '/v1/sessions/refresh',
    tag,
    summary: 'Exchange a refresh token for its successor',
    description:
      'The same refresh token within 10 s gets the same answer. Later, it ends the session: ' +
      'another program may have copied it.',
    credential: 'none',
    body: z.strictObject({ refreshToken: z.string().max(4_096) }),
    bodyExample: { refreshToken: '…' },
    answers: {
      200: {
        description: 'The session',
        schema: z.object({ user, tokens }),
        example: { user: userExample, tokens: tokensExample },
      },
    },
    problems: ['REFRESH_TOKEN_INVALID'],
    run: async ({ body, call }) => {
      const request = RefreshSessionRequest.fromPartial(body);
      const refreshed = await call('auth', auth.refreshSession, request);
      if (!refreshed.ok) return refreshed;
      const { value } = refreshed;
      return answer(200, { user: toUserJson(userOf(value)), tokens: toTokensJson(value) });
    },
  }),
];
