import { z } from 'zod';

import { canonicalId } from '../../../core/ids.ts';
import { toUserJson } from '../../../lib/json/accounts.ts';
import { roleNumbers } from '../../../lib/json/names.ts';
import {
  AuthServiceService as auth,
  CreateUserRequest,
  GetUserRequest,
  ListUsersRequest,
  UpdateUserRequest,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { page, uuid } from '../http/fields.ts';
import { readPage, toPage } from '../http/pages.ts';
import { answer, defineRoute, type Route } from '../http/route.ts';
import { email, newPassword, role, user, userExample, userOf } from './account-shapes.ts';

const tag = 'users';
const params = z.strictObject({ id: uuid });

/** `/v1/users` */
export const userRoutes: readonly Route[] = [
  defineRoute({
    method: 'GET',
    path: '/v1/users',
    tag,
    summary: 'List users, newest first (staff)',
    credential: 'required',
    query: z.strictObject({
      role: role.optional(),
      email: email.optional().meta({ description: 'The user with this address, verified or not' }),
      ...page,
    }),
    answers: {
      200: {
        description: 'A page',
        schema: z.object({ items: z.array(user), nextPageToken: z.string().optional() }),
        example: { items: [userExample] },
        optionalHeaders: { Link: 'The next page, with rel="next"' },
      },
    },
    problems: ['EMAIL_INVALID', 'PAGE_TOKEN_INVALID'],
    run: async ({ query, call }) => {
      const request = ListUsersRequest.fromPartial({
        ...(query.role ? { role: roleNumbers[query.role] } : {}),
        email: query.email ?? '',
        ...readPage(query),
      });
      const listed = await call('auth', auth.listUsers, request);
      if (!listed.ok) return listed;
      const items = listed.value.users.map(toUserJson);
      return toPage('/v1/users', query, items, listed.value.nextPageToken);
    },
  }),
  defineRoute({
    method: 'POST',
    path: '/v1/users',
    tag,
    summary: 'Create a user (staff)',
    description: 'Operators create customers; admins users of every role.',
    credential: 'required',
    body: z.strictObject({
      email,
      password: newPassword,
      role: role.optional().meta({ description: 'Default: customer' }),
    }),
    bodyExample: { email: 'ana@example.com', password: 'correct horse battery' },
    answers: {
      201: {
        description: 'Created',
        schema: user,
        example: userExample,
        headers: { Location: 'The path of the user' },
      },
    },
    problems: ['EMAIL_INVALID', 'EMAIL_TAKEN', 'OVERLOADED', 'PASSWORD_INVALID'],
    run: async ({ body, call }) => {
      const request = { ...body, role: roleNumbers[body.role ?? 'customer'] };
      const created = await call('auth', auth.createUser, CreateUserRequest.fromPartial(request));
      if (!created.ok) return created;
      const account = userOf(created.value);
      const headers = { location: `/v1/users/${account.id}` };
      return { ...answer(201, toUserJson(account)), headers };
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/v1/users/:id',
    tag,
    fieldNames: { user_id: 'id' },
    summary: 'Get a user (others than oneself: staff)',
    credential: 'required',
    params,
    answers: { 200: { description: 'The user', schema: user, example: userExample } },
    problems: ['USER_NOT_FOUND'],
    run: async ({ params: { id }, call }) => {
      const request = GetUserRequest.fromPartial({ userId: canonicalId(id) });
      const got = await call('auth', auth.getUser, request);
      return got.ok ? answer(200, toUserJson(userOf(got.value))) : got;
    },
  }),
  defineRoute({
    method: 'PATCH',
    path: '/v1/users/:id',
    tag,
    fieldNames: { user_id: 'id' },
    summary: 'Change the role of a user, or disable or enable one (admins)',
    description:
      'Disabling ends the sessions of the user, and the API keys stop working. With another role ' +
      'the access tokens are void, and the sessions go on.',
    credential: 'required',
    params,
    body: z
      .strictObject({ role: role.optional(), disabled: z.boolean().optional() })
      .refine(({ role: newRole, disabled }) => newRole !== undefined || disabled !== undefined, {
        path: ['role'],
        message: 'give role, disabled or both',
      }),
    bodyExample: { disabled: true },
    answers: { 200: { description: 'The user', schema: user, example: userExample } },
    problems: ['LAST_ADMIN', 'USER_NOT_FOUND'],
    run: async ({ params: { id }, body, call }) => {
      const request = UpdateUserRequest.fromPartial({
        userId: canonicalId(id),
        role: body.role && roleNumbers[body.role],
        disabled: body.disabled,
      });
      const updated = await call('auth', auth.updateUser, request);
      return updated.ok ? answer(200, toUserJson(userOf(updated.value))) : updated;
    },
  }),
];
