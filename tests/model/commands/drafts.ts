import { randomUUID } from 'node:crypto';

import {
  applyDone,
  decideRequest,
  isUndo,
  sizeOf,
  uuidOf,
  type Request,
  type Verdict,
} from '../../support/ledger/wallet-model.ts';
import type { Caller, Model, Place, Sent } from '../model.ts';
import type { Real } from '../real.ts';

/** A request as it was generated: which wallet and which keys it is about is known once it is sent. */
export type Draft =
  | {
      readonly kind: 'move';
      /** Of a customer it is always their own. */
      readonly place: Place;
      readonly operation: 'deposit' | 'withdraw' | 'purchase';
      readonly amountMinor: bigint;
      readonly merchant: string | undefined;
    }
  | {
      readonly kind: 'undo';
      readonly place: Place;
      readonly operation: 'reversal' | 'cancellation';
      /** Which of all requests before it; also one of the other wallet, or one that was refused. */
      readonly parentAt: number;
    }
  /** One of the caller's requests again; or its key with another amount. */
  | { readonly kind: 'repeat'; readonly at: number }
  | { readonly kind: 'reuse'; readonly at: number };

/** False where there is nothing yet to undo or to repeat. */
export function isPossible({ sent }: Model, draft: Draft, caller: Caller): boolean {
  if (draft.kind === 'move') return true;
  if (draft.kind === 'undo') return sent.length > 0;
  return sent.some((each) => each.caller === caller && canBe(draft.kind, each));
}

const canBe = (kind: 'repeat' | 'reuse', { request }: Sent): boolean =>
  kind === 'repeat' || request.amountMinor !== undefined;

/** What is sent for it. */
export function toSent(model: Model, real: Real, draft: Draft, caller: Caller): Sent {
  if (draft.kind === 'repeat' || draft.kind === 'reuse') {
    const { kind, at } = draft;
    const before = model.sent.filter((each) => each.caller === caller && canBe(kind, each));
    const found = pick(before, at);
    return kind === 'repeat' ? found : { ...found, request: withOtherAmount(found.request) };
  }
  const place = caller === 'staff' ? draft.place : caller;
  const { wallet, id } = real.customer(place);
  const [callerClass, actor] =
    caller === 'staff' ? (['staff', real.operator.id] as const) : (['customer', id] as const);
  const key = randomUUID();
  const [amountMinor, parentId] =
    draft.kind === 'undo'
      ? [undefined, pick(model.sent, draft.parentAt).request.id]
      : [draft.amountMinor, undefined];
  const merchant = draft.operation === 'purchase' ? draft.merchant : undefined;
  const request: Request = {
    ...{ key, id: uuidOf(wallet.id, `${callerClass}:${key}`), wallet, actor, source: 'grpc' },
    ...{ operation: draft.operation, amountMinor, parentId, merchant, description: undefined },
  };
  return { caller, place, request };
}

function withOtherAmount(request: Request): Request {
  const { amountMinor: before = 0n } = request;
  // Still below the largest that there is.
  return { ...request, amountMinor: before > 1n ? before - 1n : before + 1n };
}

function pick<T>(list: readonly T[], at: number): T {
  const found = list[at % list.length];
  if (found === undefined) throw new Error('nothing to pick from');
  return found;
}

/** What must be answered to a request. */
export type Expected =
  | { readonly reason: string }
  | {
      readonly id: string;
      readonly seq: number;
      readonly amountMinor: bigint;
      readonly isReplayed: boolean;
      /** After it; undefined for a replay. */
      readonly balanceMinor: bigint | undefined;
    };

/** Does a request in the model. */
export function decideNext(model: Model, sent: Sent): Expected {
  const { place, request } = sent;
  const state = model.wallets[place];
  const verdict = decideWithStatus(model, sent);
  const isReplayed = verdict.kind === 'repeated';
  if (!isReplayed) model.sent.push(sent);
  if (verdict.kind === 'rejected') return { reason: verdict.reason };
  if (verdict.kind === 'accepted') {
    applyDone(state, verdict.done);
    model.seqs.set(request.id, state.seq);
  }
  const done = state.done.get(request.id);
  const seq = model.seqs.get(request.id);
  if (!done || seq === undefined) throw new Error(`the model has no transaction ${request.id}`);
  const balanceMinor = isReplayed ? undefined : state.balanceMinor;
  return { id: request.id, seq, amountMinor: sizeOf(done.amountMinor), isReplayed, balanceMinor };
}

/** On a frozen wallet only staff undo anything; what was done before is answered as ever. */
function decideWithStatus(model: Model, { caller, place, request }: Sent): Verdict {
  const state = model.wallets[place];
  const isAllowed = caller === 'staff' && isUndo(request.operation);
  if (!model.frozen[place] || isAllowed || state.done.has(request.id)) {
    return decideRequest(state, request);
  }
  return { kind: 'rejected', reason: 'WALLET_FROZEN' };
}
