import { randomUUID } from 'node:crypto';
import { readFile, rm, writeFile, mkdtemp } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { verifyInclusion } from '../../../src/domain/audit/audit-merkle.ts';
import { takeCheckpoint } from '../../../src/services/audit/audit-checkpoint.service.ts';
import { verifyExportFile } from '../../../src/services/audit/audit-export-verification.service.ts';
import { sha256 } from '../../../src/platform/audit/audit-hash.ts';
import { originOfChain } from '../../../src/services/audit/signed-note.ts';
import { dropSegment, nextSegment } from '../../../src/services/audit/audit-retention.service.ts';
import { inclusionProof } from '../../../src/services/audit/audit-tree.queries.ts';
import { verifyChain } from '../../../src/services/audit/audit-chain-verification.service.ts';
import { chainsWithoutWitness, deliverToWitness, witnessFile, witnessedNotes, witnessesOf } from '../../../src/services/audit/audit-witness.service.ts';
import type { Witness } from '../../../src/services/audit/audit-witness.service.ts';
import { createOutboundHttp } from '../../../src/platform/outbound/outbound-http.ts';
import { generateWebhookSecret } from '../../../src/platform/outbound/webhook.ts';
import { startAuditBench } from '../../support/audit-bench.ts';
import type { AuditBench } from '../../support/audit-bench.ts';

let bench: AuditBench;
let folder: string;
let witness: Witness;

const outbound = createOutboundHttp({ allow: ['127.0.0.1'] });
const never = new AbortController().signal;
const soon = () => new Date(Date.now() + 60_000);

beforeAll(async () => {
  bench = await startAuditBench();
  folder = await mkdtemp(join(tmpdir(), 'castellan-retention-'));
  const [folderWitness] = witnessesOf({ AUDIT_WITNESS_DIR: join(folder, 'witness') }, outbound);
  if (folderWitness === undefined) throw new Error('no witness');
  witness = folderWitness;
});

afterAll(async () => {
  await outbound.close();
  await bench.close();
  await rm(folder, { recursive: true, force: true });
});

const tools = () => ({ db: bench.db, signer: bench.signer, folder: join(folder, 'archive') });
const verifiers = (tenantId: string) => bench.signer.verifiers(originOfChain(tenantId));

async function verify(tenantId: string) {
  const notes = await witnessedNotes(join(folder, 'witness'), tenantId);
  return verifyChain(bench.database.appUrl, tenantId, { verifiers: verifiers(tenantId), notes, columns: true });
}

/** A chain of 700 rows, signed, with the note delivered to the witness. */
async function witnessedChain(): Promise<string> {
  const tenantId = randomUUID();
  await bench.write(tenantId, 700, 100);
  await takeCheckpoint(bench.db, bench.signer, tenantId);
  await deliverToWitness(bench.db, witness, tenantId, never);
  return tenantId;
}

async function droppedChain(): Promise<string> {
  const tenantId = await witnessedChain();
  const plan = await nextSegment(bench.db, tenantId, soon());
  if (plan === null) throw new Error('nothing is due');
  await dropSegment(tools(), plan, soon());
  return tenantId;
}

describe('retention by segment', () => {
  it('drops nothing that is too young or not covered by a witness', async () => {
    const tenantId = randomUUID();
    await bench.write(tenantId, 300, 100);
    await takeCheckpoint(bench.db, bench.signer, tenantId);
    expect(await nextSegment(bench.db, tenantId, soon())).toBeNull();
    await deliverToWitness(bench.db, witness, tenantId, never);
    expect(await nextSegment(bench.db, tenantId, new Date(Date.now() - 3_600_000))).toBeNull();
    expect(await nextSegment(bench.db, tenantId, soon())).toEqual({ chain_id: tenantId, from_seq: 1, to_seq: 256 });
  });

  it('drops what was archived; the rest verifies, can be proved and is continued', async () => {
    const tenantId = await witnessedChain();
    const plan = await nextSegment(bench.db, tenantId, soon());
    expect(plan).toMatchObject({ from_seq: 1, to_seq: 512 });
    if (plan === null) return;
    const segment = await dropSegment(tools(), plan, soon());
    await expect(dropSegment(tools(), plan, soon())).rejects.toThrow(/does not verify/);

    const [left] = await bench.admin<{ first: string; rows: string }>(
      'select min(seq) as first, count(*) as rows from audit_logs where chain_id = $1',
      [tenantId],
    );
    expect(left).toEqual({ first: '513', rows: '189' });
    expect(await verify(tenantId)).toMatchObject({ valid: true, size: 701, findings: [] });

    await bench.write(tenantId, 100, 50);
    const checkpoint = await takeCheckpoint(bench.db, bench.signer, tenantId);
    expect(checkpoint?.size).toBe(801);
    for (const seq of [513, 600, 801]) {
      const proof = await inclusionProof(bench.db, tenantId, seq, 801);
      const [row] = await bench.admin<{ entry_hash: Buffer }>(
        'select entry_hash from audit_logs where chain_id = $1 and seq = $2',
        [tenantId, seq],
      );
      const claim = { index: seq - 1, size: 801, leaf_hash: row?.entry_hash ?? Buffer.alloc(0), root_hash: checkpoint?.root_hash ?? Buffer.alloc(0) };
      expect(verifyInclusion(sha256, proof, claim)).toBe(true);
    }

    const archive = join(folder, 'archive', segment.archive_name);
    expect(Buffer.from(sha256(await readFile(archive))).toString('hex')).toBe(segment.archive_digest);
    expect(await verifyExportFile(archive, { verifiers: verifiers(tenantId) })).toMatchObject({ valid: true, rows: 512 });
    const text = await readFile(archive, 'utf8');
    await writeFile(archive, text.replace('flag.toggle', 'flag.create'));
    expect((await verifyExportFile(archive, { verifiers: verifiers(tenantId) })).valid).toBe(false);
  });

  it('finds a row that was changed behind a dropped segment, and a forged segment', async () => {
    const tenantId = await droppedChain();
    await bench.tamper(
      "update audit_logs set entry = replace(entry::text, 'success', 'refused')::json where chain_id = $1 and seq = 600",
      [tenantId],
    );
    expect(await verify(tenantId)).toMatchObject({ valid: false, first_bad_seq: 600 });

    const other = await droppedChain();
    await bench.tamper('update audit_segments set chain_hash = $2 where chain_id = $1', [other, Buffer.alloc(32)]);
    expect((await verify(other)).valid).toBe(false);

    const third = await droppedChain();
    await bench.tamper('delete from audit_segments where chain_id = $1', [third]);
    expect((await verify(third)).valid).toBe(false);

    const fourth = await witnessedChain();
    await bench.tamper(
      `insert into audit_segments (chain_id, to_seq, from_seq, root_hash, chain_hash, frontier, note, archive_name, archive_digest, witness, recorded_until)
       select l.chain_id, 512, 1, '', l.chain_hash, '{}', '', 'x', decode(repeat('00', 32), 'hex'), 'folder', now()
       from audit_logs l where l.chain_id = $1 and l.seq = 512`,
      [fourth],
    );
    await bench.tamper('delete from audit_logs where chain_id = $1 and seq <= 512', [fourth]);
    await expect(verify(fourth)).rejects.toThrow(RangeError);
  });

  it('deletes rows by one function only, and only those that are signed, witnessed, old and complete', async () => {
    const tenantId = await witnessedChain();
    const refuse = async (text: string) =>
      bench.admin('select 1').then(async () => {
        await expect(asApp(tenantId, text)).rejects.toThrow();
      });
    await refuse('delete from audit_logs where seq < 10');
    await refuse("insert into audit_segments (chain_id, to_seq, from_seq) values ('x', 256, 1)");
    const drop = (seq: number, before = 'now()') =>
      `select audit_drop_segment('${tenantId}', ${seq}, '\\x00', '{}', 'note', 'name', decode(repeat('00', 32), 'hex'), ${before})`;
    await expect(asApp(tenantId, drop(256))).rejects.toThrow(/no checkpoint/);
    await expect(asApp(tenantId, drop(100_096))).rejects.toThrow(/does not go on/);
    await expect(asApp(randomUUID(), drop(256))).rejects.toThrow(/their own tenant/);
    const plan = await nextSegment(bench.db, tenantId, soon());
    if (plan === null) throw new Error('nothing is due');
    await expect(dropSegment(tools(), plan, new Date(Date.now() - 3_600_000))).rejects.toThrow(/younger/);
    await bench.tamper('delete from audit_logs where chain_id = $1 and seq = 5', [tenantId]);
    await expect(dropSegment(tools(), plan, soon())).rejects.toThrow(/damaged|does not verify|has 511 rows/);
    const [{ rows } = { rows: '' }] = await bench.admin<{ rows: string }>('select count(*) as rows from audit_logs where chain_id = $1', [tenantId]);
    expect(rows).toBe('699');
  });
});

/** One statement as the application, inside a tenant. */
async function asApp(tenantId: string, text: string): Promise<void> {
  const client = await bench.db.readPool.connect();
  try {
    await client.query('begin');
    await client.query("select set_config('app.tenant_id', $1, true)", [tenantId]);
    await client.query(text);
  } finally {
    await client.query('rollback');
    client.release();
  }
}

describe('witnesses outside the database', () => {
  it('keep one immutable file for each checkpoint', async () => {
    const tenantId = await witnessedChain();
    const path = witnessFile(join(folder, 'witness'), tenantId, 700);
    const note = await readFile(path, 'utf8');
    expect(await chainsWithoutWitness(bench.db, 'folder', null, 1_000)).not.toContain(tenantId);
    await writeFile(path, 'another');
    expect(await deliverToWitness(bench.db, witness, tenantId, never)).toMatchObject({ error: expect.stringMatching(/another checkpoint/) });
    await writeFile(path, note);
    await bench.write(tenantId, 1);
    await takeCheckpoint(bench.db, bench.signer, tenantId);
    expect(await chainsWithoutWitness(bench.db, 'folder', null, 1_000)).toContain(tenantId);
    expect((await witnessedNotes(join(folder, 'witness'), tenantId)).length).toBe(1);
  });

  it('get a signed webhook, which is recorded and retried', async () => {
    const secret = generateWebhookSecret();
    const received: { size: number; note: string }[] = [];
    let status = 503;
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString('utf8')));
      request.on('end', () => {
        new Webhook(secret).verify(body, request.headers as Record<string, string>);
        if (status === 200) received.push((JSON.parse(body) as { data: { size: number; note: string } }).data);
        response.writeHead(status).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/witness`;
      const [webhook] = witnessesOf({ AUDIT_WITNESS_URL: url, AUDIT_WITNESS_SECRET: secret }, outbound);
      if (webhook === undefined) throw new Error('no witness');
      const tenantId = randomUUID();
      await bench.write(tenantId, 3);
      const checkpoint = await takeCheckpoint(bench.db, bench.signer, tenantId);
      for (const attempts of [1, 2]) {
        const delivery = await deliverToWitness(bench.db, webhook, tenantId, never);
        expect(delivery).toMatchObject({ size: 3, attempts, error: expect.stringMatching(/503/) });
      }
      expect(await nextSegment(bench.db, tenantId, soon())).toBeNull();
      status = 200;
      expect(await deliverToWitness(bench.db, webhook, tenantId, never)).toMatchObject({ attempts: 3, error: null });
      expect(received).toEqual([{ chain_id: tenantId, size: 3, note: checkpoint?.note }]);
      expect(await chainsWithoutWitness(bench.db, 'webhook', null, 1_000)).not.toContain(tenantId);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
});
