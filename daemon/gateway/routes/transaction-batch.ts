import { z } from 'zod';

import { toTransactionJson } from '../../../lib/json/transactions.ts';
import {
  BatchCreateTransactionsRequest,
  WalletServiceService as wallet,
  type TransactionResult,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { isReason } from '../../../core/reasons.ts';
import { splitByBytes } from '../../../core/messages/split-by-bytes.ts';
import { idempotencyKey } from '../http/fields.ts';
import { fault, found, toProblem, type Fault, type Found } from '../http/problems.ts';
import { answer, defineRoute, type Route, type ServiceCall } from '../http/route.ts';
import { itemFields, toItem, transaction } from './transactions.ts';

const maxItems = 1_000;

const item = z.strictObject({ ...itemFields, idempotencyKey });
const body = z.strictObject({
  items: z.array(item).min(1, 'must have an item').max(maxItems, `must have at most ${maxItems}`),
  dryRun: z.boolean().optional(),
});

const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  reason: z.string(),
  field: z.string().optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  retryAfterMs: z.int().optional(),
  outcome: z.literal('unknown').optional(),
});
const result = z.object({
  status: z.int().meta({ description: 'As POST /v1/transactions would answer' }),
  transaction: transaction.optional(),
  problem: problem.optional(),
});

type Result = { readonly status: number; readonly transaction?: object; readonly problem?: object };

/** `/v1/transactions/batch` */
export const batchRoute = (defaultCurrency: string): Route =>
  defineRoute({
    method: 'POST',
    path: '/v1/transactions/batch',
    tag: 'transactions',
    summary: 'Make up to 1,000 transactions',
    description:
      'Results in the order of the items. A refused item does not affect others; items of one ' +
      'wallet are applied in order. Each item has its own `idempotencyKey`, so that the whole ' +
      'batch may be sent again. The header Idempotency-Key is refused. Send ' +
      '`application/x-ndjson` for one item on each line, and accept it for one result on each.',
    credential: 'required',
    body,
    bodyLimitBytes: 1024 * 1024,
    bodyExample: {
      items: [
        {
          operation: 'deposit',
          amount: '100.00',
          idempotencyKey: '3c9d3a60-9d07-4a5e-8f39-54c1f4c2b1f0',
        },
      ],
    },
    answers: {
      200: {
        description: 'A result for each item',
        schema: z.object({ items: z.array(result) }),
        contentTypes: ['application/x-ndjson'],
      },
    },
    problems: ['INVALID_ARGUMENT', 'OUTBOX_FULL'],
    run: async ({ body: { items, dryRun = false }, headers, call, requestId }) => {
      if (headers['idempotency-key'] !== undefined) {
        const message = 'each item has its own idempotencyKey: leave the header out';
        return {
          ok: false,
          fault: fault('INVALID_ARGUMENT', message, { field: 'Idempotency-Key' }),
        };
      }
      const read = items.map((each) => toItem(each, each.idempotencyKey, defaultCurrency));
      const valid = read.flatMap((each) => (each.ok ? [each.value] : []));
      const made = await createInParts(call, valid, dryRun);
      if (!made.ok) return made;
      const outcomes = made.value[Symbol.iterator]();
      const shown = read.map((each) => {
        if (!each.ok) return refused(each.fault, requestId);
        const outcome = outcomes.next().value;
        return outcome?.ok === false
          ? refused(outcome.fault, requestId)
          : toResult(outcome?.value, dryRun, requestId);
      });
      if (!/\bapplication\/x-ndjson\b/.test(headers['accept'] ?? '')) {
        return answer(200, { items: shown });
      }
      const lines = shown.map((each) => `${JSON.stringify(each)}\n`).join('');
      return { ...answer(200, lines), headers: { 'content-type': 'application/x-ndjson' } };
    },
  });

/** A message to a service has at most 256 KiB; the rest is for its frame. */
const maxPartBytes = 240 * 1024;

/**
 * In messages that the service takes, one after the other, so that the order stays. Where it
 * refuses the first one, nothing was done; where a later one, its items and those after it have
 * that refusal.
 */
export async function createInParts(
  call: ServiceCall,
  items: readonly Item[],
  dryRun: boolean,
): Promise<Found<readonly Found<TransactionResult>[]>> {
  const outcomes: Found<TransactionResult>[] = [];
  for (const part of splitByBytes(items, maxPartBytes, countBytes)) {
    const request = BatchCreateTransactionsRequest.fromPartial({ items: part, dryRun });
    const made = await call('wallet', wallet.batchCreateTransactions, request);
    if (made.ok) {
      outcomes.push(...made.value.results.map(found));
    } else {
      if (outcomes.length === 0) return made;
      outcomes.push(...items.slice(outcomes.length).map(() => made));
      break;
    }
  }
  return found(outcomes);
}

export type Item = Extract<ReturnType<typeof toItem>, { ok: true }>['value'];

/** Tags, lengths and numbers of an item. */
const itemOverheadBytes = 64;
const entryOverheadBytes = 12;

/** No less than the item has in a message. */
export function countBytes(of: Item): number {
  const texts = [of.userId, of.currency, of.parentId, of.description, of.merchant];
  const entries = Object.entries(of.metadata ?? {});
  let bytes = itemOverheadBytes + entryOverheadBytes * entries.length;
  for (const text of [...texts, of.idempotencyKey, ...entries.flat()]) {
    if (text !== undefined) bytes += Buffer.byteLength(text);
  }
  return bytes;
}

function toResult(
  made: TransactionResult | undefined,
  isDryRun: boolean,
  requestId: string,
): Result {
  const outcome = made?.outcome;
  if (outcome?.$case === 'created' && outcome.value.transaction) {
    const { transaction: entry, replayed } = outcome.value;
    const json = toTransactionJson({ transaction: entry, replayed, isDryRun });
    return { status: replayed || isDryRun ? 200 : 201, transaction: json };
  }
  if (outcome?.$case !== 'refusal') throw new Error('the answer has too few results');
  const { reason, message, metadata } = outcome.value;
  const known = isReason(reason) ? reason : 'INTERNAL';
  return refused({ reason: known, message, metadata }, requestId);
}

function refused(cause: Fault, requestId: string): Result {
  const { instance: _instance, requestId: _requestId, ...shown } = toProblem(cause, requestId);
  return { status: shown.status, problem: shown };
}
