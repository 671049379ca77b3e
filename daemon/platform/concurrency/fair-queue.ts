/**
 * A queue that is served in turn: at each level of a path, one item of every key after the other.
 * With the path `[network, account]`, networks take turns, and so do the accounts of a network.
 */
export type FairQueue<T> = {
  size(): number;
  /** How many items wait below this path, which may be a prefix. */
  sizeOf(path: readonly string[]): number;
  /** `isFirst`: before all others of its path. */
  push(path: readonly string[], item: T, isFirst?: boolean): void;
  /** The next item in turn. */
  shift(): T | undefined;
  /** Takes out the newest item of the longest branch, and of its longest branch, and so on. */
  popLongest(): T | undefined;
  /** Takes out all items for which this holds. */
  sweep(isUnwanted: (item: T) => boolean): T[];
  /** The size of the longest branch of the first level. */
  longest(): number;
};

type Node<T> = {
  size: number;
  /** In the order of their turns: the first is next. */
  readonly branches: Map<string, Node<T>>;
  items: T[];
};

const createNode = <T>(): Node<T> => ({ size: 0, branches: new Map(), items: [] });

/** All paths of one queue have the same length. */
export function createFairQueue<T>(): FairQueue<T> {
  const root = createNode<T>();
  return {
    size: () => root.size,
    sizeOf: (path) => {
      let node: Node<T> | undefined = root;
      for (const key of path) node = node?.branches.get(key);
      return node?.size ?? 0;
    },
    push: (path, item, isFirst = false) => {
      let node = root;
      node.size += 1;
      for (const key of path) {
        const branch = node.branches.get(key) ?? createNode<T>();
        node.branches.set(key, branch);
        branch.size += 1;
        node = branch;
      }
      if (isFirst) node.items.unshift(item);
      else node.items.push(item);
    },
    shift: () => shiftFrom(root),
    popLongest: () => popLongestFrom(root),
    sweep: (isUnwanted) => sweepFrom(root, isUnwanted),
    longest: () => findLongest(root)?.[1].size ?? root.size,
  };
}

function shiftFrom<T>(node: Node<T>): T | undefined {
  if (node.size === 0) return undefined;
  node.size -= 1;
  for (const [key, branch] of node.branches) {
    node.branches.delete(key);
    const item = shiftFrom(branch);
    // Behind the others: its next turn comes after one of each of them.
    if (branch.size > 0) node.branches.set(key, branch);
    return item;
  }
  return node.items.shift();
}

function findLongest<T>(node: Node<T>): [string, Node<T>] | undefined {
  let longest: [string, Node<T>] | undefined;
  for (const entry of node.branches) {
    if (!longest || entry[1].size > longest[1].size) longest = entry;
  }
  return longest;
}

function popLongestFrom<T>(node: Node<T>): T | undefined {
  if (node.size === 0) return undefined;
  node.size -= 1;
  const longest = findLongest(node);
  if (!longest) return node.items.pop();
  const [key, branch] = longest;
  const item = popLongestFrom(branch);
  if (branch.size === 0) node.branches.delete(key);
  return item;
}

function sweepFrom<T>(node: Node<T>, isUnwanted: (item: T) => boolean): T[] {
  const swept = node.items.filter(isUnwanted);
  if (swept.length > 0) node.items = node.items.filter((item) => !isUnwanted(item));
  for (const [key, branch] of node.branches) {
    swept.push(...sweepFrom(branch, isUnwanted));
    if (branch.size === 0) node.branches.delete(key);
  }
  node.size -= swept.length;
  return swept;
}
