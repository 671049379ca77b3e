import { createHash } from 'node:crypto';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { createMerkleTree, emptyRoot, leafHash, pathOf, rootOf, rootOfPath } from './merkle.ts';

// The leaves and roots of the test data of the Certificate Transparency project.
const leaves = [
  ...['', '00', '10', '2021', '3031', '40414243', '5051525354555657'],
  '606162636465666768696a6b6c6d6e6f',
].map((hex) => leafHash(Buffer.from(hex, 'hex')));
const roots = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

/** The definition of RFC 6962, word by word. */
function definedRoot(hashes: readonly Buffer[]): Buffer {
  const [only] = hashes;
  if (!only) return createHash('sha256').digest();
  if (hashes.length === 1) return only;
  let left = 1;
  while (2 * left < hashes.length) left *= 2;
  return createHash('sha256')
    .update(Buffer.of(1))
    .update(definedRoot(hashes.slice(0, left)))
    .update(definedRoot(hashes.slice(left)))
    .digest();
}

const hashesOf = (count: number): Buffer[] =>
  Array.from({ length: count }, (_, i) => leafHash(Buffer.from(String(i))));
const sizes = fc.integer({ min: 1, max: 200 });

describe('roots', () => {
  it.each(roots.map((root, i) => [i + 1, root] as const))(
    'the root of the first %i leaves of the test data is the published one',
    (count, root) => {
      expect(rootOf(leaves.slice(0, count)).toString('hex')).toBe(root);
    },
  );

  it('the root of no leaves is the hash of nothing', () => {
    expect(createMerkleTree().root()).toEqual(emptyRoot);
    expect(emptyRoot).toEqual(definedRoot([]));
  });

  it('a root is as the definition says, and adding goes on after it was asked for', () => {
    fc.assert(
      fc.property(sizes, (count) => {
        const tree = createMerkleTree();
        const hashes = hashesOf(count);
        hashes.forEach((each, i) => {
          tree.add(each);
          if (i % 7 === 0) expect(tree.root()).toEqual(definedRoot(hashes.slice(0, i + 1)));
        });
        expect(tree.root()).toEqual(definedRoot(hashes));
      }),
    );
  });

  it('the root of blocks of a power of two is the root of their leaves', () => {
    fc.assert(
      fc.property(sizes, fc.constantFrom(1, 2, 8, 32), (count, block) => {
        const hashes = hashesOf(count);
        const blocks: Buffer[] = [];
        for (let at = 0; at < count; at += block) blocks.push(rootOf(hashes.slice(at, at + block)));
        expect(rootOf(blocks)).toEqual(definedRoot(hashes));
      }),
    );
  });
});

describe('paths', () => {
  const anyLeaf = sizes.chain((count) =>
    fc.record({ count: fc.constant(count), index: fc.nat({ max: count - 1 }) }),
  );

  it('the path of each leaf leads to the root, also where it is put together from blocks', () => {
    fc.assert(
      fc.property(anyLeaf, fc.constantFrom(4, 16, 256), ({ count, index }, block) => {
        const hashes = hashesOf(count);
        const root = definedRoot(hashes);
        const leaf = hashes[index] ?? emptyRoot;
        const path = pathOf(hashes, index);
        expect(rootOfPath(leaf, BigInt(index), BigInt(count), path)).toEqual(root);
        const blocks: Buffer[] = [];
        for (let at = 0; at < count; at += block) blocks.push(rootOf(hashes.slice(at, at + block)));
        const place = Math.floor(index / block);
        const own = hashes.slice(place * block, (place + 1) * block);
        expect([...pathOf(own, index % block), ...pathOf(blocks, place)]).toEqual(path);
      }),
    );
  });

  it('a path leads elsewhere from another leaf, place, size or with another hash', () => {
    fc.assert(
      fc.property(anyLeaf, fc.nat(), ({ count, index }, seed) => {
        const hashes = hashesOf(count);
        const root = definedRoot(hashes).toString('hex');
        const leaf = hashes[index] ?? emptyRoot;
        const path = pathOf(hashes, index);
        const lead = (from: Buffer, at: number, size: number, way: readonly Buffer[]) =>
          rootOfPath(from, BigInt(at), BigInt(size), way)?.toString('hex');
        expect(lead(leafHash(Buffer.from('other')), index, count, path)).not.toBe(root);
        expect(lead(leaf, index, count, [...path, leaf])).toBeUndefined();
        if (path.length === 0) return;
        expect(lead(leaf, index, count, path.slice(0, -1))).toBeUndefined();
        expect(lead(leaf, index, count, path.slice(1))).not.toBe(root);
        const changed = path.map((each, i) => (i === seed % path.length ? leaf : each));
        expect(lead(leaf, index, count, changed)).not.toBe(root);
        expect(lead(leaf, (index + 1) % count, count, path)).not.toBe(root);
      }),
    );
  });

  it('there is no path outside of the tree', () => {
    expect(() => pathOf(hashesOf(3), 3)).toThrow('there is no leaf 3');
    expect(rootOfPath(emptyRoot, 3n, 3n, [])).toBeUndefined();
    expect(rootOfPath(emptyRoot, -1n, 3n, [])).toBeUndefined();
  });
});
