import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { concatBytes, toBase64url } from './bytes.ts';
import { toHex } from './crypto.ts';
import { leafHash, merklePath, merkleTree, verifyMerklePath } from './merkle.ts';
import { nodeCrypto } from './node-crypto.ts';

const crypto = nodeCrypto();
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));

/** The leaves and roots that the Certificate Transparency projects test with (RFC 6962 and RFC 9162 hash alike). */
const LEAVES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'].map(
  hex,
);
const ROOTS = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

/** RFC 9162 §2.1.1, word for word: the recursion that the levels have to equal. */
function recursiveRoot(leaves: readonly Uint8Array[]): Uint8Array {
  const sha = (...parts: Uint8Array[]): Uint8Array =>
    createHash('sha256')
      .update(concatBytes(...parts))
      .digest();
  if (leaves.length === 0) return sha();
  if (leaves.length === 1) return sha(Uint8Array.of(0), leaves[0] as Uint8Array);
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return sha(Uint8Array.of(1), recursiveRoot(leaves.slice(0, split)), recursiveRoot(leaves.slice(split)));
}

describe('the tree is that of RFC 9162', () => {
  test('known roots', () => {
    assert.equal(toHex(merkleTree(crypto, []).root), createHash('sha256').digest('hex'));
    ROOTS.forEach((root, i) => assert.equal(toHex(merkleTree(crypto, LEAVES.slice(0, i + 1)).root), root));
  });

  test('a known path', () => {
    const path = merklePath(merkleTree(crypto, LEAVES), 0).map(toHex);
    assert.deepEqual(path, [
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ]);
  });

  test('sizes 0 to 40 equal the recursive definition', () => {
    for (let size = 0; size <= 40; size++) {
      const leaves = Array.from({ length: size }, (_, i) => Uint8Array.of(i, size));
      assert.equal(toHex(merkleTree(crypto, leaves).root), toHex(recursiveRoot(leaves)));
    }
  });
});

describe('a path proves one leaf at one place of one tree', () => {
  const trees = Array.from({ length: 40 }, (_, i) => {
    const leaves = Array.from({ length: i + 1 }, (_, leaf) => Uint8Array.of(leaf));
    return { leaves, tree: merkleTree(crypto, leaves) };
  });
  const proofOf = ({ leaves, tree }: (typeof trees)[number], index: number) => ({
    data: leaves[index] as Uint8Array,
    index,
    leafCount: leaves.length,
    path: merklePath(tree, index),
    root: tree.root,
  });

  test('every leaf of every size', () => {
    for (const one of trees)
      for (let index = 0; index < one.leaves.length; index++)
        assert.ok(verifyMerklePath(crypto, proofOf(one, index)), `${index} of ${one.leaves.length}`);
  });

  test('no other index', () => {
    for (const one of trees)
      for (let index = 0; index < one.leaves.length; index++)
        for (let other = 0; other <= one.leaves.length; other++)
          if (other !== index) assert.ok(!verifyMerklePath(crypto, { ...proofOf(one, index), index: other }));
  });

  test('no shorter, longer or altered path, no other data or root', () => {
    for (const one of trees)
      for (let index = 0; index < one.leaves.length; index++) {
        const proof = proofOf(one, index);
        const hash = leafHash(crypto, Uint8Array.of(99));
        const refused = [
          { ...proof, path: [...proof.path, hash] },
          { ...proof, data: Uint8Array.of(77) },
          { ...proof, root: hash },
          ...proof.path.map((_, k) => ({ ...proof, path: proof.path.filter((_, i) => i !== k) })),
          ...proof.path.map((_, k) => ({ ...proof, path: proof.path.with(k, hash) })),
        ];
        for (const bad of refused) assert.ok(!verifyMerklePath(crypto, bad));
      }
  });

  test('no other leaf count that changes the shape of the path', () => {
    const proof = proofOf(trees[6] as (typeof trees)[number], 6); // 7 leaves: the last one's path is short
    assert.equal(proof.path.length, 2);
    for (const leafCount of [0, 6, 8, 9, 16, 2 ** 31, 2 ** 32 - 1])
      assert.ok(!verifyMerklePath(crypto, { ...proof, leafCount }), `${leafCount}`);
  });

  test('a tree of one leaf has no path, not even one that hashes to its root', () => {
    const [data, other] = [Uint8Array.of(1), Uint8Array.of(2)];
    const { root } = merkleTree(crypto, [data, other]);
    const path = [leafHash(crypto, other)];
    assert.ok(verifyMerklePath(crypto, { data, index: 0, leafCount: 2, path, root }));
    assert.ok(!verifyMerklePath(crypto, { data, index: 0, leafCount: 1, path, root }));
    const swapped = merkleTree(crypto, [other, data]).root; // the sibling would be put before it
    assert.ok(!verifyMerklePath(crypto, { data, index: 0, leafCount: 1, path, root: swapped }));
  });

  test('a node does not pass for a leaf', () => {
    const [left, right] = [Uint8Array.of(0), Uint8Array.of(1)];
    const tree = merkleTree(crypto, [left, right, Uint8Array.of(2), Uint8Array.of(3)]);
    const node = concatBytes(leafHash(crypto, left), leafHash(crypto, right));
    const path = [tree.levels[1]?.[1] as Uint8Array];
    assert.ok(!verifyMerklePath(crypto, { data: node, index: 0, leafCount: 2, path, root: tree.root }));
    assert.notEqual(toBase64url(tree.root), '');
  });
});
