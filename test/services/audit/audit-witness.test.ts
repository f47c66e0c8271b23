import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { takeCheckpoint } from '../../../src/services/audit/audit-checkpoint.service.ts';
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

beforeAll(async () => {
  bench = await startAuditBench();
  folder = await mkdtemp(join(tmpdir(), 'castellan-witness-'));
  const [folderWitness] = witnessesOf({ AUDIT_WITNESS_DIR: join(folder, 'witness') }, outbound);
  if (folderWitness === undefined) throw new Error('no witness');
  witness = folderWitness;
});

afterAll(async () => {
  await outbound.close();
  await bench.close();
  await rm(folder, { recursive: true, force: true });
});

describe('witnesses outside the database', () => {
  it('keep one immutable file for each checkpoint', async () => {
    const tenantId = randomUUID();
    await bench.write(tenantId, 700, 100);
    await takeCheckpoint(bench.db, bench.signer, tenantId);
    await deliverToWitness(bench.db, bench.signer, witness, tenantId, never);
    const path = witnessFile(join(folder, 'witness'), tenantId, 700);
    const note = await readFile(path, 'utf8');
    expect(await chainsWithoutWitness(bench.db, 'folder', null, 1_000)).not.toContain(tenantId);
    await writeFile(path, 'another');
    expect(await deliverToWitness(bench.db, bench.signer, witness, tenantId, never)).toMatchObject({ error: expect.stringMatching(/another checkpoint/) });
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
        const delivery = await deliverToWitness(bench.db, bench.signer, webhook, tenantId, never);
        expect(delivery).toMatchObject({ size: 3, attempts, error: expect.stringMatching(/503/) });
      }
      status = 200;
      expect(await deliverToWitness(bench.db, bench.signer, webhook, tenantId, never)).toMatchObject({ attempts: 3, error: null });
      expect(received).toEqual([{ chain_id: tenantId, size: 3, note: checkpoint?.note }]);
      expect(await chainsWithoutWitness(bench.db, 'webhook', null, 1_000)).not.toContain(tenantId);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
});
