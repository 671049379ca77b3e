import { z } from 'zod';

import { canonicalId } from '../../../core/ids.ts';
import { apiKeyScopes } from '../../../core/scopes.ts';
import { toApiKeyJson } from '../../../lib/json/accounts.ts';
import {
  AuthServiceService as auth,
  CreateApiKeyRequest,
  ListApiKeysRequest,
  RevokeApiKeyRequest,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { operation, page, time, timeOf, user, uuid } from '../http/fields.ts';
import { readPage, toPage } from '../http/pages.ts';
import { answer, defineRoute, type Route } from '../http/route.ts';
import { present, userExample } from './account-shapes.ts';

const tag = 'API keys';
const defaultLifeMs = 90 * 86_400_000;

/** docs/cli.md, "JSON": an API key. */
export const apiKey = z.object({
  id: uuid,
  ownerId: uuid,
  name: z.string(),
  prefix: z.string().meta({ description: 'The start of the secret, to recognize it by' }),
  scopes: z.array(z.enum(apiKeyScopes)),
  walletId: uuid.optional().meta({ description: 'The only wallet that it reaches' }),
  operations: z.array(operation).optional().meta({ description: 'The only ones; absent: all' }),
  createdAt: time,
  expiresAt: time,
  lastUsedAt: time.optional(),
  revoked: z.boolean(),
});

const example = {
  id: '6f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f9',
  ownerId: userExample.id,
  name: 'shop',
  prefix: 'dwk_1a2b3c4d',
  scopes: ['transactions:write'],
  operations: ['purchase'],
  createdAt: '2026-11-22T21:42:10.123Z',
  expiresAt: '2027-02-20T21:42:10.123Z',
  revoked: false,
};

/** `/v1/api-keys` */
export const apiKeyRoutes: readonly Route[] = [
  defineRoute({
    method: 'GET',
    path: '/v1/api-keys',
    tag,
    summary: 'List API keys, newest first, without their secrets',
    description: 'The caller’s own; admins can name another user.',
    credential: 'required',
    query: z.strictObject({ user, ...page }),
    answers: {
      200: {
        description: 'A page',
        schema: z.object({ items: z.array(apiKey), nextPageToken: z.string().optional() }),
        example: { items: [example] },
        optionalHeaders: { Link: 'The next page, with rel="next"' },
      },
    },
    problems: ['PAGE_TOKEN_INVALID', 'USER_NOT_FOUND'],
    run: async ({ query, call }) => {
      const request = { ownerId: query.user ?? '', ...readPage(query) };
      const listed = await call('auth', auth.listApiKeys, ListApiKeysRequest.fromPartial(request));
      if (!listed.ok) return listed;
      const items = listed.value.apiKeys.map(toApiKeyJson);
      return toPage('/v1/api-keys', query, items, listed.value.nextPageToken);
    },
  }),
  defineRoute({
    method: 'POST',
    path: '/v1/api-keys',
    tag,
    summary: 'Create an API key',
    description:
      'A key has its owner’s permissions within its scopes, and cannot change accounts. The ' +
      'secret is in this answer only.',
    credential: 'required',
    body: z.strictObject({
      name: z.string().max(1_000).meta({ description: 'What it is for' }),
      scopes: z.array(z.enum(apiKeyScopes)).min(1, 'must have at least one').max(100),
      walletId: uuid.optional().meta({ description: 'The only wallet that it shall reach' }),
      operations: z.array(operation).max(100).optional().meta({
        description: 'The only operations that it shall make; default all of its owner',
      }),
      expiresAt: time.optional().meta({
        description: 'At most 366 days ahead; default 90 days',
      }),
    }),
    bodyExample: { name: 'shop', scopes: ['transactions:write'], operations: ['purchase'] },
    answers: {
      201: {
        description: 'Created',
        schema: apiKey.extend({ secret: z.string() }),
        example: { ...example, secret: 'dwk_1a2b3c4d_…' },
      },
    },
    problems: ['API_KEY_LIMIT'],
    run: async ({ body, call }) => {
      const expiresAt = timeOf(body.expiresAt, 'expiresAt');
      if (!expiresAt.ok) return expiresAt;
      const request = CreateApiKeyRequest.fromPartial({
        name: body.name,
        scopes: body.scopes,
        walletId: body.walletId === undefined ? undefined : canonicalId(body.walletId),
        operations: body.operations ?? [],
        expiresAt: expiresAt.value ?? new Date(Date.now() + defaultLifeMs),
      });
      const created = await call('auth', auth.createApiKey, request);
      if (!created.ok) return created;
      const { apiKey: key, secret } = created.value;
      return answer(201, { ...toApiKeyJson(present(key, 'API key')), secret });
    },
  }),
  defineRoute({
    method: 'DELETE',
    path: '/v1/api-keys/:id',
    tag,
    summary: 'Revoke an API key, permanently',
    credential: 'required',
    params: z.strictObject({ id: uuid }),
    answers: {
      200: {
        description: 'The key',
        schema: apiKey,
        example: { ...example, revoked: true },
      },
    },
    problems: ['API_KEY_NOT_FOUND'],
    run: async ({ params, call }) => {
      const request = RevokeApiKeyRequest.fromPartial({ apiKeyId: canonicalId(params.id) });
      const revoked = await call('auth', auth.revokeApiKey, request);
      if (!revoked.ok) return revoked;
      return answer(200, toApiKeyJson(present(revoked.value.apiKey, 'API key')));
    },
  }),
];
