import {
  applyDone,
  createState,
  revertDone,
  type Done,
  type State,
} from '../../../support/ledger/wallet-model.ts';
import { decideEffect, isSeenIn } from './model.ts';
import { createOpenOperations } from './open-operations.ts';
import type { Effect, WalletOperation } from './operations.ts';

export type Found = {
  readonly isLinearizable: boolean;
  /** How many operations were put into a place, those that were taken out again included. */
  readonly steps: number;
  /** What has no place after the longest order that was found; undefined if linearizable. */
  readonly stuck: { readonly operation: WalletOperation; readonly seq: number } | undefined;
};

/** One choice of the next effect. */
type Frame = {
  readonly candidates: readonly number[];
  next: number;
  /** How long the order was before the effect that led here. */
  readonly length: number;
};

type Placed = { readonly index: number; readonly done: Done | undefined };

/**
 * Looks for an order of the operations of one wallet that the model of the ledger gives the same
 * answers in, and in which what ended before another began comes first (Wing & Gong, with Lowe's
 * memory of the configurations that were tried, as in Porcupine).
 *
 * Two things keep it fast. Reads and refusals change nothing, so each is placed at the first moment
 * at which it is true; no other place could allow more. And the seq of an answer is a place that
 * nothing else may take: choices are left only among operations whose seq is unknown.
 */
export function findOrder(unsorted: readonly WalletOperation[]): Found {
  const operations = [...unsorted].sort((a, b) =>
    a.startMs === b.startMs ? 0 : a.startMs < b.startMs ? -1 : 1,
  );
  const search = createSearch(operations);
  let hasBranched = false;
  if (search.isAmbiguous) return search.found(false);
  search.close();
  const frames: Frame[] = [{ candidates: search.listCandidates(), next: 0, length: 0 }];
  while (search.required() > 0) {
    const frame = frames.at(-1);
    if (!frame) return search.found(false);
    const index = frame.candidates[frame.next];
    frame.next += 1;
    if (index === undefined) {
      frames.pop();
      search.backTo(frame.length);
      continue;
    }
    const length = search.length();
    if (!search.place(index)) continue;
    search.close();
    // Without a choice before, nothing can have been tried before.
    hasBranched ||= frame.candidates.length > 1;
    if (hasBranched && search.isKnown()) {
      search.backTo(length);
      continue;
    }
    frames.push({ candidates: search.listCandidates(), next: 0, length });
  }
  return search.found(true);
}

/** The order so far, and the steps of the search. */
function createSearch(operations: readonly WalletOperation[]) {
  const state: State = createState();
  const open = createOpenOperations(operations.map(withoutEndIfOptional));
  const { owners, unnumbered, isAmbiguous } = listEffects(operations);
  const order: Placed[] = [];
  const isPlaced = new Uint8Array(operations.length);
  const tried = new Set<string>();
  let required = operations.filter(isNeeded).length;
  let steps = 0;
  let longest: { readonly required: number; readonly stuck: Found['stuck'] } | undefined;

  const put = (index: number, done: Done | undefined): void => {
    const operation = operations[index];
    open.take(index);
    isPlaced[index] = 1;
    order.push({ index, done });
    if (done) applyDone(state, done);
    if (operation && isNeeded(operation)) required -= 1;
    steps += 1;
  };
  return {
    isAmbiguous,
    required: () => required,
    length: () => order.length,
    /** Puts an effect next; false if it cannot be next. */
    place: (index: number): boolean => {
      const effect = operations[index];
      const done = effect?.kind === 'effect' ? decideEffect(state, effect) : undefined;
      if (done) put(index, done);
      return done !== undefined;
    },
    /** Places all reads and refusals that are true now. */
    close: (): void => {
      for (let index = open.next(); index !== undefined; index = open.next(index)) {
        const seen = operations[index];
        if (seen && seen.kind !== 'effect' && isSeenIn(state, seen)) put(index, undefined);
      }
      if (longest && longest.required <= required) return;
      const first = open.firstToReturn();
      const operation = operations[first ?? isPlaced.indexOf(0)];
      longest = { required, stuck: operation && { operation, seq: state.seq } };
    },
    listCandidates: (): readonly number[] => {
      const limitMs = open.limitMs();
      const isPossible = (index: number): boolean =>
        isPlaced[index] === 0 && (operations[index]?.startMs ?? Infinity) <= limitMs;
      const owner = owners.get(state.seq + 1);
      return (owner === undefined ? unnumbered : [owner]).filter(isPossible);
    },
    /** True if the same operations have been placed before, in whatever order. */
    isKnown: (): boolean => {
      const first = operations.findIndex((one, index) => isNeeded(one) && isPlaced[index] === 0);
      const others = operations.flatMap((one, index) =>
        isPlaced[index] === 1 && (index > first || !isNeeded(one)) ? index : [],
      );
      const name = [first, ...others].join();
      if (tried.has(name)) return true;
      tried.add(name);
      return false;
    },
    backTo: (length: number): void => {
      while (order.length > length) {
        const last = order.pop();
        if (!last) return;
        if (last.done) revertDone(state, last.done);
        open.putBack(last.index);
        isPlaced[last.index] = 0;
        const operation = operations[last.index];
        if (operation && isNeeded(operation)) required += 1;
      }
    },
    found: (isLinearizable: boolean): Found => ({
      ...{ isLinearizable, steps },
      stuck: isLinearizable ? undefined : longest?.stuck,
    }),
  };
}

const isNeeded = (operation: WalletOperation): boolean =>
  operation.kind !== 'effect' || operation.isRequired;

/** What may never have happened has no moment by which it must have. */
const withoutEndIfOptional = (operation: WalletOperation): WalletOperation =>
  isNeeded(operation) ? operation : { ...operation, endMs: Infinity };

type Effects = {
  /** Which operation has each seq. */
  readonly owners: ReadonlyMap<number, number>;
  readonly unnumbered: readonly number[];
  /** Two operations have one seq: no order can be right. */
  readonly isAmbiguous: boolean;
};

function listEffects(operations: readonly WalletOperation[]): Effects {
  const owners = new Map<number, number>();
  const unnumbered: number[] = [];
  let isAmbiguous = false;
  for (const [index, operation] of operations.entries()) {
    if (operation.kind !== 'effect') continue;
    const { seq, isRequired }: Effect = operation;
    if (seq === undefined || !isRequired) unnumbered.push(index);
    else if (owners.has(seq)) isAmbiguous = true;
    else owners.set(seq, index);
  }
  return { owners, unnumbered, isAmbiguous };
}
