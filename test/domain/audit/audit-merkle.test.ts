import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  MerkleFrontier,
  alignedSubtrees,
  consistencyRanges,
  foldSubtrees,
  inclusionRanges,
  nodeHash,
  verifyConsistency,
  verifyInclusion,
} from '../../../src/domain/audit/audit-merkle.ts';
import type { LeafRange, Sha256, Subtree } from '../../../src/domain/audit/audit-merkle.ts';

const sha256: Sha256 = (data) => createHash('sha256').update(data).digest();
const leafHash = (data: string) => sha256(Buffer.concat([Buffer.from([0]), Buffer.from(data, 'hex')]));
const leaves = Array.from({ length: 300 }, (_, index) => leafHash(Buffer.from(`entry ${index}`).toString('hex')));

/** The definition of RFC 6962 §2.1, literally. */
function treeHash(hashes: readonly Uint8Array[]): Uint8Array {
  if (hashes.length === 0) return sha256(new Uint8Array());
  const [only] = hashes;
  if (hashes.length === 1 && only !== undefined) return only;
  let split = 1;
  while (split * 2 < hashes.length) split *= 2;
  return nodeHash(sha256, treeHash(hashes.slice(0, split)), treeHash(hashes.slice(split)));
}

const rangeHash = ({ from, to }: LeafRange) => treeHash(leaves.slice(from, to));
const subtreeHash = ({ level, index }: Subtree) => rangeHash({ from: index * 2 ** level, to: (index + 1) * 2 ** level });
const frontierOf = (size: number) => {
  const frontier = new MerkleFrontier(sha256);
  for (const leaf of leaves.slice(0, size)) frontier.append(leaf);
  return frontier;
};
const sizes = fc.integer({ min: 0, max: leaves.length });
const twoSizes = fc.tuple(sizes, sizes).map(([a, b]): [number, number] => (a < b ? [a, b] : [b, a]));

describe('the Merkle tree of a chain (RFC 6962)', () => {
  it('gives the roots of the test vectors of Certificate Transparency', () => {
    const inputs = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
    const frontier = new MerkleFrontier(sha256);
    for (const input of inputs) frontier.append(leafHash(input));
    expect(Buffer.from(frontier.root()).toString('hex')).toBe(
      '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
    );
    expect(Buffer.from(new MerkleFrontier(sha256).root()).toString('hex')).toBe(
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    );
  });

  it('has the root of the definition at every size, and continues from a stored frontier', () => {
    fc.assert(
      fc.property(twoSizes, ([stop, size]) => {
        const resumed = new MerkleFrontier(sha256, frontierOf(stop).state());
        for (const leaf of leaves.slice(stop, size)) resumed.append(leaf);
        expect(resumed.root()).toEqual(treeHash(leaves.slice(0, size)));
      }),
    );
  });

  it('reports every inner subtree once, when it is complete', () => {
    const told = new Map<string, Uint8Array>();
    const frontier = new MerkleFrontier(sha256, undefined, (subtree, hash) => {
      expect(told.has(`${subtree.level}/${subtree.index}`)).toBe(false);
      told.set(`${subtree.level}/${subtree.index}`, hash);
      expect(hash).toEqual(subtreeHash(subtree));
    });
    for (const leaf of leaves) frontier.append(leaf);
    expect(told.size).toBe(150 + 75 + 37 + 18 + 9 + 4 + 2 + 1);
  });

  it('accepts subtrees in place of their leaves, and refuses one that does not fit', () => {
    fc.assert(
      fc.property(twoSizes, ([from, to]) => {
        const frontier = frontierOf(from);
        for (const subtree of alignedSubtrees({ from, to })) frontier.appendSubtree(subtree.level, subtreeHash(subtree));
        expect(frontier.root()).toEqual(treeHash(leaves.slice(0, to)));
      }),
    );
    expect(() => frontierOf(3).appendSubtree(1, leaves[0] ?? new Uint8Array())).toThrow(RangeError);
    expect(() => new MerkleFrontier(sha256, { size: 3, hashes: [] })).toThrow(RangeError);
  });

  it('divides every range into adjacent complete subtrees', () => {
    fc.assert(
      fc.property(twoSizes, ([from, to]) => {
        let place = from;
        for (const { level, index } of alignedSubtrees({ from, to })) {
          expect(index * 2 ** level).toBe(place);
          place += 2 ** level;
        }
        expect(place).toBe(to);
      }),
    );
  });

  it('proves every leaf of every tree, and accepts no other proof', () => {
    const leafOfTree = fc.integer({ min: 1, max: leaves.length }).chain((size) =>
      fc.record({ size: fc.constant(size), index: fc.integer({ min: 0, max: size - 1 }) }),
    );
    fc.assert(
      fc.property(leafOfTree, fc.nat(), ({ size, index }, noise) => {
        const ranges = inclusionRanges(index, size);
        const proof = ranges.map((range) => foldSubtrees(sha256, alignedSubtrees(range).map(subtreeHash)));
        expect(proof).toEqual(ranges.map(rangeHash));
        const claim = { index, size, leaf_hash: leaves[index] ?? new Uint8Array(), root_hash: treeHash(leaves.slice(0, size)) };
        expect(verifyInclusion(sha256, proof, claim)).toBe(true);
        expect(verifyInclusion(sha256, proof, { ...claim, leaf_hash: leafHash('ff') })).toBe(false);
        expect(verifyInclusion(sha256, proof, { ...claim, root_hash: leafHash('ff') })).toBe(false);
        expect(verifyInclusion(sha256, [...proof, leafHash('ff')], claim)).toBe(false);
        if (proof.length > 0) {
          const changed = proof.with(noise % proof.length, leafHash('ff'));
          expect(verifyInclusion(sha256, changed, claim)).toBe(false);
          expect(verifyInclusion(sha256, proof.slice(1), claim)).toBe(false);
        }
      }),
    );
  });

  it('proves that every tree is the beginning of every larger one, and no other is', () => {
    fc.assert(
      fc.property(twoSizes, fc.nat(), ([first, second], noise) => {
        const proof = consistencyRanges(first, second).map(rangeHash);
        const claim = {
          first,
          second,
          first_root: treeHash(leaves.slice(0, first)),
          second_root: treeHash(leaves.slice(0, second)),
        };
        expect(verifyConsistency(sha256, proof, claim)).toBe(true);
        expect(verifyConsistency(sha256, [...proof, leafHash('ff')], claim)).toBe(false);
        if (first > 0) {
          expect(verifyConsistency(sha256, proof, { ...claim, first_root: leafHash('ff') })).toBe(false);
          expect(verifyConsistency(sha256, proof, { ...claim, second_root: leafHash('ff') })).toBe(false);
        }
        if (proof.length > 0) {
          expect(verifyConsistency(sha256, proof.with(noise % proof.length, leafHash('ff')), claim)).toBe(false);
          expect(verifyConsistency(sha256, proof.slice(1), claim)).toBe(false);
        }
      }),
    );
    expect(() => consistencyRanges(3, 2)).toThrow(RangeError);
    expect(() => inclusionRanges(2, 2)).toThrow(RangeError);
  });
});
