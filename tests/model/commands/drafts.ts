import { randomUUID } from 'node:crypto';

import { uuidOf, type Request } from '../../support/ledger/wallet-model.ts';
import type { Caller, Model, Place, Sent } from '../model.ts';
import type { Real } from '../real.ts';

/** A request as it was generated: which wallet and which keys it is about is known once it is sent. */
export type Draft =
  | {
      readonly kind: 'move';
      /** Of a customer it is always their own. */
      readonly place: Place;
      readonly operation: 'deposit' | 'withdraw' | 'purchase' | 'transfer';
      readonly amountMinor: bigint;
      readonly merchant: string | undefined;
    }
  | {
      readonly kind: 'hold';
      readonly place: Place;
      readonly operation: 'hold';
      readonly amountMinor: bigint;
      readonly merchant: string | undefined;
      /** A capture pays the other customer. */
      readonly isForOther: boolean;
    }
  | {
      readonly kind: 'use';
      readonly place: Place;
      readonly operation: 'capture' | 'release';
      /** A part; undefined for all that is left. */
      readonly amountMinor: bigint | undefined;
      readonly keepsRest: boolean;
      /** Which of all holds before it; also one of the other wallet, or one that was refused. */
      readonly parentAt: number;
    }
  | {
      readonly kind: 'undo';
      readonly place: Place;
      readonly operation: 'reversal' | 'cancellation';
      /** A part; undefined for all that is left. */
      readonly amountMinor: bigint | undefined;
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
  // Only staff place and use holds.
  if (draft.kind === 'hold') return caller === 'staff';
  if (draft.kind === 'use') return caller === 'staff' && sent.some(isHold);
  return sent.some((each) => each.caller === caller && canBe(draft.kind, each));
}

const isHold = ({ request }: Sent): boolean => request.operation === 'hold';

/** An item of a group by itself is another request than in its group. */
const canBe = (kind: 'repeat' | 'reuse', { request, groupId }: Sent): boolean =>
  groupId === undefined && (kind === 'repeat' || request.amountMinor !== undefined);

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
  const { amountMinor } = draft;
  const isToOther = draft.operation === 'transfer' || (draft.kind === 'hold' && draft.isForOther);
  const payeeId = isToOther ? real.customer(otherOf(place)).id : undefined;
  const isToMerchant = draft.operation === 'purchase' || draft.kind === 'hold';
  const merchant = isToMerchant && !isToOther ? draft.merchant : undefined;
  const request: Request = {
    ...{ key, id: uuidOf(wallet.id, `${callerClass}:${key}`), wallet, actor, source: 'grpc' },
    ...{ operation: draft.operation, amountMinor, merchant, payeeId, description: undefined },
    parentId: findParent(model, draft),
    ...(draft.operation === 'capture' ? { keepsRest: draft.keepsRest } : {}),
  };
  return { caller, place, request };
}

function findParent({ sent }: Model, draft: Draft): string | undefined {
  if (draft.kind === 'undo') return pick(sent, draft.parentAt).request.id;
  return draft.kind === 'use' ? pick(sent.filter(isHold), draft.parentAt).request.id : undefined;
}

export const otherOf = (place: Place): Place => (place === 0 ? 1 : 0);

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
