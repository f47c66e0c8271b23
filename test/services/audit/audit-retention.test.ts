import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { verifyInclusion } from '../../../src/domain/audit/audit-merkle.ts';
import { sha256 } from '../../../src/platform/audit/audit-hash.ts';
import { takeCheckpoint } from '../../../src/services/audit/audit-checkpoint.service.ts';
import { verifyChain } from '../../../src/services/audit/audit-chain-verification.service.ts';
import { verifyExportFile } from '../../../src/services/audit/audit-export-verification.service.ts';
import { inclusionProof } from '../../../src/services/audit/audit-tree.queries.ts';
import { checkpointFile, publishCheckpoints, publishedNotes } from '../../../src/services/audit/checkpoint-file.ts';
import { createCheckpointSigner, formatVerifier, originOfChain } from '../../../src/services/audit/signed-note.ts';
import type { CheckpointSigner } from '../../../src/services/audit/signed-note.ts';
import { startAuditBench } from '../../support/audit-bench.ts';
import type { AuditBench } from '../../support/audit-bench.ts';
import { eventually } from '../../support/eventually.ts';
import { inThePast, runRetention, startRetention } from '../../support/retention.ts';
import type { RetentionPlaces } from '../../support/retention.ts';
import { holdLocks, lockWaiters } from '../../support/row-locks.ts';
import { killProcess } from '../../support/temporal/worker-process.ts';

let bench: AuditBench;
let folder: string;

beforeEach(async () => {
  bench = await startAuditBench();
  folder = await mkdtemp(join(tmpdir(), 'castellan-retention-'));
});

afterEach(async () => {
  await bench.close();
  await rm(folder, { recursive: true, force: true });
});

const keyOf = (signer: CheckpointSigner, tenantId: string) => signer.verifiers(originOfChain(tenantId)).map(formatVerifier).join();
const verifiers = (tenantId: string) => bench.signer.verifiers(originOfChain(tenantId));
const checkpoints = () => join(folder, 'checkpoints');

/** What a run is told; the key of any chain stands for all. */
const places = (more: Partial<RetentionPlaces> = {}): RetentionPlaces => ({
  checkpoints: checkpoints(),
  archive: join(folder, 'archive'),
  publicKey: keyOf(bench.signer, randomUUID()),
  ...more,
});
const run = (more: Partial<RetentionPlaces> = {}, ...args: string[]) => runRetention(bench.database, places(more), ...args);

async function publish(tenantId: string): Promise<void> {
  await takeCheckpoint(bench.db, bench.signer, tenantId);
  await publishCheckpoints(bench.db, bench.signer, checkpoints(), tenantId);
}

async function verify(tenantId: string) {
  const notes = await publishedNotes(checkpoints(), tenantId);
  return verifyChain(bench.database.appUrl, tenantId, { verifiers: verifiers(tenantId), notes, columns: true });
}

/** A chain of 700 rows, 600 of them 400 days old, signed and published. */
async function agedChain(): Promise<string> {
  const tenantId = randomUUID();
  await inThePast(bench, 400, () => bench.write(tenantId, 600, 100));
  await bench.write(tenantId, 100, 100);
  await publish(tenantId);
  return tenantId;
}

async function droppedChain(): Promise<string> {
  const tenantId = await agedChain();
  expect(await run()).toEqual({ code: 0, output: 'Segments archived and dropped: 1.\n' });
  await publish(tenantId);
  return tenantId;
}

const seqs = async (tenantId: string) =>
  (await bench.admin<{ seq: string }>('select seq from audit_logs where chain_id = $1 order by seq', [tenantId])).map(({ seq }) => Number(seq));

async function expectWhole(tenantId: string): Promise<void> {
  expect(await seqs(tenantId)).toHaveLength(700);
  expect(await bench.admin('select from audit_segments')).toEqual([]);
}

describe('T-17: the retention process, with its own role', () => {
  it('drops what is due and nothing younger; the rest verifies, can be proved and is continued', async () => {
    const tenantId = await agedChain();
    const young = randomUUID();
    await inThePast(bench, 364, () => bench.write(young, 300, 100));
    await bench.write(young, 1);
    await publish(young);
    expect(await run()).toEqual({ code: 0, output: 'Segments archived and dropped: 1.\n' });
    expect(await seqs(young)).toHaveLength(301);
    const left = await seqs(tenantId);
    expect([left[0], left.length]).toEqual([513, 189]);
    expect(await run()).toEqual({ code: 0, output: 'Segments archived and dropped: 0.\n' });

    // Until the next checkpoint only the database says where the rows are.
    const before = await verify(tenantId);
    expect(before).toMatchObject({ state: 'unanchored', findings: [], reason: expect.stringMatching(/names the last archive/) });
    await bench.write(tenantId, 100, 50);
    await publish(tenantId);
    const report = await verify(tenantId);
    const archiveName = join(tenantId, '000000000001-000000000512.jsonl');
    expect(report).toMatchObject({ state: 'anchored', size: 801, anchored_size: 801, archive: { to_seq: 512, archive_name: archiveName } });

    const root = Buffer.from(report.root_hash);
    for (const seq of [513, 600, 801]) {
      const proof = await inclusionProof(bench.db, tenantId, seq, 801);
      const [row] = await bench.admin<{ entry_hash: Buffer }>('select entry_hash from audit_logs where chain_id = $1 and seq = $2', [tenantId, seq]);
      const claim = { index: seq - 1, size: 801, leaf_hash: row?.entry_hash ?? Buffer.alloc(0), root_hash: root };
      expect(verifyInclusion(sha256, proof, claim)).toBe(true);
    }

    const archive = join(folder, 'archive', archiveName);
    const text = await readFile(archive, 'utf8');
    expect(Buffer.from(sha256(Buffer.from(text))).toString('hex')).toBe(report.archive?.archive_digest);
    const check = () => verifyExportFile(archive, { verifiers: verifiers(tenantId) });
    expect(await check()).toMatchObject({ valid: true, rows: 512 });
    const changes: ((lines: string[]) => string[])[] = [
      (lines) => lines.with(3, (lines[3] ?? '').replace('flag.toggle', 'flag.create')),
      (lines) => lines.toSpliced(-2, 1),
      (lines) => lines.toSpliced(0, 1),
      (lines) => lines.with(-1, (lines.at(-1) ?? '').replace(/"exported_at":"[^"]+"/, '"exported_at":"2026-01-01T00:00:00.000Z"')),
      (lines) => lines.with(-1, (lines.at(-1) ?? '').replace('"segment":"1-512"', '"segment":"1-511"')),
      (lines) => lines.with(-1, (lines.at(-1) ?? '').replace('"permission_sets":{', `"permission_sets":{"${'0'.repeat(64)}":[],`)),
    ];
    for (const change of changes) {
      const changed = change(text.trimEnd().split('\n')).join('\n');
      expect(`${changed}\n`).not.toBe(text);
      await writeFile(archive, `${changed}\n`);
      expect(await check()).toMatchObject({ valid: false });
    }
  });

  it('refuses without a checkpoint from outside, and drops nothing', async () => {
    const tenantId = await agedChain();
    await rm(checkpointFile(checkpoints(), tenantId));
    expect(await run()).toMatchObject({ code: 1, output: expect.stringMatching(/no signed checkpoint of the chain outside/) });
    await expectWhole(tenantId);
  });

  it('refuses a checkpoint that another key has signed, or that covers less than a segment', async () => {
    const tenantId = await agedChain();
    const stranger = createCheckpointSigner([{ key_id: 'stranger', bytes: randomBytes(32) }]);
    expect(await run({ publicKey: keyOf(stranger, tenantId) })).toMatchObject({ code: 1, output: expect.stringMatching(/no valid signature/) });

    const [checkpoint] = await bench.admin<{ root_hash: Buffer }>('select root_hash from audit_checkpoints where chain_id = $1', [tenantId]);
    const body = { origin: originOfChain(tenantId), size: 700, root_hash: checkpoint?.root_hash ?? Buffer.alloc(0) };
    await writeFile(checkpointFile(checkpoints(), tenantId), `\n${stranger.sign(body)}`);
    expect(await run()).toMatchObject({ code: 1, output: expect.stringMatching(/no valid signature/) });

    // A genuine one of another chain says nothing of this one.
    const other = originOfChain(randomUUID());
    await writeFile(checkpointFile(checkpoints(), tenantId), `\n${bench.signer.sign({ ...body, origin: other })}`);
    expect(await run()).toMatchObject({ code: 1, output: expect.stringMatching(/no valid signature/) });

    const small = randomUUID();
    await inThePast(bench, 400, async () => {
      await bench.write(small, 100, 100);
      await publish(small);
      await bench.write(small, 300, 100);
    });
    expect(await run()).toMatchObject({ code: 1, output: expect.stringMatching(new RegExp(`${small}: The checkpoints from outside cover 100 entries`)) });
    await expectWhole(tenantId);
  });

  it('refuses a damaged chain, whose rows are evidence', async () => {
    const tenantId = await agedChain();
    await bench.tamper("update audit_logs set private = replace(private::text, 'false', 'true')::json where chain_id = $1 and seq = 650", [tenantId]);
    expect(await run()).toMatchObject({ code: 1, output: expect.stringMatching(/does not verify/) });
    await expectWhole(tenantId);
  });

  it('lets a second run find that one is at work', async () => {
    const tenantId = await agedChain();
    const held = await holdLocks(bench, 'select 1 from audit_heads where chain_id = $1 for update', [tenantId]);
    const first = startRetention(bench.database, places());
    await eventually(() => lockWaiters(bench), (count) => count > 0);
    expect(await run()).toEqual({ code: 0, output: 'Another run is at work; nothing was done.\n' });
    await held.release();
    expect(await first.ended).toEqual({ code: 0, output: 'Segments archived and dropped: 1.\n' });
    expect(await bench.admin('select from audit_segments')).toHaveLength(1);
  });

  it('completes the segment when it was killed between archive and drop', async () => {
    const tenantId = await agedChain();
    const held = await holdLocks(bench, 'select 1 from audit_heads where chain_id = $1 for update', [tenantId]);
    const first = startRetention(bench.database, places());
    await eventually(() => lockWaiters(bench), (count) => count > 0);
    await killProcess(first.child);
    expect(await readdir(join(folder, 'archive', tenantId))).toEqual(['000000000001-000000000512.jsonl']);
    await held.release();
    await eventually(
      () => bench.admin("select from pg_stat_activity where application_name = 'castellan-retention' and datname = current_database()"),
      (sessions) => sessions.length === 0,
    );
    // The server may have carried out what it was sent before it noticed; either way the segment ends up whole.
    expect(await run()).toMatchObject({ code: 0 });
    expect((await seqs(tenantId))[0]).toBe(513);
    await publish(tenantId);
    expect(await verify(tenantId)).toMatchObject({ state: 'anchored', findings: [] });
    const [segment] = await bench.admin<{ archive_name: string; digest: string }>(
      "select archive_name, encode(archive_digest, 'hex') as digest from audit_segments",
    );
    const file = await readFile(join(folder, 'archive', segment?.archive_name ?? ''));
    expect(Buffer.from(sha256(file)).toString('hex')).toBe(segment?.digest);
  });

  it('keeps what the setting says, which has a floor, and begins with no other role', async () => {
    const tenantId = await agedChain();
    expect(await run({}, '--keep-days', '29')).toMatchObject({ code: 2, output: expect.stringMatching(/30 days at least/) });
    const kept = await run({}, '--keep-days', '401');
    expect(kept).toEqual({ code: 0, output: 'Entries are kept for 401 days from now on.\nSegments archived and dropped: 0.\n' });
    const settings = await bench.admin('select keep_days, changed_by from audit_retention_settings');
    expect(settings).toEqual([{ keep_days: 401, changed_by: 'castellan_archivist' }]);
    await expectWhole(tenantId);
    for (const url of [bench.database.appUrl, bench.database.ownerUrl, bench.database.adminUrl]) {
      expect(await run({ url })).toMatchObject({ code: 2, output: expect.stringMatching(/member of castellan_retention and of nothing else/) });
    }
    expect(await run({ checkpoints: '' })).toMatchObject({ code: 2, output: expect.stringMatching(/AUDIT_CHECKPOINT_DIR/) });
  });
});

describe('T-17: behind a dropped segment', () => {
  it('a changed row is found', async () => {
    const tenantId = await droppedChain();
    await bench.tamper(
      "update audit_logs set entry = replace(entry::text, 'success', 'refused')::json where chain_id = $1 and seq = 600",
      [tenantId],
    );
    expect(await verify(tenantId)).toMatchObject({ state: 'damaged', first_bad_seq: 600 });
  });

  it('a segment that was changed, or whose record is gone, is found', async () => {
    const tenantId = await droppedChain();
    await bench.tamper("update audit_segments set archive_name = 'elsewhere' where chain_id = $1", [tenantId]);
    expect(await verify(tenantId)).toMatchObject({ state: 'damaged', findings: [{ detail: expect.stringMatching(/where they were archived/) }] });
    await bench.tamper('update audit_segments set chain_hash = $2 where chain_id = $1', [tenantId, Buffer.alloc(32)]);
    expect(await verify(tenantId)).toMatchObject({ state: 'damaged' });
    await bench.tamper('delete from audit_segments where chain_id = $1', [tenantId]);
    expect(await verify(tenantId)).toMatchObject({ state: 'damaged' });
  });

  it('rows that somebody else removed are found, although a segment was forged for them', async () => {
    const tenantId = await agedChain();
    await bench.tamper(
      `insert into audit_segments (chain_id, to_seq, from_seq, root_hash, chain_hash, frontier, note, archive_name, archive_digest, witness, recorded_until)
       select l.chain_id, 512, 1, '', l.chain_hash, array[n.hash], c.note, 'x', decode(repeat('00', 32), 'hex'), 'folder', now()
       from audit_logs l, audit_tree_nodes n, audit_checkpoints c
       where l.chain_id = $1 and l.seq = 512 and n.chain_id = $1 and n.index = 0 and c.chain_id = $1`,
      [tenantId],
    );
    await bench.tamper('delete from audit_logs where chain_id = $1 and seq <= 512', [tenantId]);
    expect(await verify(tenantId)).toMatchObject({ state: 'damaged' });
  });
});
