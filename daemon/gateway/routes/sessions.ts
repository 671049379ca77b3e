import { z } from 'zod';

import { canonicalId } from '../../../core/ids.ts';
import { toApiKeyJson, toSessionJson, toUserJson } from '../../../lib/json/accounts.ts';
import { nameRole } from '../../../lib/json/names.ts';
import {
  AuthServiceService as auth,
  ChangePasswordRequest,
  GetUserRequest,
  ListSessionsRequest,
  RevokeSessionRequest,
  SignOutRequest,
  ValidateTokenRequest,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { page, time, user as ofUser, uuid } from '../http/fields.ts';
import { readPage, toPage } from '../http/pages.ts';
import { answer, defineRoute, type Answer, type Route, type RouteInput } from '../http/route.ts';
import {
  newPassword,
  password,
  present,
  role,
  user,
  userExample,
  userOf,
} from './account-shapes.ts';
import { apiKey } from './api-keys.ts';

const tag = 'sessions';

const session = z.object({
  id: uuid,
  userId: uuid,
  client: z.string().optional().meta({ description: 'As the client named itself at sign-in' }),
  createdAt: time,
  lastUsedAt: time,
  expiresAt: time,
  current: z.boolean().meta({ description: 'The session of this request' }),
  kind: z.enum(['tokens', 'browser']).meta({ description: 'What it was given: tokens, a cookie' }),
});

const sessionExample = {
  id: '2f9f5b0e-6c1d-4e0a-9a38-7b1f5d0c4e21',
  userId: userExample.id,
  client: 'shop on build-host',
  createdAt: '2026-11-22T21:42:10.123Z',
  lastUsedAt: '2026-11-22T21:42:10.123Z',
  expiresAt: '2026-12-22T21:42:10.123Z',
  current: true,
  kind: 'tokens',
};

const me = z.object({
  user: z.object({ id: uuid, role }).extend(user.partial().omit({ id: true, role: true }).shape),
  credential: z.object({
    kind: z.enum(['session', 'api-key']),
    expiresAt: time.optional().meta({ description: 'Of the access token, or the API key' }),
    sessionId: uuid.optional(),
    apiKey: apiKey.optional(),
    totpEnrolmentRequired: z.boolean(),
  }),
});

const changed = z.object({
  changed: z.literal(true),
  otherSessionsRevoked: z.boolean(),
  revokedSessions: z.int(),
  revokedApiKeys: z.int(),
  keptSessions: z.int(),
  keptApiKeys: z.int(),
  deviceToken: z.string().optional().meta({ description: 'Replaces that of the sign-in' }),
});

/** `/v1/me` and `/v1/sessions` */
export const sessionRoutes: readonly Route[] = [
  defineRoute({
    method: 'GET',
    path: '/v1/me',
    tag,
    summary: 'Get the user and credential of this request',
    description: 'An API key without the scope `users:read` gets id and role of its owner only.',
    credential: 'required',
    answers: {
      200: {
        description: 'The caller',
        schema: me,
        example: {
          user: userExample,
          credential: {
            ...{ kind: 'session', expiresAt: '2026-11-22T21:57:10.000Z' },
            ...{ sessionId: sessionExample.id, totpEnrolmentRequired: false },
          },
        },
      },
    },
    problems: [],
    run: getMe,
  }),
  defineRoute({
    method: 'PUT',
    path: '/v1/me/password',
    tag,
    summary: 'Change one’s password',
    description: 'The session of this request goes on.',
    credential: 'required',
    body: z.strictObject({
      oldPassword: password,
      newPassword,
      revokeOtherSessions: z.boolean().optional(),
      revokeApiKeys: z.boolean().optional(),
    }),
    bodyExample: {
      oldPassword: 'correct horse battery',
      newPassword: 'wrong donkey staple',
      revokeOtherSessions: true,
    },
    answers: {
      200: {
        description: 'Changed',
        schema: changed,
        example: {
          ...{ changed: true, otherSessionsRevoked: true, revokedSessions: 2, revokedApiKeys: 0 },
          ...{ keptSessions: 0, keptApiKeys: 1, deviceToken: '…' },
        },
      },
    },
    problems: ['CREDENTIALS_INVALID', 'OVERLOADED', 'PASSWORD_INVALID', 'THROTTLED'],
    run: async ({ body, call }) => {
      const { revokeOtherSessions = false, revokeApiKeys = false, ...passwords } = body;
      const revoked = { revokeOtherSessions, revokeApiKeys };
      const request = ChangePasswordRequest.fromPartial({ ...passwords, ...revoked });
      const done = await call('auth', auth.changePassword, request);
      if (!done.ok) return done;
      const { deviceToken, ...counts } = done.value;
      return answer(200, {
        changed: true,
        otherSessionsRevoked: revokeOtherSessions,
        ...counts,
        ...(deviceToken === '' ? {} : { deviceToken }),
      });
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/v1/sessions',
    tag,
    summary: 'List sessions, newest first',
    description: 'The caller’s own; admins can name another user.',
    credential: 'required',
    query: z.strictObject({ user: ofUser, ...page }),
    answers: {
      200: {
        description: 'A page',
        schema: z.object({ items: z.array(session), nextPageToken: z.string().optional() }),
        example: { items: [sessionExample] },
        optionalHeaders: { Link: 'The next page, with rel="next"' },
      },
    },
    problems: ['PAGE_TOKEN_INVALID', 'USER_NOT_FOUND'],
    run: async ({ query, call }) => {
      const request = { userId: query.user ?? '', ...readPage(query) };
      const listed = await call(
        'auth',
        auth.listSessions,
        ListSessionsRequest.fromPartial(request),
      );
      if (!listed.ok) return listed;
      const items = listed.value.sessions.map(toSessionJson);
      return toPage('/v1/sessions', query, items, listed.value.nextPageToken);
    },
  }),
  defineRoute({
    method: 'DELETE',
    path: '/v1/sessions/current',
    tag,
    summary: 'Sign out',
    description: 'Ends the session of this request; its tokens are void at once.',
    credential: 'required',
    answers: { 204: { description: 'Ended' } },
    problems: [],
    run: async ({ call }) => {
      const ended = await call('auth', auth.signOut, SignOutRequest.fromPartial({}));
      if (!ended.ok) return ended;
      return { ok: true, status: 204, session: { token: '', maxAgeSeconds: 0 } };
    },
  }),
  defineRoute({
    method: 'DELETE',
    path: '/v1/sessions/:id',
    tag,
    fieldNames: { session_id: 'id' },
    summary: 'End a session',
    credential: 'required',
    params: z.strictObject({ id: uuid }),
    answers: {
      200: {
        description: 'How many were ended: 0 if it had ended before',
        schema: z.object({ revoked: z.int() }),
        example: { revoked: 1 },
      },
    },
    problems: ['SESSION_NOT_FOUND'],
    run: async ({ params, call }) => {
      const target = { $case: 'sessionId', value: canonicalId(params.id) } as const;
      const request = RevokeSessionRequest.fromPartial({ target });
      const ended = await call('auth', auth.revokeSession, request);
      return ended.ok ? answer(200, { revoked: ended.value.revoked }) : ended;
    },
  }),
];

/** An API key that may not look its owner up is not asked to: that would be a denial in the log. */
async function getMe({
  call,
  callOptions,
}: RouteInput<unknown, unknown, unknown>): Promise<Answer> {
  const tokenOf = (): string => (callOptions.authorization ?? '').replace(/^Bearer /, '');
  const validate = () => {
    const request = ValidateTokenRequest.fromPartial({ accessToken: tokenOf() });
    return call('auth', auth.validateToken, request);
  };
  const getUser = () => call('auth', auth.getUser, GetUserRequest.fromPartial({}));
  if (!tokenOf().startsWith('dwk_')) {
    // First, since it may be answered with another access token than the one that was kept.
    const got = await getUser();
    if (!got.ok) return got;
    const validated = await validate();
    if (!validated.ok) return validated;
    const { sessionId, expiresAt, totpEnrolmentRequired } = validated.value;
    const credential = { kind: 'session', expiresAt, sessionId, totpEnrolmentRequired };
    return answer(200, { user: toUserJson(userOf(got.value)), credential });
  }
  const validated = await validate();
  if (!validated.ok) return validated;
  const { userId, totpEnrolmentRequired } = validated.value;
  const key = present(validated.value.apiKey, 'API key');
  const got = key.scopes.includes('users:read') ? await getUser() : undefined;
  if (got && !got.ok) return got;
  const owner = got
    ? toUserJson(userOf(got.value))
    : { id: userId, role: nameRole(validated.value.role) };
  const { expiresAt } = key;
  const shown = { kind: 'api-key', expiresAt, apiKey: toApiKeyJson(key), totpEnrolmentRequired };
  return answer(200, { user: owner, credential: shown });
}
