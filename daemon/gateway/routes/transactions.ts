import { z } from 'zod';

import { canonicalId } from '../../../core/ids.ts';
import { directionNames, operationNumbers } from '../../../lib/json/names.ts';
import { toTransactionJson } from '../../../lib/json/transactions.ts';
import {
  CreateTransactionRequest,
  GetTransactionRequest,
  ListTransactionsRequest,
  WalletServiceService as wallet,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  currency,
  idempotencyKey,
  money,
  operation,
  page,
  pageOf,
  time,
  timeOf,
  user,
  uuid,
} from '../http/fields.ts';
import { requireIdempotencyKey } from '../http/idempotency.ts';
import { readPage, toPage } from '../http/pages.ts';
import { answer, defineRoute, type Answer, type Route, type ServiceCall } from '../http/route.ts';
import { holdShape, toMadeJson } from './holds/hold-shape.ts';
import { itemFields, toItem } from './transaction-item.ts';

const tag = 'transactions';

/** docs/cli.md, "JSON": a transaction. */
export const transaction = z
  .object({
    id: uuid.optional().meta({ description: 'Absent in a dry run' }),
    walletId: uuid,
    seq: z.int().optional().meta({ description: 'Gapless within the wallet, from 1' }),
    operation,
    amount: money,
    direction: z.enum(directionNames).meta({
      description: 'What it does to the balance; `none` of a hold or release',
    }),
    currency,
    balanceAfter: money,
    parentId: uuid.optional().meta({ description: 'The transaction that it undoes, or its hold' }),
    undone: money.optional().meta({ description: 'How much of it was undone; absent: nothing' }),
    counterparty: uuid.optional().meta({
      description: 'The user at the other side of a transfer, of a capture or of their reversal',
    }),
    via: z.string().optional().meta({ description: 'The account outside, if it is not `cash`' }),
    description: z.string().optional(),
    merchant: z.string().optional(),
    reference: z.string().optional().meta({ description: 'The entry `reference` of metadata' }),
    metadata: z.record(z.string(), z.string()).optional(),
    held: money.optional().meta({ description: 'What it reserved, or released (below 0)' }),
    heldAfter: money.optional().meta({ description: 'What is reserved since' }),
    availableAfter: money.optional().meta({
      description:
        'The balance without what is reserved, beside `heldAfter`. Unlike `available` of a wallet ' +
        'it does not count the overdraft limit, which is not in the ledger',
    }),
    groupId: uuid.optional().meta({
      description: 'The group that it was sent in, which happened together or not at all',
    }),
    occurredAt: time,
    replayed: z.boolean().meta({ description: 'It had been made before, by the same key' }),
    dryRun: z.literal(true).optional(),
    hold: holdShape.optional().meta({
      description: 'Only when it is made: the hold after a hold, capture or release',
    }),
  })
  .meta({ id: 'Transaction' });

const refusals = [
  'AMOUNT_INVALID',
  'BALANCE_LIMIT_EXCEEDED',
  'CAPTURE_EXCEEDS_HOLD',
  'CURRENCY_UNKNOWN',
  'DEBIT_TOTAL_EXCEEDED',
  'HOLD_CLOSED',
  'HOLD_EXPIRED',
  'HOLD_LIMIT_EXCEEDED',
  'HOLD_NOT_FOUND',
  'IDEMPOTENCY_KEY_REQUIRED',
  'IDEMPOTENCY_KEY_REUSED',
  'INSUFFICIENT_FUNDS',
  'LIMIT_EXCEEDED',
  'OPERATION_NOT_ALLOWED',
  'OUTBOX_FULL',
  'PARENT_ALREADY_UNDONE',
  'PARENT_NOT_FOUND',
  'PARENT_NOT_UNDOABLE',
  'RECIPIENT_NOT_FOUND',
  'RECIPIENT_UNAVAILABLE',
  'STAFF_OWN_WALLET',
  'TRANSFER_TO_SELF',
  'UNDO_EXCEEDS_PARENT',
  'USER_NOT_FOUND',
  'USER_REQUIRED',
  'WALLET_BUSY',
  'WALLET_CLOCK_AHEAD',
  'WALLET_CLOSED',
  'WALLET_CORRUPT',
  'WALLET_FROZEN',
] as const;

const example = {
  id: '7c4f9d7e-8f1c-5a49-8c53-3c2b6f8f7a10',
  walletId: '5b0f7a3d-56d0-5e35-9c2f-a3a2f7c1d9a4',
  seq: 1,
  operation: 'deposit',
  amount: '100.00',
  direction: 'in',
  currency: 'BRL',
  balanceAfter: '100.00',
  occurredAt: '2026-11-22T21:42:10.123Z',
  replayed: false,
};

export { example as transactionExample, refusals as transactionRefusals };

const createRoute = (defaultCurrency: string): Route =>
  defineRoute({
    method: 'POST',
    path: '/v1/transactions',
    tag,
    summary: 'Make a transaction',
    description:
      'Durable when the answer arrives. The same `Idempotency-Key` again gives the same ' +
      'transaction with status 200 and `Idempotency-Replayed: true`.',
    credential: 'required',
    idempotency: 'required',
    body: z.strictObject({ ...itemFields, dryRun: z.boolean().optional() }),
    bodyExample: { operation: 'deposit', amount: '100.00', currency: 'BRL' },
    answers: {
      200: { description: 'It had been made before, or a dry run', schema: transaction, example },
      201: { description: 'Made', schema: transaction, example },
    },
    problems: refusals,
    run: async ({ body, headers, call }) => {
      const key = requireIdempotencyKey(headers['idempotency-key']);
      if (!key.ok) return key;
      const read = toItem(body, key.value, defaultCurrency);
      if (!read.ok) return read;
      const isDryRun = body.dryRun === true;
      return createTransaction(call, read.value, isDryRun);
    },
  });

/** Makes a transaction; what was made is at `place`, by its id. */
export async function createTransaction(
  call: ServiceCall,
  item: Extract<ReturnType<typeof toItem>, { ok: true }>['value'],
  isDryRun: boolean,
  place = '/v1/transactions',
): Promise<Answer> {
  const request = CreateTransactionRequest.fromPartial({ item, dryRun: isDryRun });
  const made = await call('wallet', wallet.createTransaction, request);
  if (!made.ok) return made;
  const { transaction: entry, replayed } = made.value;
  const headers: Record<string, string> = {
    'idempotency-key': JSON.stringify(item.idempotencyKey),
  };
  if (replayed) headers['idempotency-replayed'] = 'true';
  if (!isDryRun) headers['location'] = `${place}/${entry?.id}`;
  const status = replayed || isDryRun ? 200 : 201;
  return { ok: true, status, body: toMadeJson(made.value, isDryRun), headers };
}

const readRoutes: readonly Route[] = [
  defineRoute({
    method: 'GET',
    path: '/v1/transactions',
    tag,
    summary: 'List transactions of a wallet, newest first',
    credential: 'required',
    query: z.strictObject({
      user,
      currency: currency.optional(),
      operation: operation.optional(),
      from: time.optional(),
      to: time.optional(),
      undone: z.enum(['true', 'false']).optional().meta({
        description: 'Those of which something was undone, or nothing was',
      }),
      ...page,
    }),
    answers: {
      200: {
        description: 'A page',
        schema: pageOf(transaction),
        example: { items: [example] },
        optionalHeaders: { Link: 'The next page, with rel="next"' },
      },
    },
    problems: ['CURRENCY_UNKNOWN', 'PAGE_TOKEN_INVALID', 'USER_REQUIRED'],
    run: async ({ query, call }) => {
      const from = timeOf(query.from, 'from');
      if (!from.ok) return from;
      const to = timeOf(query.to, 'to');
      if (!to.ok) return to;
      const request = ListTransactionsRequest.fromPartial({
        userId: query.user ?? '',
        currency: query.currency ?? '',
        ...(query.operation ? { operation: operationNumbers[query.operation] } : {}),
        ...(from.value && { from: from.value }),
        ...(to.value && { to: to.value }),
        ...(query.undone && { undone: query.undone === 'true' }),
        ...readPage(query),
      });
      const listed = await call('wallet', wallet.listTransactions, request);
      if (!listed.ok) return listed;
      const { transactions, nextPageToken } = listed.value;
      const items = transactions.map((entry) =>
        toTransactionJson({ transaction: entry, replayed: false, isDryRun: false }),
      );
      return toPage('/v1/transactions', query, items, nextPageToken);
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/v1/transactions/:id',
    tag,
    fieldNames: { transaction_id: 'id' },
    summary: 'Get a transaction',
    description: 'Of a transfer the own side; for staff the side of `user`, or the one that paid.',
    credential: 'required',
    params: z.strictObject({ id: uuid }),
    query: z.strictObject({ user }),
    answers: { 200: { description: 'The transaction', schema: transaction, example } },
    problems: ['TRANSACTION_NOT_FOUND', 'USER_NOT_FOUND'],
    run: async ({ params, query, call }) => {
      const by = { $case: 'transactionId', value: canonicalId(params.id) } as const;
      return getBy(call, { by, userId: query.user ?? '' });
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/v1/transactions/by-key/:key',
    tag,
    fieldNames: { idempotency_key: 'key' },
    summary: 'Get the transaction of an idempotency key',
    description: 'For a client that does not know whether a transaction was made.',
    credential: 'required',
    params: z.strictObject({ key: idempotencyKey }),
    query: z.strictObject({ user, currency: currency.optional() }),
    answers: { 200: { description: 'The transaction', schema: transaction, example } },
    problems: ['CURRENCY_UNKNOWN', 'TRANSACTION_NOT_FOUND', 'USER_REQUIRED'],
    run: async ({ params, query, call }) => {
      const by = { $case: 'idempotencyKey', value: params.key } as const;
      return getBy(call, { by, userId: query.user ?? '', currency: query.currency ?? '' });
    },
  }),
];

/** `/v1/transactions` */
export const transactionRoutes = (defaultCurrency: string): readonly Route[] => [
  createRoute(defaultCurrency),
  ...readRoutes,
];

async function getBy(
  call: Parameters<Route['run']>[0]['call'],
  request: Parameters<typeof GetTransactionRequest.fromPartial>[0],
): ReturnType<Route['run']> {
  const got = await call(
    'wallet',
    wallet.getTransaction,
    GetTransactionRequest.fromPartial(request),
  );
  if (!got.ok) return got;
  const { transaction: entry } = got.value;
  if (!entry) throw new Error('the answer has no transaction');
  return answer(200, toTransactionJson({ transaction: entry, replayed: false, isDryRun: false }));
}
