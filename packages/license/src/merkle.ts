import { concatBytes, equalBytes } from './bytes.ts';
import type { Crypto } from './crypto.ts';

/**
 * Merkle tree hash of RFC 9162 §2.1 (FORMATS §5.1): leaf = H(0x00 ‖ data), node = H(0x01 ‖ left ‖ right), split at the largest power
 * of two below n, empty tree = H(""). The prefixes keep a node from passing for a leaf; no leaf is ever doubled.
 */
export function leafHash(crypto: Crypto, data: Uint8Array): Uint8Array {
  const input = hashInput(1 + data.length);
  input[0] = 0;
  input.set(data, 1);
  return crypto.sha256(input);
}

function nodeHash(crypto: Crypto, left: Uint8Array, right: Uint8Array): Uint8Array {
  const input = hashInput(65);
  input[0] = 1;
  input.set(left, 1);
  input.set(right, 33);
  return crypto.sha256(input);
}

const scratch = new Uint8Array(4_096);

/** Memory for what is hashed at once and then forgotten. */
function hashInput(length: number): Uint8Array {
  return length <= scratch.length ? scratch.subarray(0, length) : new Uint8Array(length);
}

/**
 * All levels, leaves first. Level k+1 pairs level k from the left and carries an odd last node up unchanged: that is the
 * same tree as the recursive definition.
 */
export interface MerkleTree {
  readonly levels: readonly (readonly Uint8Array[])[];
  readonly root: Uint8Array;
}

export function merkleTree(crypto: Crypto, leaves: readonly Uint8Array[]): MerkleTree {
  if (leaves.length === 0) return { levels: [[]], root: crypto.sha256(new Uint8Array(0)) };
  let level: readonly Uint8Array[] = leaves.map((leaf) => leafHash(crypto, leaf));
  const levels = [level];
  while (level.length > 1) {
    const next: Uint8Array[] = [];
    for (let i = 0; i + 1 < level.length; i += 2) next.push(nodeHash(crypto, at(level, i), at(level, i + 1)));
    if (level.length % 2 === 1) next.push(at(level, level.length - 1));
    levels.push(next);
    level = next;
  }
  return { levels, root: at(level, 0) };
}

/** The inclusion proof of leaf `index`, lowest level first (RFC 9162 §2.1.3.1). */
export function merklePath(tree: MerkleTree, index: number): Uint8Array[] {
  const path: Uint8Array[] = [];
  let position = index;
  for (const level of tree.levels.slice(0, -1)) {
    const sibling = level[position ^ 1];
    if (sibling !== undefined) path.push(sibling);
    position >>>= 1;
  }
  return path;
}

/** True if `data` is leaf `index` of the tree of `leafCount` leaves with this root (RFC 9162 §2.1.3.2). */
export function verifyMerklePath(
  crypto: Crypto,
  proof: { data: Uint8Array; index: number; leafCount: number; path: readonly Uint8Array[]; root: Uint8Array },
): boolean {
  if (proof.index >= proof.leafCount) return false;
  let hash = leafHash(crypto, proof.data);
  let position = proof.index;
  let last = proof.leafCount - 1;
  for (const sibling of proof.path) {
    if (last === 0) return false; // longer than the tree is high
    if (position % 2 === 1 || position === last) {
      hash = nodeHash(crypto, sibling, hash);
      while (position % 2 === 0 && position !== 0) {
        position >>>= 1;
        last >>>= 1;
      }
    } else {
      hash = nodeHash(crypto, hash, sibling);
    }
    position >>>= 1;
    last >>>= 1;
  }
  return last === 0 && equalBytes(hash, proof.root);
}

function at(level: readonly Uint8Array[], index: number): Uint8Array {
  const hash = level[index];
  if (hash === undefined) throw new RangeError('no such node');
  return hash;
}

/** Hash with a domain: H(tag ‖ parts). `tag` is 16 bytes, so that no two domains share an input. */
export function taggedHash(crypto: Crypto, tag: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  return crypto.sha256(concatBytes(tag, ...parts));
}
