import type { WalletOperation } from './operations.ts';

/**
 * The calls and returns of operations that have no place yet, in the order of time, as a doubly
 * linked list: an operation is taken out and put back in constant time. Operations are named by
 * their index. Calls of effects are not in it: their seq finds them.
 */
export type OpenOperations = {
  /** Reads and refusals that begin before the first return: each of these may be next. */
  next(after?: number): number | undefined;
  /** The first return of an operation without a place: nothing that begins later may be next. */
  limitMs(): number;
  /** Which operation returns first. */
  firstToReturn(): number | undefined;
  take(index: number): void;
  /** In the opposite order of `take`. */
  putBack(index: number): void;
};

type Node = { readonly index: number; readonly atMs: number; readonly isReturn: boolean };

/** Calls come before returns of the same moment: intervals that touch overlap. */
const compareNodes = (a: Node, b: Node): number =>
  a.atMs === b.atMs ? Number(a.isReturn) - Number(b.isReturn) : a.atMs < b.atMs ? -1 : 1;

const listNodes = (operations: readonly WalletOperation[]): readonly Node[] =>
  operations
    .flatMap(({ kind, startMs, endMs }, index) => [
      ...(kind === 'effect' ? [] : [{ index, atMs: startMs, isReturn: false }]),
      ...(endMs === Infinity ? [] : [{ index, atMs: endMs, isReturn: true }]),
    ])
    .sort(compareNodes);

export function createOpenOperations(operations: readonly WalletOperation[]): OpenOperations {
  const nodes = listNodes(operations);
  // Places from 1 on; 0 is the end and the beginning, and stands for a node that is not there.
  const following = new Int32Array(nodes.length + 1);
  const preceding = new Int32Array(nodes.length + 1);
  const calls = new Int32Array(operations.length);
  const returns = new Int32Array(operations.length);
  const isOut = new Uint8Array(operations.length);
  for (let place = 0; place <= nodes.length; place += 1) {
    following[place] = place === nodes.length ? 0 : place + 1;
    preceding[place] = place === 0 ? nodes.length : place - 1;
    const node = nodes[place - 1];
    if (node) (node.isReturn ? returns : calls)[node.index] = place;
  }
  const at = (list: Int32Array | Uint8Array, place: number): number => list[place] ?? 0;
  const unlink = (place: number): void => {
    if (place === 0) return;
    following[at(preceding, place)] = at(following, place);
    preceding[at(following, place)] = at(preceding, place);
  };
  const link = (place: number): void => {
    if (place === 0) return;
    following[at(preceding, place)] = place;
    preceding[at(following, place)] = place;
  };
  const findReturn = (): Node | undefined => {
    let place = at(following, 0);
    while (nodes[place - 1]?.isReturn === false) place = at(following, place);
    return nodes[place - 1];
  };
  return {
    next: (after) => {
      const place = after === undefined ? 0 : at(calls, after);
      // What was taken out is followed by whatever now follows the one before it.
      const isGone = after !== undefined && at(isOut, after) === 1;
      const node = nodes[at(following, isGone ? at(preceding, place) : place) - 1];
      return node && !node.isReturn ? node.index : undefined;
    },
    limitMs: () => findReturn()?.atMs ?? Infinity,
    firstToReturn: () => findReturn()?.index,
    take: (index) => {
      unlink(at(calls, index));
      unlink(at(returns, index));
      isOut[index] = 1;
    },
    putBack: (index) => {
      link(at(returns, index));
      link(at(calls, index));
      isOut[index] = 0;
    },
  };
}
