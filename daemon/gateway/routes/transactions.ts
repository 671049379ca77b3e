import { z } from 'zod';

import { canonicalId, canonicalUuid } from '../../../core/ids.ts';
import { isUndo, type Operation } from '../../../core/operations.ts';
import { textLimits } from '../../../core/text.ts';
import { operationNumbers } from '../../../lib/json/names.ts';
import { toTransactionJson } from '../../../lib/json/transactions.ts';
import {
  CreateTransactionRequest,
  GetTransactionRequest,
  ListTransactionsRequest,
  WalletServiceService as wallet,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  amount,
  amountOf,
  currency,
  description,
  idempotencyKey,
  money,
  operation,
  page,
  pageOf,
  time,
  user,
  uuid,
} from '../http/fields.ts';
import { requireIdempotencyKey } from '../http/idempotency.ts';
import { readPage, toPage } from '../http/pages.ts';
import { fault, found, type Found } from '../http/problems.ts';
import { answer, defineRoute, type Route } from '../http/route.ts';

const tag = 'transactions';

/** docs/cli.md, "JSON": a transaction. */
export const transaction = z
  .object({
    id: uuid.optional().meta({ description: 'Absent in a dry run' }),
    walletId: uuid,
    seq: z.int().optional().meta({ description: 'Gapless within the wallet, from 1' }),
    operation,
    amount: money,
    currency,
    balanceAfter: money,
    parentId: uuid.optional().meta({ description: 'The transaction that this one undoes' }),
    description: z.string().optional(),
    merchant: z.string().optional(),
    occurredAt: time,
    replayed: z.boolean().meta({ description: 'It had been made before, by the same key' }),
    dryRun: z.literal(true).optional(),
  })
  .meta({ id: 'Transaction' });

/** The fields of a transaction that is to be made. */
export const itemFields = {
  operation,
  user,
  currency: currency.optional().meta({
    description: 'Default: the server’s currency; for an undo, that of its parent',
  }),
  amount: amount.optional().meta({ description: 'Required but for a reversal or cancellation' }),
  parentId: uuid.optional().meta({ description: 'Required for a reversal or cancellation' }),
  description,
  merchant: z.string().max(textLimits.merchant).optional().meta({ description: 'For a purchase' }),
  metadata: z.record(z.string().max(64), z.string().max(512)).optional(),
};

/** What a client sends of one transaction. */
export type ItemBody = {
  readonly operation: Operation;
  readonly user?: string | undefined;
  readonly currency?: string | undefined;
  readonly amount?: string | number | undefined;
  readonly parentId?: string | undefined;
  readonly description?: string | undefined;
  readonly merchant?: string | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
};

/** An item of the wire. An undo takes its currency from its parent, unless it has an amount. */
export function toItem(
  body: ItemBody,
  key: string,
  defaultCurrency: string,
): Found<NonNullable<Parameters<typeof CreateTransactionRequest.fromPartial>[0]['item']>> {
  const ofCurrency = body.currency ?? (isUndo(body.operation) ? '' : defaultCurrency);
  if (ofCurrency === '' && body.amount !== undefined) {
    const message = 'currency is required for a reversal or cancellation that has an amount';
    return { ok: false, fault: fault('INVALID_ARGUMENT', message, { field: 'currency' }) };
  }
  const minor = amountOf(body.amount, ofCurrency);
  if (!minor.ok) return minor;
  return found({
    userId: body.user ?? '',
    currency: ofCurrency,
    operation: operationNumbers[body.operation],
    amountMinor: minor.value,
    parentId: body.parentId === undefined ? undefined : canonicalUuid(body.parentId),
    description: body.description,
    merchant: body.merchant,
    metadata: { ...body.metadata },
    idempotencyKey: key,
  });
}

const refusals = [
  'AMOUNT_INVALID',
  'AMOUNT_MISMATCH',
  'BALANCE_LIMIT_EXCEEDED',
  'CURRENCY_UNKNOWN',
  'IDEMPOTENCY_KEY_REQUIRED',
  'IDEMPOTENCY_KEY_REUSED',
  'INSUFFICIENT_FUNDS',
  'OPERATION_NOT_ALLOWED',
  'OUTBOX_FULL',
  'PARENT_ALREADY_UNDONE',
  'PARENT_NOT_FOUND',
  'PARENT_NOT_UNDOABLE',
  'STAFF_OWN_WALLET',
  'USER_NOT_FOUND',
  'USER_REQUIRED',
  'WALLET_BUSY',
  'WALLET_CLOCK_AHEAD',
  'WALLET_CORRUPT',
  'WALLET_FROZEN',
] as const;

const example = {
  id: '7c4f9d7e-8f1c-5a49-8c53-3c2b6f8f7a10',
  walletId: '5b0f7a3d-56d0-5e35-9c2f-a3a2f7c1d9a4',
  seq: 1,
  operation: 'deposit',
  amount: '100.00',
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
      const request = CreateTransactionRequest.fromPartial({ item: read.value, dryRun: isDryRun });
      const made = await call('wallet', wallet.createTransaction, request);
      if (!made.ok) return made;
      const { transaction: entry, replayed } = made.value;
      if (!entry) throw new Error('the answer has no transaction');
      const json = toTransactionJson({ transaction: entry, replayed, isDryRun });
      const sent: Record<string, string> = { 'idempotency-key': JSON.stringify(key.value) };
      if (replayed) sent['idempotency-replayed'] = 'true';
      if (!isDryRun) sent['location'] = `/v1/transactions/${entry.id}`;
      return { ok: true, status: replayed || isDryRun ? 200 : 201, body: json, headers: sent };
    },
  });

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
      const request = ListTransactionsRequest.fromPartial({
        userId: query.user ?? '',
        currency: query.currency ?? '',
        ...(query.operation ? { operation: operationNumbers[query.operation] } : {}),
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
    summary: 'Get a transaction',
    credential: 'required',
    params: z.strictObject({ id: uuid }),
    answers: { 200: { description: 'The transaction', schema: transaction, example } },
    problems: ['TRANSACTION_NOT_FOUND'],
    run: async ({ params, call }) => {
      const by = { $case: 'transactionId', value: canonicalId(params.id) } as const;
      return getBy(call, { by });
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/v1/transactions/by-key/:key',
    tag,
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
