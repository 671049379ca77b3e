import { randomUUID } from 'node:crypto';

import type { AsyncCommand } from 'fast-check';

import {
  Operation,
  WalletServiceService,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { item } from '../../support/grpc/client.ts';
import {
  applyDone,
  decideRequest,
  sizeOf,
  uuidOf,
  type OperationName,
  type Request,
} from '../../support/ledger/wallet-model.ts';
import type { Model, Place, Sent } from '../model.ts';
import type { Customer, Real } from '../real.ts';
import { expectSame } from './expect.ts';

type Command = AsyncCommand<Model, Real>;

const timeoutMs = 15_000;

export type Movement = {
  readonly place: Place;
  readonly operation: 'deposit' | 'withdraw' | 'purchase';
  readonly amountMinor: bigint;
  readonly merchant: string | undefined;
};

/** A deposit, withdrawal or purchase under a new key. */
export const move = ({ place, operation, amountMinor, merchant }: Movement): Command => ({
  check: () => true,
  run: (model, real) => {
    const named = operation === 'purchase' ? merchant : undefined;
    const asked = { operation, amountMinor, merchant: named, parentId: undefined };
    return send(model, real, place, toRequest(real.customer(place), randomUUID(), asked));
  },
  toString: () => `${operation} ${amountMinor} on wallet ${place}`,
});

export type Undo = {
  readonly place: Place;
  readonly operation: 'reversal' | 'cancellation';
  /** Which of the transactions before it; also one of the other wallet. */
  readonly parentAt: number;
};

/** An undo of something that was sent before, whether that may be undone or not. */
export const undo = ({ place, operation, parentAt }: Undo): Command => ({
  check: ({ sent }) => sent.length > 0,
  run: (model, real) => {
    const parent = pick(model.sent, parentAt);
    const asked = { operation, parentId: parent.request.id };
    const whole = { ...asked, amountMinor: undefined, merchant: undefined };
    return send(model, real, place, toRequest(real.customer(place), randomUUID(), whole));
  },
  toString: () => `${operation} of ${parentAt} on wallet ${place}`,
});

/** Once more under its key, with the same content. */
export const repeat = (at: number): Command => ({
  check: ({ sent }) => sent.length > 0,
  run: (model, real) => {
    const { place, request } = pick(model.sent, at);
    return send(model, real, place, request);
  },
  toString: () => `again ${at}`,
});

/** Its key with another amount. */
export const reuseKey = (at: number): Command => ({
  check: ({ sent }) => sent.some(({ request }) => request.amountMinor !== undefined),
  run: (model, real) => {
    const withAmount = model.sent.filter(({ request }) => request.amountMinor !== undefined);
    const { place, request } = pick(withAmount, at);
    // Still below the largest that there is.
    const { amountMinor: before = 0n } = request;
    const amountMinor = before > 1n ? before - 1n : before + 1n;
    return send(model, real, place, { ...request, amountMinor });
  },
  toString: () => `the key of ${at} with another amount`,
});

function pick<T>(list: readonly T[], at: number): T {
  const found = list[at % list.length];
  if (found === undefined) throw new Error('nothing to pick from');
  return found;
}

function toRequest(
  { id: actor, wallet }: Customer,
  key: string,
  asked: Pick<Request, 'operation' | 'amountMinor' | 'merchant' | 'parentId'>,
): Request {
  const id = uuidOf(wallet.id, `customer:${key}`);
  return { ...asked, key, id, wallet, description: undefined, source: 'grpc', actor };
}

const wireOf = (operation: OperationName): Operation =>
  Operation[operation.toUpperCase() as keyof typeof Operation];

/** Sends it, and compares the answer with what the model decides. */
async function send(model: Model, real: Real, place: Place, request: Request): Promise<void> {
  const { key, wallet, operation, amountMinor, parentId, merchant } = request;
  const state = model.wallets[place];
  const verdict = decideRequest(state, request);
  const fields = {
    ...{ currency: wallet.currency, operation: wireOf(operation), idempotencyKey: key },
    ...(amountMinor === undefined ? {} : { amountMinor }),
    ...(parentId === undefined ? {} : { parentId }),
    ...(merchant === undefined ? {} : { merchant }),
  };
  const { token } = real.customer(place);
  const method = WalletServiceService.createTransaction;
  const asked = { item: item(fields), dryRun: false };
  const answer = await real.connection().call(method, asked, token, timeoutMs);
  const what = `${operation} with key ${key}`;
  if (verdict.kind === 'rejected') {
    expectSame(what, answer.ok ? 'accepted' : answer.reason, verdict.reason);
    model.sent.push({ place, request, seq: undefined });
    return;
  }
  if (verdict.kind === 'accepted') applyDone(state, verdict.done);
  const { seq, done } = findDone(model, place, request, verdict.kind === 'accepted');
  const found = answer.ok ? answer.value.transaction : undefined;
  expectSame(
    what,
    answer.ok ? [found?.id, found?.seq, found?.amountMinor, answer.value.replayed] : answer.reason,
    [request.id, BigInt(seq), sizeOf(done.amountMinor), verdict.kind === 'repeated'],
  );
  if (verdict.kind === 'repeated') return;
  expectSame(`${what}: the balance`, found?.balanceAfterMinor, state.balanceMinor);
  model.sent.push({ place, request, seq });
}

/** The transaction that this request has made, now or before. */
function findDone(model: Model, place: Place, { id }: Request, isNew: boolean) {
  const { done, seq } = model.wallets[place];
  const found = done.get(id);
  const before = model.sent.find((each: Sent) => each.request.id === id && each.seq !== undefined);
  if (!found) throw new Error(`the model has no transaction ${id}`);
  return { done: found, seq: isNew ? seq : (before?.seq ?? 0) };
}
