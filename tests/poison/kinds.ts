import { randomUUID } from 'node:crypto';

/** A message that can never be handled, and what its dead letter says. */
export type Poison = {
  readonly kind: string;
  readonly queue: 'wallet_queue' | 'statement_queue' | 'statement_export_queue';
  /** The property; undefined where the producer sets none. */
  readonly messageId: string | undefined;
  readonly body: Buffer;
  readonly reason: string;
  readonly field: string;
  /** Sent with headers that no decoder gets through. */
  readonly hasDeepHeaders: boolean;
};

type Made = {
  readonly body: string | Buffer;
  readonly reason: string;
  readonly field: string;
  readonly isUnnamed?: boolean;
  readonly hasDeepHeaders?: boolean;
  readonly queue?: Poison['queue'];
};

const ask = (data: object, pattern = 'transaction_emitted'): string =>
  JSON.stringify({ pattern, data });

/** A deposit with one thing wrong; `n` makes each message another one. */
const deposit = (userId: string, n: number, change: object): string =>
  ask({
    userId,
    transaction: { operation: 'deposit', amount: '1.00', description: `bad ${n}`, ...change },
  });

const transactionField = (name: string): string => `data.transaction.${name}`;
const depth = 50_000;

/** An event as the ledger would send it, but for what is changed. */
const event = (userId: string, n: number, change: object): string =>
  ask(
    {
      userId,
      walletId: randomUUID(),
      currency: 'BRL',
      transaction: {
        ...{ id: randomUUID(), seq: n + 1, operation: 'deposit', amount: '1.00' },
        ...{ direction: 'credit', balanceAfter: '1.00', contraAccount: 'external:cash' },
        ...{ source: 'message', actor: 'amqp', occurredAt: '2026-01-01T00:00:00.000Z' },
        ...{ previousHash: 'ab'.repeat(32), hash: 'cd'.repeat(32) },
        ...change,
      },
    },
    'transaction_created',
  );

const invalidField = (field: string) => ({ reason: 'INVALID_FIELD', field });
const invalidArgument = (field: string) => ({ reason: 'INVALID_ARGUMENT', field });

/** Kinds of poison; each makes a message for a user who is there. */
const makers: Readonly<Record<string, (userId: string, n: number) => Made>> = {
  'no JSON': (_u, n) => ({ body: `{ not JSON ${n}`, reason: 'NOT_JSON', field: 'body' }),
  'no body': () => ({ body: '', reason: 'NOT_JSON', field: 'body' }),
  'no object': (_u, n) => ({ body: `[${n}]`, ...invalidField('body') }),
  'unknown pattern': (userId, n) => ({
    body: ask({ userId, n }, 'transaction_emited'),
    ...{ reason: 'UNKNOWN_PATTERN', field: 'pattern' },
  }),
  'no user': (_u, n) => ({ body: ask({ transaction: {}, n }), ...invalidField('data.userId') }),
  'a user who is no UUID': (_u, n) => ({
    body: deposit(`user-${n}`, n, {}),
    ...invalidField('data.userId'),
  }),
  'a user who is not there': (_u, n) => ({
    body: deposit(randomUUID(), n, {}),
    ...{ reason: 'USER_NOT_FOUND', field: 'data.userId' },
  }),
  'an amount of 0': (u, n) => ({
    body: deposit(u, n, { amount: '0.00' }),
    ...{ reason: 'AMOUNT_INVALID', field: transactionField('amount') },
  }),
  'an amount with too many decimals': (u, n) => ({
    body: deposit(u, n, { amount: 0.1 + 0.2 }),
    ...{ reason: 'AMOUNT_INVALID', field: transactionField('amount') },
  }),
  'a number without end': (u, n) => ({
    body: deposit(u, n, { amount: 'HUGE' }).replace('"HUGE"', '1e999'),
    ...invalidField(transactionField('amount')),
  }),
  'an unknown currency': (u, n) => ({
    body: deposit(u, n, { currency: 'XXQ' }),
    ...{ reason: 'CURRENCY_UNKNOWN', field: transactionField('currency') },
  }),
  'an unknown operation': (u, n) => ({
    body: deposit(u, n, { operation: 17 }),
    ...invalidField(transactionField('operation')),
  }),
  'a NUL in a text': (u, n) => ({
    body: deposit(u, n, { description: `\0 ${n}` }),
    ...invalidField(transactionField('description')),
  }),
  'half a surrogate pair': (u, n) => ({
    body: deposit(u, n, { operation: 'purchase', merchant: `\ud800 ${n}` }),
    ...invalidField(transactionField('merchant')),
  }),
  'a text that is too long': (u, n) => ({
    body: deposit(u, n, { description: 'x'.repeat(501) }),
    ...invalidField(transactionField('description')),
  }),
  'a key that is too long': (userId, n) => ({
    body: ask({
      ...{ userId, messageId: `${n} ${'k'.repeat(300)}` },
      transaction: { operation: 'deposit', amount: '1.00' },
    }),
    ...{ ...invalidField('messageId'), isUnnamed: true },
  }),
  'no key': (u, n) => ({
    body: deposit(u, n, {}),
    ...{ reason: 'MESSAGE_ID_MISSING', field: 'messageId', isUnnamed: true },
  }),
  'an undo of nothing': (u, n) => ({
    body: deposit(u, n, { operation: 'reversal', amount: undefined }),
    ...invalidField(transactionField('id')),
  }),
  'bytes that are no UTF-8': (u, n) => ({
    body: Buffer.from(deposit(u, n, { description: `caf\xe9 ${n}` }), 'latin1'),
    ...{ reason: 'NOT_JSON', field: 'body' },
  }),
  'a body that is too large': (u, n) => ({
    body: deposit(u, n, { description: 'x'.repeat(300_000) }),
    ...{ reason: 'MESSAGE_TOO_LARGE', field: 'body' },
  }),
  'arrays nested very deeply': (_u, n) => ({
    body: `${'['.repeat(depth)}${n}${']'.repeat(depth)}`,
    ...invalidField('body'),
  }),
  'headers nested very deeply': (_u, n) => ({
    body: `{ not JSON ${n}`,
    ...{ reason: 'NOT_JSON', field: 'body', hasDeepHeaders: true },
  }),
  'an event with a NUL': (u, n) => ({
    body: event(u, n, { actor: `\0 ${n}` }),
    ...{ ...invalidArgument(transactionField('actor')), queue: 'statement_queue' },
  }),
  'an event of the year 0': (u, n) => ({
    body: event(u, n, { occurredAt: '0000-01-01T00:00:00.000Z' }),
    ...{ ...invalidArgument(transactionField('occurredAt')), queue: 'statement_queue' },
  }),
  'an event with a seq past all': (u, n) => ({
    body: event(u, n, { seq: 2 ** 60 }),
    ...{ ...invalidArgument(transactionField('seq')), queue: 'statement_queue' },
  }),
  'a request for an export that is not there': (_u, n) => ({
    body: ask({ exportId: randomUUID(), n }, 'statement_requested'),
    ...{ reason: 'EXPORT_NOT_FOUND', field: 'data.exportId', queue: 'statement_export_queue' },
  }),
};

export const poisonKinds: readonly string[] = Object.keys(makers);

/** The nth message of all that is bad, of each kind in turn. */
export function makePoison(n: number, userId: string): Poison {
  const kind = poisonKinds[n % poisonKinds.length] ?? '';
  const made = makers[kind]?.(userId, n);
  if (!made) throw new Error('there is no such kind');
  const { body, reason, field, isUnnamed, hasDeepHeaders = false, queue = 'wallet_queue' } = made;
  return {
    ...{ kind, queue, reason, field, hasDeepHeaders },
    messageId: isUnnamed ? undefined : randomUUID(),
    body: Buffer.isBuffer(body) ? body : Buffer.from(body),
  };
}
