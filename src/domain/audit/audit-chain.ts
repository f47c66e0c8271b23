import { MerkleFrontier, sameBytes } from './audit-merkle.ts';
import type { FrontierState, Sha256, Subtree } from './audit-merkle.ts';

/**
 * How the chain is hashed (S2-73). The SQL function `audit_append` computes the same; the first byte keeps the uses of
 * SHA-256 apart, and 0x00 and 0x01 are those of RFC 6962, so that the entry hash is at once the leaf of the Merkle
 * tree:
 *
 *     entry_hash = SHA-256(0x00 ‖ int64 seq ‖ int64 recorded_at in ms ‖ entry text)
 *     chain_hash = SHA-256(0x02 ‖ chain_hash of seq − 1 ‖ entry_hash)
 *     chain_hash of seq 0 = SHA-256("castellan/audit/v1/" ‖ chain id)
 */
const leafPrefix = 0x00;
const linkPrefix = 0x02;
const hashBytes = 32;
const leafHeaderBytes = 17;

const utf8 = new TextEncoder();

/**
 * One row of a chain as it is stored or exported. Sequences start at 1, the Merkle leaf of `seq` has index `seq − 1`.
 */
export interface ChainRow {
  readonly seq: number;
  readonly recorded_at_ms: number;
  /** UTF-8 of the RFC 8785 text. */
  readonly entry: Uint8Array;
  /** UTF-8 of the canonical private part; null when it is not there. */
  readonly private: Uint8Array | null;
  readonly entry_hash: Uint8Array;
  readonly chain_hash: Uint8Array;
}

/** What a chain starts from. */
export function genesisHash(sha256: Sha256, chainId: string): Uint8Array {
  return sha256(utf8.encode(`castellan/audit/v1/${chainId}`));
}

/** Reused: a verification hashes three inputs for every row, and allocating each would cost more than the hashes. */
let leafInput = new Uint8Array(1024);
const linkInput = new Uint8Array(1 + 2 * hashBytes);

/** Hash of one row without its private part, and its leaf in the Merkle tree. */
export function entryHash(sha256: Sha256, row: Pick<ChainRow, 'seq' | 'recorded_at_ms' | 'entry'>): Uint8Array {
  const length = leafHeaderBytes + row.entry.length;
  if (length > leafInput.length) leafInput = new Uint8Array(2 * length);
  leafInput[0] = leafPrefix;
  setInt64(leafInput, 1, row.seq);
  setInt64(leafInput, 9, row.recorded_at_ms);
  leafInput.set(row.entry, leafHeaderBytes);
  return sha256(leafInput.subarray(0, length));
}

/** Hash that ties a row to everything before it. */
export function linkHash(sha256: Sha256, previous: Uint8Array, entry: Uint8Array): Uint8Array {
  linkInput[0] = linkPrefix;
  linkInput.set(previous, 1);
  linkInput.set(entry, 1 + hashBytes);
  return sha256(linkInput);
}

/** The kinds of damage. */
export type FindingKind =
  /** The row does not hash to its stored entry hash: it was edited or moved. */
  | 'entry'
  /** The private part is not the one the entry commits to, or is gone. */
  | 'private'
  /** A sequence number is missing, repeated or out of order. */
  | 'sequence'
  /** The row is not the successor of the row before it. */
  | 'link'
  /** The chain differs from a signed checkpoint: rewritten, cut off or gone. */
  | 'checkpoint'
  /** The head row does not describe the end of the chain. */
  | 'head';

export interface Finding {
  readonly kind: FindingKind;
  /** First sequence number that is surely or possibly affected. */
  readonly seq: number;
  readonly detail: string;
}

/** A checkpoint whose signature has been checked. */
export interface TrustedCheckpoint {
  readonly size: number;
  readonly root_hash: Uint8Array;
  /** It was kept outside the database, where nobody who writes to the database can replace it. */
  readonly is_outside?: boolean;
}

/**
 * What a verification can say of a chain. `anchored`: it continues what a checkpoint from outside the database states.
 * `unanchored`: it is consistent with itself, which a chain that was cut off or rewritten as a whole is, too. `damaged`: it
 * is not what was written or signed.
 */
export const chainStates = ['anchored', 'unanchored', 'damaged'] as const;
export type ChainState = (typeof chainStates)[number];

/** Where an earlier verification stopped, as a checkpoint row keeps it. */
export interface ChainPosition {
  readonly frontier: FrontierState;
  /** Chain hash of the last row before. */
  readonly chain_hash: Uint8Array;
}

export interface ChainReport {
  readonly chain_id: string;
  readonly state: ChainState;
  /** Rows that the greatest checkpoint from outside covers with which the chain agrees; null without one. */
  readonly anchored_size: number | null;
  /** Rows of the chain as far as it was verified. */
  readonly size: number;
  readonly root_hash: Uint8Array;
  readonly chain_hash: Uint8Array;
  readonly checkpoints_checked: number;
  /** Null unless damaged. */
  readonly first_bad_seq: number | null;
  /** In the order found, at most twenty. */
  readonly findings: readonly Finding[];
}

interface ChainVerifierOptions {
  readonly checkpoints?: readonly TrustedCheckpoint[];
  readonly from?: ChainPosition | undefined;
  readonly onSubtree?: (subtree: Subtree, hash: Uint8Array) => void;
}

const maxFindings = 20;

/**
 * Recomputes a chain row by row, from its first row or a checkpoint on, in constant memory: it trusts no stored hash
 * but only compares. Edits, moves, insertions and deletions show in the chain itself; a cut tail, a deleted chain and a
 * chain rewritten as a whole show in the checkpoints, which is why they are kept outside the database.
 */
export class ChainVerifier {
  readonly #sha256: Sha256;
  readonly #chainId: string;
  readonly #checkpoints: readonly TrustedCheckpoint[];
  readonly #tree: MerkleFrontier;
  readonly #findings: Finding[] = [];
  #nextCheckpoint = 0;
  #agreedSize: number;
  #anchoredSize: number | null = null;
  #expectedSeq: number;
  #previous: Uint8Array;

  /**
   * @param options.checkpoints verified ones of this chain, in any order
   * @param options.from where to go on; the beginning of the chain without
   * @param options.onSubtree called with every inner subtree of the Merkle tree when it is complete
   */
  constructor(sha256: Sha256, chainId: string, options: ChainVerifierOptions = {}) {
    const { checkpoints = [], from, onSubtree } = options;
    this.#sha256 = sha256;
    this.#chainId = chainId;
    this.#tree = new MerkleFrontier(sha256, from?.frontier, onSubtree);
    this.#checkpoints = checkpoints
      .filter((checkpoint) => checkpoint.size >= this.#tree.size)
      .toSorted((left, right) => left.size - right.size);
    this.#previous = from?.chain_hash ?? genesisHash(sha256, chainId);
    this.#expectedSeq = this.#tree.size + 1;
    this.#agreedSize = this.#tree.size;
    this.#compareCheckpoints();
  }

  /** Where the next verification can go on. */
  position(): ChainPosition {
    return { frontier: this.#tree.state(), chain_hash: this.#previous };
  }

  /** Adds the next row. */
  add(row: ChainRow): void {
    const entry = entryHash(this.#sha256, row);
    if (row.seq !== this.#expectedSeq) {
      this.#found('sequence', Math.min(row.seq, this.#expectedSeq), `row ${row.seq} stands where ${this.#expectedSeq} belongs`);
    }
    if (!sameBytes(entry, row.entry_hash)) {
      this.#found('entry', row.seq, 'the row was edited or moved: it does not hash to its entry hash');
    }
    const detail = privateFault(this.#sha256, row);
    if (detail !== null) this.#found('private', row.seq, detail);
    const link = linkHash(this.#sha256, this.#previous, entry);
    const follows = sameBytes(link, row.chain_hash);
    if (!follows) this.#found('link', row.seq, 'the row is not the successor of the row before it');
    // Behind a bad row the stored hash counts, so that the damage is not reported again for every later row. It is
    // copied, because rows may be views of a buffer that is reused.
    this.#previous = follows ? link : Uint8Array.from(row.chain_hash);
    this.#expectedSeq = row.seq + 1;
    this.#tree.append(entry);
    this.#compareCheckpoints();
  }

  /** Ends the verification. `head` is the head row, null when there is none. */
  finish(head?: { size: number; chain_hash: Uint8Array } | null): ChainReport {
    const size = this.#tree.size;
    const last = this.#checkpoints.at(-1);
    if (last !== undefined && last.size > size) {
      this.#found('checkpoint', size + 1, `rows are missing: a signed checkpoint counts ${last.size}, there are ${size}`);
    }
    if (head === null && size > 0) {
      this.#found('head', size, 'the head row is gone');
    } else if (head != null && head.size !== size) {
      this.#found('head', Math.min(head.size, size) + 1, `the head row counts ${head.size}, there are ${size} rows`);
    } else if (head != null && !sameBytes(head.chain_hash, this.#previous)) {
      this.#found('head', size, 'the head row holds another chain hash than the last row');
    }
    return {
      chain_id: this.#chainId,
      state: this.#findings.length > 0 ? 'damaged' : this.#anchoredSize === null ? 'unanchored' : 'anchored',
      anchored_size: this.#anchoredSize,
      size,
      root_hash: this.#tree.root(),
      chain_hash: this.#previous,
      checkpoints_checked: this.#nextCheckpoint,
      first_bad_seq: this.#findings.length === 0 ? null : Math.min(...this.#findings.map((finding) => finding.seq)),
      findings: this.#findings,
    };
  }

  #compareCheckpoints(): void {
    for (;;) {
      const checkpoint = this.#checkpoints[this.#nextCheckpoint];
      if (checkpoint === undefined || checkpoint.size !== this.#tree.size) return;
      this.#nextCheckpoint += 1;
      if (sameBytes(checkpoint.root_hash, this.#tree.root())) {
        this.#agreedSize = checkpoint.size;
        if (checkpoint.is_outside === true) this.#anchoredSize = checkpoint.size;
      } else {
        const first = this.#agreedSize + 1;
        // A bad row that was seen on the way explains the difference more exactly than the span does.
        const seen = this.#findings.find(({ seq }) => seq >= first && seq <= checkpoint.size);
        const detail = `rows ${first} to ${checkpoint.size} are not those of the signed checkpoint`;
        this.#found('checkpoint', seen?.seq ?? first, detail);
      }
    }
  }

  #found(kind: FindingKind, seq: number, detail: string): void {
    if (this.#findings.length < maxFindings) this.#findings.push({ kind, seq, detail });
  }
}

const digestMarker = utf8.encode('"private_digest":"');
const underscore = 0x5f;
const markerUnderscore = digestMarker.indexOf(underscore);
const hexDigits = utf8.encode('0123456789abcdef');

/** What is wrong with a row's private part; null when it is what the entry commits to. */
export function privateFault(sha256: Sha256, row: Pick<ChainRow, 'entry' | 'private'>): string | null {
  if (row.private === null) return 'the private part is gone';
  const start = digestStart(row.entry);
  const digest = sha256(row.private);
  for (let place = 0; place < digest.length; place += 1) {
    const byte = digest[place] ?? 0;
    const at = start + 2 * place;
    if (row.entry[at] !== hexDigits[byte >> 4] || row.entry[at + 1] !== hexDigits[byte & 15]) {
      return 'the private part is not the one the entry commits to';
    }
  }
  return null;
}

/**
 * Where the digest begins, found without parsing the entry: a quote inside a JSON string is escaped, so the marker
 * cannot occur in a value. Its underscore is looked for, because few others stand before it.
 */
function digestStart(text: Uint8Array): number {
  for (let at = text.indexOf(underscore); at !== -1; at = text.indexOf(underscore, at + 1)) {
    const start = at - markerUnderscore;
    let length = 0;
    while (length < digestMarker.length && text[start + length] === digestMarker[length]) length += 1;
    if (length === digestMarker.length) return start + length;
  }
  return text.length;
}

/** Big-endian, as PostgreSQL's `int8send`; the numbers are whole and below 2^53. */
function setInt64(bytes: Uint8Array, offset: number, value: number): void {
  setInt32(bytes, offset, Math.floor(value / 2 ** 32));
  setInt32(bytes, offset + 4, value % 2 ** 32);
}

function setInt32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 24;
  bytes[offset + 1] = value >>> 16;
  bytes[offset + 2] = value >>> 8;
  bytes[offset + 3] = value;
}
