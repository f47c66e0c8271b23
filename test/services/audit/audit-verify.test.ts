import { randomBytes, randomUUID } from 'node:crypto';
import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ChainReport } from '../../../src/domain/audit/audit-chain.ts';
import { verifyConsistency, verifyInclusion } from '../../../src/domain/audit/audit-merkle.ts';
import { BrokenChainError, takeCheckpoint } from '../../../src/services/audit/audit-checkpoint.service.ts';
import { checkpointFile, publishCheckpoints, publishedNotes } from '../../../src/services/audit/checkpoint-file.ts';
import { sha256 } from '../../../src/platform/audit/audit-hash.ts';
import {
  createCheckpointSigner,
  formatVerifier,
  openCheckpoint,
  originOfChain,
  parseVerifier,
  splitNotes,
} from '../../../src/services/audit/signed-note.ts';
import { consistencyProof, inclusionProof } from '../../../src/services/audit/audit-tree.queries.ts';
import { verifyChain } from '../../../src/services/audit/audit-chain-verification.service.ts';
import type { VerifyOptions } from '../../../src/services/audit/audit-chain-verification.service.ts';
import { startAuditBench } from '../../support/audit-bench.ts';
import type { AuditBench } from '../../support/audit-bench.ts';
import { dueChains, latestCheckpoint } from '../../../src/services/audit/audit-checkpoint.queries.ts';

let bench: AuditBench;
let folder: string;

beforeAll(async () => {
  bench = await startAuditBench();
  folder = await mkdtemp(join(tmpdir(), 'castellan-audit-'));
});

afterAll(async () => {
  await bench.close();
  await rm(folder, { recursive: true, force: true });
});

const verifiersOf = (tenantId: string) => bench.signer.verifiers(originOfChain(tenantId));
const verify = (tenantId: string, options: VerifyOptions = {}): Promise<ChainReport> =>
  verifyChain(bench.database.appUrl, tenantId, { verifiers: verifiersOf(tenantId), ...options });

/** A chain of its own of 60 rows with checkpoints at 20 and 40, both published. */
async function signedChain(): Promise<{ tenantId: string; notes: string[] }> {
  const tenantId = randomUUID();
  for (let part = 0; part < 3; part += 1) {
    await bench.write(tenantId, 20);
    if (part < 2) await takeCheckpoint(bench.db, bench.signer, tenantId);
  }
  await publishCheckpoints(bench.db, bench.signer, folder, tenantId);
  return { tenantId, notes: await publishedNotes(folder, tenantId) };
}

const rowOf = 'where chain_id = $1 and seq = $2';

describe('finds every kind of tampering in the database (S2-73)', () => {
  it('accepts what was written', async () => {
    const { tenantId, notes } = await signedChain();
    const report = await verify(tenantId, { notes, columns: true });
    expect(report).toMatchObject({ state: 'anchored', anchored_size: 40, size: 60, checkpoints_checked: 4, findings: [] });
  });

  it.each<[string, string, number]>([
    ['the entry', `update audit_logs set entry = replace(entry::text, 'resource-', 'resourcE-')::json ${rowOf}`, 33],
    ['the entry and its hash', `update audit_logs set entry_hash = sha256('x') ${rowOf}`, 33],
    ['the time', `update audit_logs set recorded_at = recorded_at - interval '1 day' ${rowOf}`, 33],
    ['old and new values', `update audit_logs set private = replace(private::text, 'false', 'true')::json ${rowOf}`, 33],
    ['the private part away', `update audit_logs set private = null ${rowOf}`, 33],
    ['one column only', `update audit_logs set event = 'harmless' ${rowOf}`, 33],
    ['the middle away', `delete from audit_logs ${rowOf}`, 33],
  ])('edit of %s', async (_, statement, seq) => {
    const { tenantId } = await signedChain();
    await bench.tamper(statement, [tenantId, seq]);
    expect(await verify(tenantId, { columns: true })).toMatchObject({ state: 'damaged', first_bad_seq: seq });
  });

  it('two reordered rows', async () => {
    const { tenantId } = await signedChain();
    await bench.tamper(
      `update audit_logs set seq = case seq when 12 then 1013 else 1012 end where chain_id = $1 and seq in (12, 13)`,
      [tenantId],
    );
    await bench.tamper('update audit_logs set seq = seq - 1000 where chain_id = $1 and seq > 1000', [tenantId]);
    expect(await verify(tenantId)).toMatchObject({ state: 'damaged', first_bad_seq: 12 });
  });

  it('an inserted row, with all later ones renumbered', async () => {
    const { tenantId } = await signedChain();
    await bench.tamper('update audit_logs set seq = seq + 1000 where chain_id = $1 and seq > 12', [tenantId]);
    await bench.tamper('update audit_logs set seq = seq - 999 where chain_id = $1 and seq > 1000', [tenantId]);
    await bench.tamper(
      `insert into audit_logs (chain_id, seq, recorded_at, entry, private, entry_hash, chain_hash, id, tenant_id,
         occurred_at, user_id, area, event, action, resource_type, resource_id, outcome, request_id)
       select chain_id, 13, recorded_at, entry, private, entry_hash, chain_hash, gen_random_uuid(), tenant_id,
         occurred_at, user_id, area, event, action, resource_type, resource_id, outcome, request_id
       from audit_logs where chain_id = $1 and seq = 12`,
      [tenantId],
    );
    expect(await verify(tenantId)).toMatchObject({ state: 'damaged', first_bad_seq: 13 });
  });

  it('a truncated end: by the head, and by a checkpoint when the head was changed as well', async () => {
    const { tenantId, notes } = await signedChain();
    await bench.tamper('delete from audit_logs where chain_id = $1 and seq > 30', [tenantId]);
    expect(await verify(tenantId)).toMatchObject({ state: 'damaged', first_bad_seq: 31 });
    await bench.tamper(
      `update audit_heads h set size = 30, chain_hash = l.chain_hash from audit_logs l
       where h.chain_id = $1 and l.chain_id = $1 and l.seq = 30`,
      [tenantId],
    );
    await bench.tamper('delete from audit_checkpoints where chain_id = $1 and size > 30', [tenantId]);
    expect(await verify(tenantId)).toMatchObject({ state: 'unanchored', size: 30 });
    expect(await verify(tenantId, { notes })).toMatchObject({ state: 'damaged', first_bad_seq: 31 });
  });

  it('a deleted chain, by a checkpoint outside', async () => {
    const { tenantId, notes } = await signedChain();
    for (const table of ['audit_logs', 'audit_heads', 'audit_checkpoints', 'audit_tree_nodes']) {
      await bench.tamper(`delete from ${table} where chain_id = $1`, [tenantId]);
    }
    expect(await verify(tenantId)).toMatchObject({ state: 'unanchored', size: 0 });
    expect(await verify(tenantId, { notes })).toMatchObject({ state: 'damaged', size: 0, first_bad_seq: 1 });
  });

  it('a chain that was rewritten as a whole, by a checkpoint outside', async () => {
    const { tenantId, notes } = await signedChain();
    for (const table of ['audit_logs', 'audit_heads', 'audit_checkpoints', 'audit_tree_nodes']) {
      await bench.tamper(`delete from ${table} where chain_id = $1`, [tenantId]);
    }
    await bench.write(tenantId, 60);
    expect(await verify(tenantId)).toMatchObject({ state: 'unanchored', size: 60 });
    const report = await verify(tenantId, { notes });
    expect(report).toMatchObject({ state: 'damaged', first_bad_seq: 1 });
    expect(report.findings[0]).toMatchObject({ kind: 'checkpoint' });
  });

  it('a checkpoint that somebody else signed, or that was changed', async () => {
    const { tenantId, notes } = await signedChain();
    const stranger = createCheckpointSigner([{ key_id: 'x', bytes: randomBytes(32) }]);
    const forged = stranger.sign({ origin: originOfChain(tenantId), size: 20, root_hash: sha256(Buffer.from('x')) });
    expect(await verify(tenantId, { notes: [forged] })).toMatchObject({ state: 'damaged' });
    expect(await verify(tenantId, { notes: [(notes[0] ?? '').replace('\n20\n', '\n21\n')] })).toMatchObject({ state: 'damaged' });
    await bench.tamper('update audit_checkpoints set size = 19 where chain_id = $1 and size = 20', [tenantId]);
    expect(await verify(tenantId)).toMatchObject({ state: 'damaged' });
  });

  it('accepts only a UUID as chain id', async () => {
    await expect(verifyChain(bench.database.appUrl, "x' or true --")).rejects.toThrow(RangeError);
  });
});

describe('checkpoints (S2-73)', () => {
  it('reads only the rows since the last one, and has the root of the whole chain', async () => {
    const tenantId = randomUUID();
    expect(await takeCheckpoint(bench.db, bench.signer, tenantId)).toBeNull();
    for (const more of [1, 254, 2, 800]) {
      await bench.write(tenantId, more, 100);
      const checkpoint = await takeCheckpoint(bench.db, bench.signer, tenantId);
      const whole = await verify(tenantId);
      expect(whole.state).toBe('unanchored');
      expect(Buffer.from(whole.root_hash)).toEqual(checkpoint?.root_hash);
      expect(openCheckpoint(checkpoint?.note ?? '', verifiersOf(tenantId))).toMatchObject({ size: whole.size });
      expect(await takeCheckpoint(bench.db, bench.signer, tenantId)).toEqual(checkpoint);
    }
    const nodes = await bench.admin('select level from audit_tree_nodes where chain_id = $1', [tenantId]);
    expect(nodes).toHaveLength(4);
  });

  it('proves every row and every earlier checkpoint from the stored nodes', async () => {
    const tenantId = randomUUID();
    await bench.write(tenantId, 300, 100);
    const early = await takeCheckpoint(bench.db, bench.signer, tenantId);
    await bench.write(tenantId, 723, 100);
    const late = await takeCheckpoint(bench.db, bench.signer, tenantId);
    if (early === null || late === null) throw new Error('no checkpoints');
    const rows = await bench.admin<{ seq: string; entry_hash: Buffer }>(
      'select seq, entry_hash from audit_logs where chain_id = $1 and seq = any($2)',
      [tenantId, [1, 2, 255, 256, 257, 512, 513, 768, 1022, 1023]],
    );
    expect(rows).toHaveLength(10);
    for (const row of rows) {
      const proof = await inclusionProof(bench.db, tenantId, Number(row.seq), late.size);
      const claim = { index: Number(row.seq) - 1, size: late.size, leaf_hash: row.entry_hash, root_hash: late.root_hash };
      expect(verifyInclusion(sha256, proof, claim)).toBe(true);
    }
    const proof = await consistencyProof(bench.db, tenantId, early.size, late.size);
    const claim = { first: early.size, second: late.size, first_root: early.root_hash, second_root: late.root_hash };
    expect(verifyConsistency(sha256, proof, claim)).toBe(true);
    expect(verifyConsistency(sha256, proof, { ...claim, first_root: late.root_hash })).toBe(false);
  });

  it('does not sign rows that were tampered with before', async () => {
    const { tenantId } = await signedChain();
    await bench.tamper(`update audit_logs set private = replace(private::text, 'false', 'true')::json ${rowOf}`, [tenantId, 50]);
    await expect(takeCheckpoint(bench.db, bench.signer, tenantId)).rejects.toThrow(BrokenChainError);
    expect((await latestCheckpoint(bench.db, tenantId))?.size).toBe(40);
  });

  it('detects a truncated chain with a changed head, and one without a head', async () => {
    const { tenantId } = await signedChain();
    await bench.tamper('delete from audit_logs where chain_id = $1 and seq > 30', [tenantId]);
    await bench.tamper('update audit_heads set size = 30 where chain_id = $1', [tenantId]);
    const due = await dueChains(bench.db, null, 1_000);
    expect(due.map((chain) => chain.chain_id)).toContain(tenantId);
    await expect(takeCheckpoint(bench.db, bench.signer, tenantId)).rejects.toThrow(/damaged at 31/);
    await bench.tamper('delete from audit_heads where chain_id = $1', [tenantId]);
    await expect(takeCheckpoint(bench.db, bench.signer, tenantId)).rejects.toThrow(BrokenChainError);
  });

  it('concurrent runs make one checkpoint', async () => {
    const tenantId = randomUUID();
    await bench.write(tenantId, 30);
    const taken = await Promise.all([1, 2, 3].map(() => takeCheckpoint(bench.db, bench.signer, tenantId)));
    expect(new Set(taken.map((checkpoint) => checkpoint?.note)).size).toBe(1);
  });

  it('lists the chains that have grown, a page at a time', async () => {
    const tenantId = randomUUID();
    await bench.write(tenantId, 2);
    const due: string[] = [];
    for (let after: string | null = null; ; ) {
      const page: { chain_id: string; size: number }[] = await dueChains(bench.db, after, 3);
      due.push(...page.map((chain) => chain.chain_id));
      after = page.at(-1)?.chain_id ?? null;
      if (page.length < 3) break;
    }
    expect(due).toContain(tenantId);
    expect(due).toEqual(due.toSorted());
  });

  it('appends to the file what it lacks, also after a partial note', async () => {
    const { tenantId, notes } = await signedChain();
    expect(notes).toHaveLength(2);
    await publishCheckpoints(bench.db, bench.signer, folder, tenantId);
    expect(await publishedNotes(folder, tenantId)).toEqual(notes);
    await appendFile(checkpointFile(folder, tenantId), `\n${originOfChain(tenantId)}\n5`);
    await takeCheckpoint(bench.db, bench.signer, tenantId);
    await publishCheckpoints(bench.db, bench.signer, folder, tenantId);
    const published = await publishedNotes(folder, tenantId);
    expect(published.map((note) => openCheckpoint(note, verifiersOf(tenantId))?.size)).toEqual([20, 40, 60]);
    expect(splitNotes(await readFile(checkpointFile(folder, tenantId), 'utf8'))).toEqual(published);
    expect(await publishedNotes(folder, randomUUID())).toEqual([]);
  });

  it('are signed notes of C2SP that verify after a change of the key', () => {
    const [old, young] = [{ key_id: 'a', bytes: randomBytes(32) }, { key_id: 'b', bytes: randomBytes(32) }];
    const origin = originOfChain(randomUUID());
    const body = { origin, size: 7, root_hash: sha256(Buffer.from('root')) };
    const note = createCheckpointSigner([old]).sign(body);
    expect(note.split('\n').slice(0, 4)).toEqual([origin, '7', Buffer.from(body.root_hash).toString('base64'), '']);
    expect(note).toMatch(new RegExp(`\n\n— ${origin} [A-Za-z0-9+/]{91}=\n$`));
    const rotated = createCheckpointSigner([young, old]).verifiers(origin);
    expect(openCheckpoint(note, rotated)).toEqual(body);
    expect(openCheckpoint(note, rotated.slice(0, 1))).toBeNull();
    expect(openCheckpoint(note, createCheckpointSigner([old]).verifiers('another/log'))).toBeNull();
    const [verifier] = createCheckpointSigner([old]).verifiers(origin);
    if (verifier === undefined) throw new Error('no verifier');
    const text = formatVerifier(verifier);
    expect(text).toMatch(new RegExp(`^${origin}\\+[0-9a-f]{8}\\+[A-Za-z0-9+/=]+$`));
    expect(openCheckpoint(note, [parseVerifier(text)])).toEqual(body);
    expect(() => parseVerifier(text.replace(/\+[0-9a-f]{8}\+/, '+00000000+'))).toThrow(/key id/);
    expect(() => parseVerifier('nonsense')).toThrow(/public key/);
  });
});
