import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { takeCheckpoint } from '../../../src/services/audit/audit-checkpoint.service.ts';
import { signerOf } from '../../../src/services/audit/audit-proof.service.ts';
import { checkpointFile, publishCheckpoints, publishedNotes } from '../../../src/services/audit/checkpoint-file.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { asSuperuser } from '../../support/superuser.ts';

let app: TestApi;
let admin: SignedIn;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'castellan-anchor-'));
  app = await startTestApi({ AUDIT_CHECKPOINT_DIR: folder });
  admin = await app.signIn('role-super-admin');
});

afterAll(async () => {
  await app.close();
  await rm(folder, { recursive: true, force: true });
});

const get = async (path: string) => (await app.call('GET', path, { token: admin.token })).body;
const verify = () => get('/admin/audit-logs/verify');
const audit = async () =>
  (await get('/admin/system-health')).components.find(({ component }: { component: string }) => component === 'audit');

async function publish(): Promise<void> {
  const { db, env } = app.api.deps;
  await takeCheckpoint(db, signerOf({ env }), defaultTenantId);
  await publishCheckpoints(db, signerOf({ env }), folder, defaultTenantId);
}

/** Changes rows behind every trigger, as somebody with the rights of the superuser. */
const tamper = (statement: string) => asSuperuser(app, `do $$ begin set local session_replication_role = replica; ${statement}; end $$`);

describe('T-18: a verification says what it is anchored in', () => {
  it('unanchored while no checkpoint from outside is compared, whatever the database itself holds; health says so', async () => {
    expect(await audit()).toBeUndefined();
    const { db, env } = app.api.deps;
    await takeCheckpoint(db, signerOf({ env }), defaultTenantId);
    const report = await verify();
    expect(report).toMatchObject({ state: 'unanchored', valid: false, anchored_size: null, findings: [], archive: null });
    expect(report.checkpoints_checked).toBeGreaterThan(0);
    expect(report.reason).toMatch(/outside the database/);
    expect((await get('/admin/dashboard')).sections.audit.data).toMatchObject({ state: 'unanchored' });
    expect(await audit()).toMatchObject({ status: 'degraded', reason: expect.stringMatching(/no checkpoint from outside/) });
    expect((await get('/admin/audit-verifications')).items[0]).toMatchObject({ outcome: 'intact', state: 'unanchored', workflow_id: null });
  });

  it('anchored with one, and how far it reaches', async () => {
    await publish();
    await app.signIn('role-super-admin');
    const [note = ''] = (await publishedNotes(folder, defaultTenantId)).slice(-1);
    const report = await verify();
    expect(report).toMatchObject({ state: 'anchored', valid: true, anchored_size: Number(note.split('\n')[1]), reason: null });
    expect(report.size).toBeGreaterThan(report.anchored_size);
    // Nothing is measured without a worker, and the verification has found nothing to say.
    expect(await audit()).toBeUndefined();
  });

  it('damaged at once and with words, when its end was cut off everywhere in the database', async () => {
    await publish();
    // A rewrite that is consistent in itself: the end is cut off everywhere in the database.
    await tamper(`delete from audit_logs where chain_id = '${defaultTenantId}' and seq > 1;
      delete from audit_checkpoints where chain_id = '${defaultTenantId}';
      update audit_heads h set size = 1, chain_hash = l.chain_hash from audit_logs l where h.chain_id = l.chain_id and l.seq = 1 and l.chain_id = '${defaultTenantId}'`);
    const report = await verify();
    expect(report).toMatchObject({ state: 'damaged', valid: false, first_bad_seq: 2 });
    expect(await audit()).toMatchObject({
      status: 'down',
      reason: expect.stringMatching(/does not verify from entry 2 on, found at 20.*audit-mismatch/),
    });
    expect((await get('/admin/system-health')).status).toBe('down');
    expect((await get('/admin/audit-verifications')).items[0]).toMatchObject({ outcome: 'damaged', state: 'damaged', first_bad_seq: 2 });
  });

  it('damaged, not unanchored, when a checkpoint from outside was replaced by somebody without the key', async () => {
    const other = await startTestApi({ AUDIT_CHECKPOINT_DIR: folder });
    try {
      const theirs = await other.signIn('role-super-admin');
      await writeFile(checkpointFile(folder, defaultTenantId), '');
      const ask = () => other.call('GET', '/admin/audit-logs/verify', { token: theirs.token });
      expect((await ask()).body).toMatchObject({ state: 'unanchored' });
      const { db, env } = other.api.deps;
      await takeCheckpoint(db, signerOf({ env }), defaultTenantId);
      await publishCheckpoints(db, signerOf({ env }), folder, defaultTenantId);
      expect((await ask()).body).toMatchObject({ state: 'anchored' });
      // The keys of the first installation are not those of the second.
      expect((await verify()).findings.map(({ detail }: { detail: string }) => detail).join()).toMatch(/no valid signature/);
    } finally {
      await other.close();
    }
  });
});
