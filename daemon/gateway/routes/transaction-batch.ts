import { z } from 'zod';

import {
  BatchCreateTransactionsRequest,
  WalletServiceService as wallet,
  type TransactionResult,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { isReason } from '../../../core/reasons.ts';
import { splitByBytes } from '../../../core/messages/split-by-bytes.ts';
import {
  abortOthers,
  describeAborted,
  findGroupProblem,
  findGroupRuns,
} from '../../../core/messages/atomic-groups.ts';
import { canonicalId } from '../../../core/ids.ts';
import { idempotencyKey, uuid } from '../http/fields.ts';
import { fault, found, toProblem, type Fault, type Found } from '../http/problems.ts';
import { answer, defineRoute, type Route, type ServiceCall } from '../http/route.ts';
import { toMadeJson } from './holds/hold-shape.ts';
import { itemFields, toItem } from './transaction-item.ts';
import { transaction } from './transactions.ts';

const maxItems = 1_000;

const item = z.strictObject({
  ...itemFields,
  idempotencyKey,
  groupId: uuid.optional().meta({
    description:
      'Up to 16 items side by side with the same one happen together or not at all. Needed for a ' +
      '`fee`. If one is refused, the others have the reason GROUP_ABORTED',
  }),
});
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
      'Results in the order of the items. A refused item does not affect others, unless they have ' +
      'the same `groupId`: items of a group happen together or not at all. Items of one ' +
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
      const read = readItems(items, defaultCurrency);
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

type ItemBody = z.infer<typeof item>;

/** Items of the wire. Where one of a group cannot be sent, none of it is. */
function readItems(bodies: readonly ItemBody[], defaultCurrency: string): readonly Found<Item>[] {
  const read = bodies.map((each): Found<Item> => {
    const made = toItem(each, each.idempotencyKey, defaultCurrency);
    const groupId = each.groupId === undefined ? undefined : canonicalId(each.groupId);
    return made.ok && groupId !== undefined ? found({ ...made.value, groupId }) : made;
  });
  const runs = findGroupRuns(bodies.map(({ groupId }) => groupId && canonicalId(groupId)));
  for (const run of runs) {
    const { start, end } = run;
    const wrong = findGroupProblem(run, runs);
    if (wrong !== undefined) {
      const refused = fault('INVALID_ARGUMENT', `groupId ${wrong}`, { field: 'groupId' });
      read.fill({ ok: false, fault: refused }, start, end);
      continue;
    }
    const joined = abortOthers(read.slice(start, end), (failed, { fault: { reason } }) => {
      const { message, metadata } = describeAborted(failed, reason);
      return { ok: false, fault: fault('GROUP_ABORTED', message, metadata) };
    });
    read.splice(start, end - start, ...joined);
  }
  return read;
}

/** A message to a service has at most 256 KiB; the rest is for its frame. */
const maxPartBytes = 240 * 1024;

/**
 * In messages that the service takes, one after the other, so that the order stays and no group is
 * in two of them. Where it
 * refuses the first one, nothing was done; where a later one, its items and those after it have
 * that refusal.
 */
export async function createInParts(
  call: ServiceCall,
  items: readonly Item[],
  dryRun: boolean,
): Promise<Found<readonly Found<TransactionResult>[]>> {
  const outcomes: Found<TransactionResult>[] = [];
  for (const parts of splitByBytes(listUndivided(items), maxPartBytes, countAll)) {
    const request = BatchCreateTransactionsRequest.fromPartial({ items: parts.flat(), dryRun });
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

/** Items by themselves, and those of each group together. */
function listUndivided(items: readonly Item[]): readonly (readonly Item[])[] {
  const runs = findGroupRuns(items.map(({ groupId }) => groupId));
  const parts: (readonly Item[])[] = [];
  for (let at = 0; at < items.length; at += parts.at(-1)?.length ?? 1) {
    const run = runs.find(({ start }) => start === at);
    parts.push(items.slice(at, run?.end ?? at + 1));
  }
  return parts;
}

const countAll = (items: readonly Item[]): number =>
  items.reduce((bytes, each) => bytes + countBytes(each), 0);

/** Tags, lengths and numbers of an item. */
const itemOverheadBytes = 64;
const entryOverheadBytes = 12;

/** No less than the item has in a message. */
export function countBytes(of: Item): number {
  const texts = [of.userId, of.currency, of.parentId, of.description, of.merchant];
  texts.push(of.toUserId, of.via, of.reference, of.groupId);
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
    const json = toMadeJson(outcome.value, isDryRun);
    return { status: outcome.value.replayed || isDryRun ? 200 : 201, transaction: json };
  }
  if (outcome?.$case !== 'refusal') throw new Error('the answer has too few results');
  const { reason, message, metadata } = outcome.value;
  const known = isReason(reason) ? reason : 'INTERNAL';
  return refused({ reason: known, message, metadata }, requestId);
}

function refused(cause: Fault, requestId: string): Result {
  const {
    instance: _instance,
    requestId: _requestId,
    ...shown
  } = toProblem(cause, requestId, {
    fieldNames: { idempotency_key: 'idempotencyKey' },
  });
  return { status: shown.status, problem: shown };
}
