import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ChainVerifier, entryHash, genesisHash, linkHash } from '../../../src/domain/audit/audit-chain.ts';
import type { ChainRow, TrustedCheckpoint } from '../../../src/domain/audit/audit-chain.ts';
import { MerkleFrontier } from '../../../src/domain/audit/audit-merkle.ts';
import type { Sha256 } from '../../../src/domain/audit/audit-merkle.ts';

const sha256: Sha256 = (data) => createHash('sha256').update(data).digest();
const chainId = '7c9e6679-7425-40de-944b-e07fc1f90ae7';

/** Contents of a row before it is chained. */
interface Operation {
  readonly name: string;
  readonly hidden: string;
}

const operations: Operation[] = Array.from({ length: 40 }, (_, place) => ({ name: `operation ${place + 1}`, hidden: `"old ${place}"` }));

/** Chains entries as the database does, and as somebody would who rewrites a chain with correct hashes. */
function chain(contents: readonly Operation[]): ChainRow[] {
  let previous = genesisHash(sha256, chainId);
  return contents.map(({ name, hidden }, place) => {
    const digest = createHash('sha256').update(hidden).digest('hex');
    const row = {
      seq: place + 1,
      recorded_at_ms: 1_800_000_000_000 + place,
      entry: Buffer.from(`{"event":"${name}","private_digest":"${digest}","tenant_id":"${chainId}"}`),
      private: Buffer.from(hidden),
    };
    const entry_hash = entryHash(sha256, row);
    previous = linkHash(sha256, previous, entry_hash);
    return { ...row, entry_hash, chain_hash: previous };
  });
}

const rows = chain(operations);
const headOf = (list: readonly ChainRow[]) => {
  const last = list.at(-1);
  return last === undefined ? null : { size: last.seq, chain_hash: last.chain_hash };
};

function checkpointAt(size: number): TrustedCheckpoint {
  const tree = new MerkleFrontier(sha256);
  for (const row of rows.slice(0, size)) tree.append(row.entry_hash);
  return { size, root_hash: tree.root() };
}

function verify(list: readonly ChainRow[], checkpoints: readonly TrustedCheckpoint[] = [], head = headOf(list)) {
  const verifier = new ChainVerifier(sha256, chainId, { checkpoints });
  for (const row of list) verifier.add(row);
  return verifier.finish(head);
}

const kinds = (report: ReturnType<typeof verify>) => report.findings.map((finding) => finding.kind);
const checkpoints = [checkpointAt(10), checkpointAt(25), checkpointAt(40)];
const withRow = (seq: number, change: Partial<ChainRow>) =>
  rows.map((row) => (row.seq === seq ? { ...row, ...change } : row));
const rowAt = (seq: number): ChainRow => {
  const row = rows[seq - 1];
  if (row === undefined) throw new Error(`no row ${seq}`);
  return row;
};

describe('verification of a chain (S2-73)', () => {
  it('accepts what was written, and compares every checkpoint', () => {
    const report = verify(rows, checkpoints);
    expect(report).toMatchObject({ state: 'unanchored', size: 40, checkpoints_checked: 3, first_bad_seq: null, findings: [] });
    expect(report.root_hash).toEqual(checkpointAt(40).root_hash);
    expect(verify([], [], null)).toMatchObject({ state: 'unanchored', size: 0 });
  });

  it('continues from a position with the same result', () => {
    const first = new ChainVerifier(sha256, chainId);
    for (const row of rows.slice(0, 17)) first.add(row);
    const second = new ChainVerifier(sha256, chainId, { from: first.position(), checkpoints });
    for (const row of rows.slice(17)) second.add(row);
    expect(second.finish(headOf(rows))).toMatchObject({ state: 'unanchored', size: 40, root_hash: checkpointAt(40).root_hash });
  });

  it('finds an edit of the entry, its time, the private part or a hash, and names the row', () => {
    const edits: [Partial<ChainRow>, string][] = [
      [{ entry: Buffer.from(rowAt(12).entry.toString().replace('operation', 'Operation')) }, 'entry'],
      [{ recorded_at_ms: 1 }, 'entry'],
      [{ private: Buffer.from('"forged"') }, 'private'],
      [{ private: null }, 'private'],
      [{ entry_hash: sha256(Buffer.from('x')) }, 'entry'],
      [{ chain_hash: sha256(Buffer.from('x')) }, 'link'],
    ];
    for (const [edit, kind] of edits) {
      const report = verify(withRow(12, edit), checkpoints);
      expect(report).toMatchObject({ state: 'damaged', first_bad_seq: 12 });
      expect(kinds(report)).toContain(kind);
    }
  });

  it('finds an edit whose entry hash was recomputed', () => {
    const edited = { ...rowAt(12), entry: Buffer.from(rowAt(12).entry.toString().replace('operation', 'Operation')) };
    const report = verify(withRow(12, { ...edited, entry_hash: entryHash(sha256, edited) }));
    expect(report).toMatchObject({ state: 'damaged', first_bad_seq: 12 });
    expect(kinds(report)).toEqual(['link']);
  });

  it('finds reordered rows, with and without their numbers', () => {
    const swapped = rows.with(11, rowAt(13)).with(12, rowAt(12));
    expect(verify(swapped)).toMatchObject({ state: 'damaged', first_bad_seq: 12 });
    const renumbered = rows.with(11, { ...rowAt(13), seq: 12 }).with(12, { ...rowAt(12), seq: 13 });
    expect(verify(renumbered)).toMatchObject({ state: 'damaged', first_bad_seq: 12 });
  });

  it('finds an inserted row and a deletion from the middle', () => {
    expect(verify(rows.toSpliced(11, 0, rowAt(12)))).toMatchObject({ state: 'damaged', first_bad_seq: 12 });
    const shifted = rows.slice(11).map((row) => ({ ...row, seq: row.seq + 1 }));
    expect(verify([...rows.slice(0, 11), rowAt(12), ...shifted])).toMatchObject({ state: 'damaged', first_bad_seq: 13 });
    const deleted = verify(rows.toSpliced(11, 1));
    expect(deleted).toMatchObject({ state: 'damaged', first_bad_seq: 12 });
    expect(kinds(deleted)).toContain('sequence');
  });

  it('finds a truncated end by the head, and by a checkpoint when the head was changed as well', () => {
    const cut = rows.slice(0, 30);
    expect(verify(cut, [], headOf(rows))).toMatchObject({ state: 'damaged', first_bad_seq: 31 });
    expect(verify(cut)).toMatchObject({ state: 'unanchored' });
    const report = verify(cut, checkpoints);
    expect(report).toMatchObject({ state: 'damaged', first_bad_seq: 31 });
    expect(kinds(report)).toEqual(['checkpoint']);
  });

  it('finds a deleted chain by a checkpoint', () => {
    expect(verify([], checkpoints, null)).toMatchObject({ state: 'damaged', first_bad_seq: 1, size: 0 });
  });

  it('finds a chain that was rewritten as a whole by a checkpoint, and between which checkpoints it differs', () => {
    const rewritten = chain(operations.with(14, { name: 'something else', hidden: 'null' }));
    expect(verify(rewritten)).toMatchObject({ state: 'unanchored' });
    const report = verify(rewritten, checkpoints);
    expect(report).toMatchObject({ state: 'damaged', first_bad_seq: 11 });
    expect(report.findings[0]?.detail).toContain('11 to 25');
  });

  it('finds a head row that is missing or forged', () => {
    expect(kinds(verify(rows, [], null))).toEqual(['head']);
    expect(kinds(verify(rows, [], { size: 40, chain_hash: sha256(Buffer.from('x')) }))).toEqual(['head']);
    expect(kinds(verify(rows, [], { size: 41, chain_hash: rowAt(40).chain_hash }))).toEqual(['head']);
  });

  it('finds any single changed byte, and names its row', () => {
    const fields = fc.constantFrom('entry', 'private', 'entry_hash', 'chain_hash');
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fields, fc.nat(), fc.integer({ min: 1, max: 255 }), (seq, field, place, flip) => {
        const bytes = Uint8Array.from(rowAt(seq)[field] ?? []);
        const at = place % bytes.length;
        bytes[at] = (bytes[at] ?? 0) ^ flip;
        expect(verify(withRow(seq, { [field]: bytes }))).toMatchObject({ state: 'damaged', first_bad_seq: seq });
      }),
    );
  });
});
