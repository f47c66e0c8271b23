/**
 * The Merkle tree of RFC 6962 over a growing list. Nothing here keeps the tree: a frontier of at most 53 hashes is
 * enough to grow it, and proofs are described as ranges of leaves whose hashes the caller looks up.
 */

/** SHA-256 of the bytes. A parameter, because the domain uses no module of Node. */
export type Sha256 = (data: Uint8Array) => Uint8Array;

/** A complete subtree: the `2^level` leaves from `index · 2^level` on. */
export interface Subtree {
  readonly level: number;
  readonly index: number;
}

/** Leaves `from ≤ i < to`. */
export interface LeafRange {
  readonly from: number;
  readonly to: number;
}

const hashBytes = 32;

/** Reused: a tree of a million leaves hashes a million nodes. */
const nodeInput = new Uint8Array(1 + 2 * hashBytes);

/** Hash of an inner node: `SHA-256(0x01 ‖ left ‖ right)` (RFC 6962 §2.1). */
export function nodeHash(sha256: Sha256, left: Uint8Array, right: Uint8Array): Uint8Array {
  nodeInput[0] = 0x01;
  nodeInput.set(left, 1);
  nodeInput.set(right, 1 + hashBytes);
  return sha256(nodeInput);
}

/** Divides a range into the fewest complete subtrees, from left to right. */
export function alignedSubtrees({ from, to }: LeafRange): Subtree[] {
  const subtrees: Subtree[] = [];
  for (let start = from; start < to; ) {
    let level = 0;
    let width = 1;
    while (start % (width * 2) === 0 && start + width * 2 <= to) {
      width *= 2;
      level += 1;
    }
    subtrees.push({ level, index: start / width });
    start += width;
  }
  return subtrees;
}

/** Hash of a range that is a node of the tree, from the hashes of its {@link alignedSubtrees}. */
export function foldSubtrees(sha256: Sha256, hashes: readonly Uint8Array[]): Uint8Array {
  return hashes.reduceRight((right, left) => nodeHash(sha256, left, right));
}

/** What has to be kept to let a tree grow: its size and the roots of its complete subtrees, largest first. */
export interface FrontierState {
  readonly size: number;
  readonly hashes: readonly Uint8Array[];
}

/** The right edge of a growing tree. Appending costs one hash on average, memory is logarithmic in the size. */
export class MerkleFrontier {
  readonly #sha256: Sha256;
  readonly #onSubtree: ((subtree: Subtree, hash: Uint8Array) => void) | undefined;
  readonly #peaks: { level: number; hash: Uint8Array }[];
  #size: number;

  /**
   * @param state where an earlier frontier stopped; the empty tree without
   * @param onSubtree called with every inner subtree when it becomes complete
   * @throws RangeError when the state's hashes do not fit its size
   */
  constructor(sha256: Sha256, state?: FrontierState, onSubtree?: (subtree: Subtree, hash: Uint8Array) => void) {
    this.#sha256 = sha256;
    this.#onSubtree = onSubtree;
    this.#size = state?.size ?? 0;
    const shape = alignedSubtrees({ from: 0, to: this.#size });
    if (shape.length !== (state?.hashes.length ?? 0)) throw new RangeError('The frontier does not fit its size.');
    this.#peaks = shape.map(({ level }, place) => ({ level, hash: state?.hashes[place] ?? new Uint8Array() }));
  }

  get size(): number {
    return this.#size;
  }

  /** Adds one leaf by its hash. */
  append(leafHash: Uint8Array): void {
    this.appendSubtree(0, leafHash);
  }

  /**
   * Adds the root of a complete subtree of `2^level` leaves.
   *
   * @throws RangeError when such a subtree cannot start at the present size
   */
  appendSubtree(level: number, hash: Uint8Array): void {
    const width = 2 ** level;
    if (this.#size % width !== 0) throw new RangeError(`No subtree of ${width} leaves starts at ${this.#size}.`);
    this.#size += width;
    let merged = { level, hash };
    for (let left = this.#peaks.at(-1); left?.level === merged.level; left = this.#peaks.at(-1)) {
      this.#peaks.pop();
      merged = { level: merged.level + 1, hash: nodeHash(this.#sha256, left.hash, merged.hash) };
      this.#onSubtree?.({ level: merged.level, index: this.#size / 2 ** merged.level - 1 }, merged.hash);
    }
    this.#peaks.push(merged);
  }

  /** Root of the tree so far; of the empty tree `SHA-256("")`. */
  root(): Uint8Array {
    if (this.#size === 0) return this.#sha256(new Uint8Array());
    return foldSubtrees(
      this.#sha256,
      this.#peaks.map((peak) => peak.hash),
    );
  }

  state(): FrontierState {
    return { size: this.#size, hashes: this.#peaks.map((peak) => peak.hash) };
  }
}

/** The nodes that prove that leaf `index` is in the tree of `size` leaves, from the leaf up (RFC 6962 §2.1.1). */
export function inclusionRanges(index: number, size: number): LeafRange[] {
  if (!(index >= 0 && index < size)) throw new RangeError(`Leaf ${index} is not in a tree of ${size}.`);
  const ranges: LeafRange[] = [];
  let { from, to } = { from: 0, to: size };
  while (to - from > 1) {
    const middle = from + largestPowerBelow(to - from);
    ranges.push(index < middle ? { from: middle, to } : { from, to: middle });
    if (index < middle) to = middle;
    else from = middle;
  }
  return ranges.reverse();
}

/** The nodes that prove that the tree of `first` leaves is the beginning of that of `second` (RFC 6962 §2.1.2). */
export function consistencyRanges(first: number, second: number): LeafRange[] {
  if (!(first >= 0 && first <= second)) throw new RangeError(`A tree of ${first} is no beginning of one of ${second}.`);
  if (first === 0 || first === second) return [];
  const ranges: LeafRange[] = [];
  let { from, to } = { from: 0, to: second };
  while (to !== first) {
    const middle = from + largestPowerBelow(to - from);
    ranges.push(first <= middle ? { from: middle, to } : { from, to: middle });
    if (first <= middle) to = middle;
    else from = middle;
  }
  // The last one is the part of the first tree that the verifier has not seen, unless it is that whole tree.
  if (from !== 0) ranges.push({ from, to });
  return ranges.reverse();
}

/** Checks an inclusion proof (RFC 9162 §2.1.3.2). */
export function verifyInclusion(
  sha256: Sha256,
  proof: readonly Uint8Array[],
  claim: { index: number; size: number; leaf_hash: Uint8Array; root_hash: Uint8Array },
): boolean {
  if (!(claim.index >= 0 && claim.index < claim.size)) return false;
  let place = claim.index;
  let last = claim.size - 1;
  let hash = claim.leaf_hash;
  for (const sibling of proof) {
    if (last === 0) return false;
    if (place % 2 === 1 || place === last) {
      hash = nodeHash(sha256, sibling, hash);
      while (place % 2 === 0 && place !== 0) [place, last] = [half(place), half(last)];
    } else {
      hash = nodeHash(sha256, hash, sibling);
    }
    [place, last] = [half(place), half(last)];
  }
  return last === 0 && sameBytes(hash, claim.root_hash);
}

/** Checks a consistency proof (RFC 9162 §2.1.4.2). The empty tree is the beginning of every tree. */
export function verifyConsistency(
  sha256: Sha256,
  proof: readonly Uint8Array[],
  claim: { first: number; second: number; first_root: Uint8Array; second_root: Uint8Array },
): boolean {
  const { first, second } = claim;
  if (first < 0 || first > second) return false;
  if (first === second) return proof.length === 0 && sameBytes(claim.first_root, claim.second_root);
  if (first === 0) return proof.length === 0;
  const path = isPowerOfTwo(first) ? [claim.first_root, ...proof] : [...proof];
  const start = path.shift();
  if (start === undefined) return false;
  let [place, last] = [first - 1, second - 1];
  while (place % 2 === 1) [place, last] = [half(place), half(last)];
  let [firstHash, secondHash] = [start, start];
  for (const sibling of path) {
    if (last === 0) return false;
    if (place % 2 === 1 || place === last) {
      firstHash = nodeHash(sha256, sibling, firstHash);
      secondHash = nodeHash(sha256, sibling, secondHash);
      while (place % 2 === 0 && place !== 0) [place, last] = [half(place), half(last)];
    } else {
      secondHash = nodeHash(sha256, secondHash, sibling);
    }
    [place, last] = [half(place), half(last)];
  }
  return last === 0 && sameBytes(firstHash, claim.first_root) && sameBytes(secondHash, claim.second_root);
}

/** Whether two hashes are equal. Hashes are public, so the comparison need not take constant time. */
export function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  for (let place = 0; place < left.length; place += 1) if (left[place] !== right[place]) return false;
  return true;
}

function largestPowerBelow(count: number): number {
  let power = 1;
  while (power * 2 < count) power *= 2;
  return power;
}

function isPowerOfTwo(count: number): boolean {
  return largestPowerBelow(count) * 2 === count || count === 1;
}

/** Halves without the 32-bit limit of the shift operators. */
function half(count: number): number {
  return Math.floor(count / 2);
}
