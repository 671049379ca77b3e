import { randomUUID } from 'node:crypto';

import type { AsyncCommand } from 'fast-check';

import {
  Operation,
  WalletServiceService,
  type CreateTransactionResponse,
  type TransactionItem,
  type TransactionResult,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { item, type Answer } from '../../support/grpc/client.ts';
import { sendAll } from '../../support/grpc/stream.ts';
import type { OperationName } from '../../support/ledger/wallet-model.ts';
import type { Caller, Model, Sent } from '../model.ts';
import { tokenOf, type Real } from '../real.ts';
import { decideGroup, decideNext, type Expected } from './decisions.ts';
import { isPossible, toSent, type Draft } from './drafts.ts';
import { expectSame } from './expect.ts';

type Command = AsyncCommand<Model, Real>;

const timeoutMs = 15_000;

/** One request by itself. */
export const send = ({ draft, caller }: { draft: Draft; caller: Caller }): Command => ({
  check: (model) => isPossible(model, draft, caller),
  run: async (model, real) => {
    const sent = toSent(model, real, draft, caller);
    const expected = decideNext(model, sent);
    const method = WalletServiceService.createTransaction;
    const asked = { item: toItem(sent), dryRun: false };
    const answer = await real.connection().call(method, asked, tokenOf(real, caller), timeoutMs);
    expectAnswer(model, sent, readAnswer(answer), expected);
  },
  toString: () => `${nameOf(caller)}: ${describe(draft)}`,
});

/** Several requests in one call, each decided on what the ones before it have left. */
export type Bundle = {
  readonly caller: Caller;
  readonly drafts: readonly Draft[];
  /** As a batch, or in messages of a stream with so many items each. */
  readonly how: 'batch' | 1 | 3;
};

export const sendTogether = ({ caller, drafts, how }: Bundle): Command => ({
  check: (model) => drafts.some((draft) => isPossible(model, draft, caller)),
  run: async (model, real) => {
    const sent: Sent[] = [];
    const expected: Expected[] = [];
    for (const draft of drafts) {
      if (!isPossible(model, draft, caller)) continue;
      const next = toSent(model, real, draft, caller);
      sent.push(next);
      expected.push(decideNext(model, next));
    }
    const send = how === 'batch' ? sendBatch : streamIn(how);
    const results = await send(real, caller, sent.map(toItem));
    expectSame('the number of results', results.length, sent.length);
    results.forEach((result, i) => {
      const [of, due] = [sent[i], expected[i]];
      if (of && due) expectAnswer(model, of, readResult(result), due);
    });
  },
  toString: () => {
    const what = how === 'batch' ? 'a batch' : `a stream, ${how} a message`;
    return `${nameOf(caller)}: ${what} of ${drafts.map(describe).join(', ')}`;
  },
});

type Send = (
  real: Real,
  caller: Caller,
  items: readonly TransactionItem[],
) => Promise<readonly TransactionResult[]>;

const sendBatch: Send = async (real, caller, items) => {
  const method = WalletServiceService.batchCreateTransactions;
  const asked = { items: [...items], dryRun: false };
  const answer = await real.connection().call(method, asked, tokenOf(real, caller), timeoutMs);
  if (!answer.ok) throw new Error(`a batch was refused with ${answer.reason}`);
  return answer.value.results;
};

/** Several new requests in one call that happen together, or not at all. */
export const sendGroup = ({ caller, drafts }: Omit<Bundle, 'how'>): Command => ({
  check: (model) => drafts.every((draft) => isPossible(model, draft, caller)),
  run: async (model, real) => {
    const groupId = randomUUID();
    const group = drafts.map((draft) => ({ ...toSent(model, real, draft, caller), groupId }));
    const expected = decideGroup(model, group);
    const results = await sendBatch(real, caller, group.map(toItem));
    expectSame('the number of results', results.length, group.length);
    results.forEach((result, i) => {
      const [of, due] = [group[i], expected[i]];
      if (of && due) expectAnswer(model, of, readResult(result), due);
    });
  },
  toString: () => `${nameOf(caller)}: a group of ${drafts.map(describe).join(', ')}`,
});

const streamIn =
  (size: number): Send =>
  async (real, caller, items) => {
    const messages: TransactionItem[][] = [];
    for (let i = 0; i < items.length; i += size) messages.push(items.slice(i, i + size));
    const { address } = real.site.daemon();
    const { results, end } = await sendAll(address, tokenOf(real, caller), messages);
    expectSame('the end of the stream', end, 'OK');
    return results;
  };

const wireOf = (operation: OperationName): Operation =>
  Operation[operation.toUpperCase() as keyof typeof Operation];

const daySeconds = 86_400n;

function toItem({ caller, request, groupId }: Sent): TransactionItem {
  const { key, wallet, operation, amountMinor, parentId, merchant, payeeId, keepsRest } = request;
  return item({
    ...{ currency: wallet.currency, operation: wireOf(operation), idempotencyKey: key },
    ...(caller === 'staff' ? { userId: wallet.userId } : {}),
    ...(amountMinor === undefined ? {} : { amountMinor }),
    ...(parentId === undefined ? {} : { parentId }),
    ...(merchant === undefined ? {} : { merchant }),
    ...(payeeId === undefined ? {} : { toUserId: payeeId }),
    ...(keepsRest === undefined ? {} : { keepRest: keepsRest }),
    ...(groupId === undefined ? {} : { groupId }),
    // No clock of a run steps so far.
    ...(operation === 'hold' ? { expiresInSeconds: daySeconds } : {}),
  });
}

type Found = string | CreateTransactionResponse;

const readAnswer = (answer: Answer<CreateTransactionResponse>): Found =>
  answer.ok ? answer.value : answer.reason;

const readResult = ({ outcome }: TransactionResult): Found =>
  outcome?.$case === 'created' ? outcome.value : (outcome?.value.reason ?? 'nothing');

function expectAnswer(model: Model, { request }: Sent, found: Found, expected: Expected): void {
  const what = `${request.operation} with key ${request.key}`;
  model.answers += 1;
  if ('reason' in expected) {
    expectSame(what, typeof found === 'string' ? found : 'accepted', expected.reason);
    return;
  }
  const { id, seq, amountMinor, isReplayed, balanceMinor, heldMinor } = expected;
  const done = typeof found === 'string' ? undefined : found.transaction;
  expectSame(
    what,
    typeof found === 'string' ? found : [done?.id, done?.seq, done?.amountMinor, found.replayed],
    [id, BigInt(seq), amountMinor, isReplayed],
  );
  if (balanceMinor !== undefined) {
    expectSame(`${what}: the balance`, done?.balanceAfterMinor, balanceMinor);
    expectSame(`${what}: what is reserved`, done?.heldAfterMinor ?? 0n, heldMinor);
  }
}

export const nameOf = (caller: Caller): string =>
  caller === 'staff' ? 'operator' : `customer ${caller}`;

function describe(draft: Draft): string {
  if (draft.kind === 'move') return `${draft.operation} ${draft.amountMinor} on ${draft.place}`;
  if (draft.kind === 'hold') {
    return `hold ${draft.amountMinor} on ${draft.place}${draft.isForOther ? ', for the other' : ''}`;
  }
  if (draft.kind === 'undo' || draft.kind === 'use') {
    const part = draft.amountMinor === undefined ? '' : `${draft.amountMinor} `;
    return `${draft.operation} of ${part}of ${draft.parentAt} on ${draft.place}`;
  }
  return draft.kind === 'repeat' ? `again ${draft.at}` : `the key of ${draft.at}, another amount`;
}
