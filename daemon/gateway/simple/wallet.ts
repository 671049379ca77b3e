import { randomUUID } from 'node:crypto';

import { z } from 'zod';

import { exponentOf } from '../../../core/currencies.ts';
import { formatMinor } from '../../../core/money.ts';
import {
  isUndo,
  operationOfMessageNumber,
  operations,
  operationTable,
  type Operation,
} from '../../../core/operations.ts';
import { operationNumbers } from '../../../lib/json/names.ts';
import { toTransactionJson } from '../../../lib/json/transactions.ts';
import {
  CreateTransactionRequest,
  GetBalanceRequest,
  ListTransactionsRequest,
  WalletServiceService as wallet,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  amount,
  currency,
  description,
  money,
  operation,
  page,
  user,
  uuid,
} from '../http/fields.ts';
import { readIdempotencyKey } from '../http/idempotency.ts';
import { readPage, toPage } from '../http/pages.ts';
import { answer, defineRoute, type Route, type RouteInput } from '../http/route.ts';
import { itemFields, toItem } from '../routes/transaction-item.ts';
import { transaction, transactionExample, transactionRefusals } from '../routes/transactions.ts';
import { simpleStatuses } from './problems.ts';

const tag = 'simple API';

const numbers = operations.flatMap((name) => operationTable[name].messageNumber ?? []);

const operationOrNumber = z
  .union(
    [operation, z.literal(numbers)],
    `must be one of ${operations.join(', ')}, or one of ${[...numbers].sort().join(', ')}`,
  )
  .meta({
    description: '0 deposit, 1 withdraw, 2 purchase, 3 reversal, 4 cancellation, or the name',
    example: 0,
  });

const made = z.object({
  status: z.union([z.literal(200), z.literal(201)]),
  transaction,
  replayed: z.boolean().meta({ description: 'It had been made before, by the same key' }),
});

const balanceRoute = defineRoute({
  method: 'GET',
  path: '/wallet/balance',
  tag,
  summary: 'Get the balance',
  credential: 'required',
  query: z.strictObject({ user, currency: currency.optional() }),
  answers: {
    200: {
      description: 'The balance',
      schema: z.object({
        status: z.literal(200),
        balance: z.number().meta({ description: 'Exact in the text of the answer' }),
        balanceText: money,
        currency,
      }),
      example: { status: 200, balance: 159.99, balanceText: '159.99', currency: 'BRL' },
    },
  },
  problems: ['CURRENCY_UNKNOWN', 'USER_REQUIRED', 'WALLET_BUSY', 'WALLET_CORRUPT'],
  problemStatuses: simpleStatuses,
  run: async ({ query, call }) => {
    const request = { userId: query.user ?? '', currency: query.currency ?? '' };
    const got = await call('wallet', wallet.getBalance, GetBalanceRequest.fromPartial(request));
    if (!got.ok) return got;
    if (!got.value.wallet) throw new Error('the answer has no wallet');
    return {
      ...answer(200, formatBalance(got.value.wallet)),
      headers: { 'content-type': 'application/json; charset=utf-8' },
    };
  },
});

const transactionBody = z.strictObject({
  operation: operationOrNumber,
  transactionId: uuid.optional().meta({
    description: 'The transaction that a reversal or cancellation undoes',
  }),
  amount: amount.optional(),
  user,
  currency: currency.optional(),
  description,
  merchant: z.string().max(255).optional().meta({ description: 'For a purchase' }),
  toUserId: itemFields.toUserId,
});

const transactionAnswers = {
  200: {
    description: 'It had been made before, by the same key',
    schema: made,
    example: {
      status: 200,
      transaction: { ...transactionExample, replayed: true },
      replayed: true,
    },
  },
  201: {
    description: 'Made',
    schema: made,
    example: { status: 201, transaction: transactionExample, replayed: false },
    headers: { 'Idempotency-Key': 'The key of the transaction' },
  },
};

const transactionRoute = (defaultCurrency: string): Route =>
  defineRoute({
    method: 'POST',
    path: '/wallet/transaction',
    tag,
    summary: 'Make a transaction',
    description:
      'Without an `Idempotency-Key` one is made, and given back in the header: with it, the same ' +
      'request can be sent again without making another transaction.',
    credential: 'required',
    idempotency: 'optional',
    body: transactionBody,
    bodyExample: { operation: 0, amount: 100 },
    answers: transactionAnswers,
    problems: transactionRefusals.filter((reason) => reason !== 'IDEMPOTENCY_KEY_REQUIRED'),
    problemStatuses: simpleStatuses,
    run: (input) => makeTransaction(defaultCurrency, input),
  });

const transactionsRoute = defineRoute({
  method: 'GET',
  path: '/wallet/transactions',
  tag,
  summary: 'List transactions, newest first',
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
      schema: z.object({
        status: z.literal(200),
        items: z.array(transaction),
        nextPageToken: z.string().optional(),
      }),
      example: { status: 200, items: [transactionExample] },
      optionalHeaders: { Link: 'The next page, with rel="next"' },
    },
  },
  problems: ['CURRENCY_UNKNOWN', 'PAGE_TOKEN_INVALID', 'USER_REQUIRED'],
  problemStatuses: simpleStatuses,
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
    const paged = toPage('/wallet/transactions', query, items, nextPageToken);
    return paged.ok ? { ...paged, body: { status: 200, ...(paged.body as object) } } : paged;
  },
});

/** `/wallet/…` */
export const simpleWalletRoutes = (defaultCurrency: string): readonly Route[] => [
  balanceRoute,
  transactionRoute(defaultCurrency),
  transactionsRoute,
];

async function makeTransaction(
  defaultCurrency: string,
  { body, headers, call }: RouteInput<unknown, unknown, z.infer<typeof transactionBody>>,
): ReturnType<Route['run']> {
  const given = readIdempotencyKey(headers['idempotency-key']);
  if (!given.ok) return given;
  const key = given.value ?? randomUUID();
  const named = nameOperation(body.operation);
  const { transactionId: parentId, ...others } = body;
  const ofCurrency =
    body.currency ?? (isUndo(named) && body.amount === undefined ? undefined : defaultCurrency);
  const asked = { ...others, parentId, operation: named, currency: ofCurrency };
  const item = toItem(asked, key, defaultCurrency);
  if (!item.ok) return item;
  const request = CreateTransactionRequest.fromPartial({ item: item.value });
  const created = await call('wallet', wallet.createTransaction, request);
  const keyHeader = { 'idempotency-key': JSON.stringify(key) };
  if (!created.ok) return { ...created, headers: keyHeader };
  const { transaction: entry, replayed } = created.value;
  if (!entry) throw new Error('the answer has no transaction');
  const status = replayed ? 200 : 201;
  const json = toTransactionJson({ transaction: entry, replayed, isDryRun: false });
  return {
    ...answer(status, { status, transaction: json, replayed }),
    headers: { ...keyHeader, ...(replayed ? { 'idempotency-replayed': 'true' } : {}) },
  };
}

function nameOperation(value: Operation | number): Operation {
  if (typeof value === 'string') return value;
  const name = operationOfMessageNumber(value);
  if (!name) throw new Error(`there is no operation ${value}`);
  return name;
}

/**
 * The answer as a text, since a double does not hold every balance. A reader of JSON that needs
 * exact money takes `balanceText`.
 */
export function formatBalance(of: {
  readonly balanceMinor: bigint;
  readonly currency: string;
  readonly exponent?: number;
}): string {
  const text = formatMinor(of.balanceMinor, of.exponent ?? exponentOf(of.currency));
  const others = JSON.stringify({ balanceText: text, currency: of.currency });
  return `{"status":200,"balance":${text},${others.slice(1)}`;
}
