import { hash } from 'node:crypto';

/*
 * The Merkle tree of RFC 6962, section 2.1: a leaf's hash is SHA-256 over 0 and the leaf's bytes,
 * an inner node's over 1 and the hashes of its two children. The left child of n leaves has
 * the largest power of two below n.
 */

const hashBytes = 32;
const node = Buffer.alloc(1 + 2 * hashBytes, 1);

export const leafHash = (bytes: Uint8Array): Buffer =>
  hash('sha256', Buffer.concat([Buffer.of(0), bytes]), 'buffer');

function nodeHash(left: Buffer, right: Buffer): Buffer {
  left.copy(node, 1);
  right.copy(node, 1 + hashBytes);
  return hash('sha256', node, 'buffer');
}

/** The root of a tree without leaves: SHA-256 over nothing. */
export const emptyRoot: Buffer = hash('sha256', Buffer.alloc(0), 'buffer');

/**
 * A tree of hashes that are added from left to right: those of leaves, or those of whole subtrees
 * of one power of two each, but for the last. It keeps one hash for each level.
 */
export function createMerkleTree() {
  const roots: { readonly size: number; readonly hash: Buffer }[] = [];
  return {
    add: (added: Buffer): void => {
      let last = { size: 1, hash: added };
      for (let top = roots.at(-1); top?.size === last.size; top = roots.at(-1)) {
        roots.pop();
        last = { size: 2 * last.size, hash: nodeHash(top.hash, last.hash) };
      }
      roots.push(last);
    },
    root: (): Buffer =>
      roots.length === 0
        ? emptyRoot
        : roots.map((root) => root.hash).reduceRight((right, left) => nodeHash(left, right)),
  };
}

export function rootOf(hashes: readonly Buffer[]): Buffer {
  const tree = createMerkleTree();
  for (const each of hashes) tree.add(each);
  return tree.root();
}

/** The hashes that lead from one of these to their root, from below (RFC 6962, 2.1.1). */
export function pathOf(hashes: readonly Buffer[], index: number): Buffer[] {
  if (index < 0 || index >= hashes.length) throw new Error(`there is no leaf ${index}`);
  if (hashes.length === 1) return [];
  let left = 1;
  while (2 * left < hashes.length) left *= 2;
  return index < left
    ? [...pathOf(hashes.slice(0, left), index), rootOf(hashes.slice(left))]
    : [...pathOf(hashes.slice(left), index - left), rootOf(hashes.slice(0, left))];
}

/**
 * The root that a path leads to from the leaf with this hash, at `index` in a tree of `size` leaves
 * (RFC 9162, 2.1.3.2). Undefined where a tree of that size has no such path.
 */
export function rootOfPath(
  leaf: Buffer,
  index: bigint,
  size: bigint,
  path: readonly Buffer[],
): Buffer | undefined {
  if (index < 0n || index >= size) return undefined;
  let [at, last, root] = [index, size - 1n, leaf];
  for (const sibling of path) {
    if (last === 0n) return undefined;
    if ((at & 1n) === 1n || at === last) {
      root = nodeHash(sibling, root);
      while (at !== 0n && (at & 1n) === 0n) [at, last] = [at >> 1n, last >> 1n];
    } else {
      root = nodeHash(root, sibling);
    }
    [at, last] = [at >> 1n, last >> 1n];
  }
  return last === 0n ? root : undefined;
}
