import { entryHash, genesisHash, linkHash, privateFault } from './audit-chain.ts';
import type { ChainRow, Finding, FindingKind, TrustedCheckpoint } from './audit-chain.ts';
import { MerkleFrontier, alignedSubtrees, sameBytes, verifyConsistency } from './audit-merkle.ts';
import type { Sha256 } from './audit-merkle.ts';
import { canonicalJson } from '../shared/canonical.ts';

/** Name and version of the form; a reader refuses any other. */
export const exportFormat = 'castellan-audit-export/1';

/**
 * A row of an export. `skipped` holds the hashes of the subtrees that stand for the rows between the row before and
 * this one: with them, any slice of a chain leads to the root of the whole chain, and a slice that skips nothing
 * carries no hashes at all.
 */
export interface ExportRow extends ChainRow {
  readonly skipped: readonly Uint8Array[];
  /** The keys of its sealed parts as they stand in the file; none where the file has none. */
  readonly private_keys: readonly string[];
}

/** The last record of an export: what it claims, and the proof. Hashes are in hex. */
export interface ExportManifest {
  readonly format: typeof exportFormat;
  readonly chain_id: string;
  /** Filters as they were asked for; empty for the whole chain. */
  readonly filters: Readonly<Record<string, string>>;
  /** RFC 3339. */
  readonly exported_at: string;
  readonly rows: number;
  /** Over the entry hashes of all rows, so that the signature covers which rows there are. */
  readonly rows_hash: string;
  /** Over the keys of all rows, which no entry commits to. Files of earlier releases have none. */
  readonly keys_hash?: string | undefined;
  /** Rows of the whole chain at the time of the export. */
  readonly tree_size: number;
  /** Stands for the rows behind the last one. */
  readonly skipped: readonly string[];
  /** Signed note of the chain at `tree_size`. */
  readonly checkpoint: string;
  /** Proof that an earlier checkpoint the reader asked for is the beginning of this one. */
  readonly consistency: { readonly first: number; readonly hashes: readonly string[] } | null;
  /** The lists of effective permissions that the rows name by digest. */
  readonly permission_sets: Readonly<Record<string, readonly string[]>>;
}

/** Which signatures of a manifest are valid; checked by whoever has the keys. */
export interface ManifestTrust {
  /** The opened checkpoint of the manifest; null when no valid signature is on it. */
  readonly checkpoint: TrustedCheckpoint | null;
  /** Whether the manifest itself carries a valid signature. */
  readonly signed: boolean;
}

export interface ExportReport {
  readonly chain_id: string;
  readonly valid: boolean;
  readonly rows: number;
  readonly tree_size: number;
  /** True when no row of the chain up to `tree_size` is left out. */
  readonly complete: boolean;
  /** Sizes of given checkpoints that the file was compared with. */
  readonly compared: readonly number[];
  /** Sizes of given checkpoints that this file cannot be compared with. */
  readonly not_compared: readonly number[];
  readonly first_bad_seq: number | null;
  readonly findings: readonly Finding[];
  /** The state of the chain at the last row, as the rows of the file give it. */
  readonly end: { readonly size: number; readonly root_hash: Uint8Array; readonly chain_hash: Uint8Array };
}

const maxFindings = 20;

/** What {@link ExportManifest.rows_hash} starts from. */
export const emptyRowsHash = new Uint8Array(32);

/** Adds a row to {@link ExportManifest.rows_hash}. */
export function addToRowsHash(sha256: Sha256, hash: Uint8Array, entry: Uint8Array): Uint8Array {
  return linkHash(sha256, hash, entry);
}

/** Adds a row to {@link ExportManifest.keys_hash}. */
export function addToKeysHash(
  sha256: Sha256,
  hash: Uint8Array,
  { seq, private_keys }: Pick<ExportRow, 'seq' | 'private_keys'>,
): Uint8Array {
  return linkHash(sha256, hash, sha256(new TextEncoder().encode(`${seq} ${private_keys.join(' ')}`)));
}

/** The filter of an archive; its value are the first and the last row, `257-512`. */
export const segmentFilter = 'segment';

/**
 * Verifies an export row by row in constant memory and without a database (S2-74). Every row is recomputed; neighbours
 * are checked against the chain; rows and skipped subtrees together must give the root that was signed.
 */
export class ExportVerifier {
  readonly #sha256: Sha256;
  readonly #chainId: string;
  /** By size. */
  readonly #known: ReadonlyMap<number, TrustedCheckpoint>;
  readonly #tree: MerkleFrontier;
  readonly #findings: Finding[] = [];
  readonly #compared: number[] = [];
  readonly #digests = new Set<string>();
  #rows = 0;
  #rowsHash: Uint8Array = emptyRowsHash;
  #keysHash: Uint8Array = emptyRowsHash;
  #hasKeys = false;
  #firstSeq = 0;
  #lastRecordedMs = 0;
  #end: ExportReport['end'];
  #lastSeq = 0;
  #skippedAny = false;
  #previous: Uint8Array;
  #treeBroken = false;

  /** @param known checkpoints that the reader keeps from before, with their signatures checked */
  constructor(sha256: Sha256, chainId: string, known: readonly TrustedCheckpoint[] = []) {
    this.#sha256 = sha256;
    this.#chainId = chainId;
    this.#known = new Map(known.map((checkpoint) => [checkpoint.size, checkpoint]));
    this.#tree = new MerkleFrontier(sha256);
    this.#previous = genesisHash(sha256, chainId);
    this.#end = { size: 0, root_hash: this.#tree.root(), chain_hash: this.#previous };
  }

  /** Adds the next row of the file. */
  add(row: ExportRow): void {
    const entry = entryHash(this.#sha256, row);
    if (!sameBytes(entry, row.entry_hash)) this.#found('entry', row.seq, 'the row was edited: it does not hash to its entry hash');
    const fault = privateFault(this.#sha256, row);
    if (fault !== null) this.#found('private', row.seq, fault);
    this.#skip(row.seq - 1, row.skipped);
    const isNeighbour = row.seq === this.#lastSeq + 1;
    if (isNeighbour && !sameBytes(linkHash(this.#sha256, this.#previous, entry), row.chain_hash)) {
      this.#found('link', row.seq, 'the row is not the successor of the row before it');
    }
    if (!this.#treeBroken) this.#append(() => this.#tree.append(entry));
    this.#previous = Uint8Array.from(row.chain_hash);
    this.#lastSeq = row.seq;
    if (this.#rows === 0) this.#firstSeq = row.seq;
    this.#lastRecordedMs = row.recorded_at_ms;
    this.#rows += 1;
    this.#rowsHash = addToRowsHash(this.#sha256, this.#rowsHash, entry);
    this.#keysHash = addToKeysHash(this.#sha256, this.#keysHash, row);
    if (row.private_keys.length > 0) this.#hasKeys = true;
    this.#digests.add(permissionsDigestOf(row.entry));
  }

  /** Ends the verification; `manifest` is the last record of the file, null when there is none. */
  finish(manifest: ExportManifest | null, trust: ManifestTrust): ExportReport {
    this.#end = { size: this.#lastSeq, root_hash: this.#tree.root(), chain_hash: this.#previous };
    if (manifest === null) this.#found('sequence', this.#lastSeq + 1, 'the end of the file is missing');
    else this.#checkManifest(manifest, trust);
    const treeSize = manifest?.tree_size ?? this.#lastSeq;
    return {
      chain_id: this.#chainId,
      valid: this.#findings.length === 0,
      rows: this.#rows,
      tree_size: treeSize,
      complete: !this.#skippedAny,
      compared: this.#compared,
      not_compared: [...this.#known.keys()].filter((size) => !this.#compared.includes(size)),
      first_bad_seq: this.#findings.length === 0 ? null : Math.min(...this.#findings.map(({ seq }) => seq)),
      findings: this.#findings,
      end: this.#end,
    };
  }

  #checkManifest(manifest: ExportManifest, trust: ManifestTrust): void {
    this.#skip(manifest.tree_size, manifest.skipped.map(fromHex));
    if (manifest.chain_id !== this.#chainId) this.#foundSomewhere('the manifest is of another chain than the rows');
    if (!trust.signed && !this.#provesItself(manifest)) this.#foundSomewhere('the manifest has no valid signature');
    if (manifest.keys_hash !== undefined && manifest.keys_hash !== toHex(this.#keysHash)) {
      this.#foundSomewhere('the private keys are not those that were exported');
    }
    if (manifest.rows !== this.#rows || manifest.rows_hash !== toHex(this.#rowsHash)) {
      this.#found('sequence', this.#lastSeq + 1, `the manifest names ${manifest.rows} rows, and not those of this file`);
    }
    if (this.#skippedAny && Object.keys(manifest.filters).length === 0) {
      this.#found('sequence', this.#lastSeq, 'rows are left out of an export that says it has all of them');
    }
    if (trust.checkpoint === null) {
      this.#foundSomewhere('the checkpoint of the file has no valid signature');
    } else if (trust.checkpoint.size !== manifest.tree_size || !sameBytes(trust.checkpoint.root_hash, this.#tree.root())) {
      this.#foundSomewhere('the rows do not lead to the root that was signed');
    }
    this.#compareKnown(manifest);
    this.#checkPermissionSets(manifest);
  }

  /**
   * Whether everything that the manifest states follows from the signed checkpoint: then it is an archive, which is
   * written by a process that has no key to sign with. Such a file holds the rows that its name says, all of them, and
   * nothing that could be stated otherwise.
   */
  #provesItself(manifest: ExportManifest): boolean {
    const range = `${this.#firstSeq}-${this.#lastSeq}`;
    return (
      canonicalJson(manifest.filters) === canonicalJson({ [segmentFilter]: range }) &&
      this.#rows === this.#lastSeq - this.#firstSeq + 1 &&
      manifest.exported_at === new Date(this.#lastRecordedMs).toISOString() &&
      manifest.consistency === null &&
      !this.#hasKeys
    );
  }

  /** Later checkpoints cannot be older than the file they are compared with, so rows must be missing here. */
  #compareKnown(manifest: ExportManifest): void {
    for (const known of this.#known.values()) {
      if (known.size > manifest.tree_size) {
        this.#compared.push(known.size);
        this.#found(
          'checkpoint',
          manifest.tree_size + 1,
          `rows are missing: a given checkpoint counts ${known.size}, the chain of this file ${manifest.tree_size}`,
        );
      } else if (!this.#compared.includes(known.size) && manifest.consistency?.first === known.size) {
        this.#compared.push(known.size);
        const claim = {
          first: known.size,
          second: manifest.tree_size,
          first_root: known.root_hash,
          second_root: this.#tree.root(),
        };
        if (!verifyConsistency(this.#sha256, manifest.consistency.hashes.map(fromHex), claim)) {
          this.#foundSomewhere(`rows 1 to ${known.size} are not those of the given checkpoint`);
        }
      }
    }
  }

  #checkPermissionSets({ permission_sets }: ExportManifest): void {
    const utf8 = new TextEncoder();
    for (const digest of this.#digests) {
      const set = permission_sets[digest];
      if (set === undefined || toHex(this.#sha256(utf8.encode(canonicalJson(set)))) !== digest) {
        this.#found('entry', 1, `the permissions with digest ${digest} are not in the file`);
      }
    }
    const unnamed = Object.keys(permission_sets).find((digest) => !this.#digests.has(digest));
    if (unnamed !== undefined) this.#found('entry', 1, `no entry names the permissions with digest ${unnamed}`);
  }

  /** Extends the tree to `size` leaves with the hashes of skipped subtrees. */
  #skip(size: number, hashes: readonly Uint8Array[]): void {
    const from = this.#tree.size;
    if (this.#treeBroken) return;
    const subtrees = size < from ? [] : alignedSubtrees({ from, to: size });
    if (size < from || subtrees.length !== hashes.length) {
      this.#found('sequence', Math.min(size, from) + 1, `rows between ${from} and ${size + 1} are missing, repeated or out of order`);
      // Without the position of every leaf there is no root to compare; the rest is verified row by row.
      this.#treeBroken = true;
      return;
    }
    if (hashes.length > 0) this.#skippedAny = true;
    for (const [place, { level }] of subtrees.entries()) {
      const hash = hashes[place] ?? new Uint8Array();
      this.#append(() => this.#tree.appendSubtree(level, hash));
    }
  }

  #append(append: () => void): void {
    append();
    const { size } = this.#tree;
    const known = this.#known.get(size);
    if (known === undefined) return;
    this.#compared.push(size);
    if (!sameBytes(known.root_hash, this.#tree.root())) {
      this.#foundSomewhere(`rows 1 to ${size} are not those of the given checkpoint`);
    }
  }

  /** For damage that concerns no single row: the first bad row that was found explains it, else it may be any. */
  #foundSomewhere(detail: string): void {
    this.#found('checkpoint', this.#findings[0]?.seq ?? 1, detail);
  }

  #found(kind: FindingKind, seq: number, detail: string): void {
    if (this.#findings.length < maxFindings) this.#findings.push({ kind, seq, detail });
  }
}

const utf8Decoder = new TextDecoder();

function permissionsDigestOf(entry: Uint8Array): string {
  return /"permissions_digest":"([0-9a-f]{64})"/.exec(utf8Decoder.decode(entry))?.[1] ?? '';
}

/** Bytes of a hex text; an empty array when it is none, which then equals no hash. */
export function fromHex(text: string): Uint8Array {
  if (!/^(?:[0-9a-f]{2})*$/.test(text)) return new Uint8Array();
  return Uint8Array.from({ length: text.length / 2 }, (_, place) => Number.parseInt(text.slice(2 * place, 2 * place + 2), 16));
}

/** Lower-case hex of bytes. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
