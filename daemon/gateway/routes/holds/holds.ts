import { z } from 'zod';

import { canonicalId } from '../../../../core/ids.ts';
import { holdStateNames, holdStateOf, toHoldJson } from '../../../../lib/json/holds.ts';
import {
  GetHoldRequest,
  ListHoldsRequest,
  WalletServiceService as wallet,
  type Hold,
} from '../../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { currency, page, pageOf, user, uuid } from '../../http/fields.ts';
import { requireIdempotencyKey } from '../../http/idempotency.ts';
import { readPage, toPage } from '../../http/pages.ts';
import { found, type Found } from '../../http/problems.ts';
import { answer, defineRoute, type Route, type ServiceCall } from '../../http/route.ts';
import { itemFields, toItem } from '../transaction-item.ts';
import {
  createTransaction,
  transaction,
  transactionExample,
  transactionRefusals,
} from '../transactions.ts';
import { holdExample, holdShape } from './hold-shape.ts';

const tag = 'holds';
const params = z.strictObject({ id: uuid });
/** A hold is the `id` of the path. */
const fieldNames = { hold_id: 'id', parent_id: 'id' };

const { amount, description, reference, metadata, force } = itemFields;
const texts = { description, reference, metadata, dryRun: z.boolean().optional() };
const placed = {
  ...{ ...transactionExample, id: holdExample.id, seq: 2, operation: 'hold', amount: '50.00' },
  ...{ direction: 'none', balanceAfter: '100.00', held: '50.00', heldAfter: '50.00' },
  availableAfter: '50.00',
  hold: holdExample,
};
const captured = {
  ...{ ...transactionExample, seq: 3, operation: 'capture', amount: '30.00' },
  ...{ direction: 'out', balanceAfter: '70.00', parentId: holdExample.id },
  ...{ held: '-50.00', heldAfter: '0.00', availableAfter: '70.00' },
  hold: {
    ...{ ...holdExample, captured: '30.00', left: '0.00', state: 'captured' },
    closedAt: '2026-11-23T09:00:00.000Z',
  },
};
const released = {
  ...{ ...transactionExample, seq: 3, operation: 'release', amount: '50.00' },
  ...{ direction: 'none', balanceAfter: '100.00', parentId: holdExample.id },
  ...{ held: '-50.00', heldAfter: '0.00', availableAfter: '100.00' },
  hold: {
    ...{ ...holdExample, left: '0.00', state: 'released' },
    closedAt: '2026-11-23T09:00:00.000Z',
  },
};

const placeRoute = (defaultCurrency: string): Route =>
  defineRoute({
    method: 'POST',
    path: '/v1/holds',
    tag,
    summary: 'Place a hold: reserve money (staff)',
    description:
      'Who is paid by captures, and when the hold ends, are fixed when it is placed. From its end ' +
      'on the money can be spent again, at once.',
    credential: 'required',
    idempotency: 'required',
    body: z.strictObject({
      user,
      currency: currency.optional(),
      amount,
      merchant: itemFields.merchant.meta({ description: 'Who is paid: a merchant' }),
      toUserId: itemFields.toUserId.meta({ description: 'Who is paid: a user' }),
      via: itemFields.via.meta({ description: 'Who is paid: an account outside' }),
      expiresAt: itemFields.expiresAt,
      expiresInSeconds: itemFields.expiresInSeconds,
      force,
      ...texts,
    }),
    bodyExample: { user: holdExample.userId, amount: '50.00', merchant: 'Hotel Sol' },
    answers: {
      200: { description: 'It had been placed before, or a dry run', schema: transaction },
      201: { description: 'Placed', schema: transaction, example: placed },
    },
    problems: transactionRefusals,
    run: async ({ body: { dryRun = false, ...body }, headers, call }) => {
      const key = requireIdempotencyKey(headers['idempotency-key']);
      if (!key.ok) return key;
      const item = toItem({ ...body, operation: 'hold' }, key.value, defaultCurrency);
      return item.ok ? createTransaction(call, item.value, dryRun, '/v1/holds') : item;
    },
  });

const useFields = {
  user: z.string().max(36).optional().meta({
    description: 'Whose wallet; default: looked up, for which a key needs `wallets:read`',
  }),
  currency: currency.optional().meta({ description: 'As `user`' }),
  amount: amount.optional().meta({ description: 'Default: all that is left of the hold' }),
  ...texts,
};

const captureRoute: Route = defineRoute({
  method: 'POST',
  path: '/v1/holds/:id/capture',
  tag,
  summary: 'Capture a hold, or a part of it (staff)',
  description: 'The rest is released, unless `keepRest` says that it stays reserved.',
  credential: 'required',
  idempotency: 'required',
  params,
  body: z.strictObject({ ...useFields, keepRest: itemFields.keepRest }),
  bodyExample: { amount: '30.00' },
  answers: {
    200: { description: 'It had been made before, or a dry run', schema: transaction },
    201: { description: 'Captured', schema: transaction, example: captured },
  },
  problems: transactionRefusals,
  fieldNames,
  run: ({ params: { id }, body, headers, call }) =>
    useHold(call, 'capture', id, body, headers['idempotency-key']),
});

const releaseRoute: Route = defineRoute({
  method: 'POST',
  path: '/v1/holds/:id/release',
  tag,
  summary: 'Release a hold, or a part of it (staff)',
  credential: 'required',
  idempotency: 'required',
  params,
  body: z.strictObject(useFields),
  bodyExample: {},
  answers: {
    200: { description: 'It had been made before, or a dry run', schema: transaction },
    201: { description: 'Released', schema: transaction, example: released },
  },
  problems: transactionRefusals,
  fieldNames,
  run: ({ params: { id }, body, headers, call }) =>
    useHold(call, 'release', id, body, headers['idempotency-key']),
});

type UseBody = Omit<Parameters<typeof toItem>[0], 'operation'> & {
  readonly dryRun?: boolean | undefined;
};

/** Whose hold it is and in which currency is looked up, unless the request says both. */
async function useHold(
  call: ServiceCall,
  operation: 'capture' | 'release',
  id: string,
  { dryRun = false, ...body }: UseBody,
  keyText: string | undefined,
): ReturnType<Route['run']> {
  const key = requireIdempotencyKey(keyText);
  if (!key.ok) return key;
  const { user: userId, currency: of } = body;
  const isNamed = userId !== undefined && of !== undefined;
  const hold = isNamed ? found({ userId, currency: of }) : await getHold(call, id, userId);
  if (!hold.ok) return hold;
  const asked = { ...body, operation, parentId: id, user: hold.value.userId };
  const item = toItem({ ...asked, currency: of ?? hold.value.currency }, key.value, '');
  return item.ok ? createTransaction(call, item.value, dryRun) : item;
}

async function getHold(
  call: ServiceCall,
  id: string,
  userId: string | undefined,
): Promise<Found<Hold>> {
  const request = { holdId: canonicalId(id), userId: userId ?? '' };
  const got = await call('wallet', wallet.getHold, GetHoldRequest.fromPartial(request));
  if (!got.ok) return got;
  if (!got.value.hold) throw new Error('the answer has no hold');
  return found(got.value.hold);
}

const readRoutes: readonly Route[] = [
  defineRoute({
    method: 'GET',
    path: '/v1/holds',
    tag,
    summary: 'List holds, in order of their end',
    description: 'Of a wallet of the caller; for staff of one user, or of all.',
    credential: 'required',
    query: z.strictObject({
      user,
      currency: currency.optional(),
      state: z.enum(holdStateNames).optional().meta({
        description: 'A hold whose time is over is `expired`',
      }),
      ...page,
    }),
    answers: {
      200: {
        description: 'A page',
        schema: pageOf(holdShape),
        example: { items: [holdExample] },
        optionalHeaders: { Link: 'The next page, with rel="next"' },
      },
    },
    problems: ['CURRENCY_UNKNOWN', 'PAGE_TOKEN_INVALID', 'USER_NOT_FOUND'],
    run: async ({ query, call }) => {
      const state = query.state === undefined ? undefined : holdStateOf(query.state);
      const request = ListHoldsRequest.fromPartial({
        ...{ userId: query.user ?? '', currency: query.currency ?? '' },
        ...(state === undefined ? {} : { state }),
        ...readPage(query),
      });
      const listed = await call('wallet', wallet.listHolds, request);
      if (!listed.ok) return listed;
      const { holds, nextPageToken } = listed.value;
      const items = holds.map((hold) => toHoldJson({ hold }));
      return toPage('/v1/holds', query, items, nextPageToken);
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/v1/holds/:id',
    tag,
    summary: 'Get a hold',
    credential: 'required',
    params,
    answers: { 200: { description: 'The hold', schema: holdShape, example: holdExample } },
    problems: ['HOLD_NOT_FOUND'],
    fieldNames,
    run: async ({ params: { id }, call }) => {
      const hold = await getHold(call, id, undefined);
      return hold.ok ? answer(200, toHoldJson({ hold: hold.value })) : hold;
    },
  }),
];

/** `/v1/holds` */
export const holdRoutes = (defaultCurrency: string): readonly Route[] => [
  placeRoute(defaultCurrency),
  captureRoute,
  releaseRoute,
  ...readRoutes,
];
