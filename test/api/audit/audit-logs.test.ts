import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { fromHex } from '../../../src/domain/audit/audit-export.ts';
import type { ExportReport } from '../../../src/domain/audit/audit-export.ts';
import { verifyConsistency, verifyInclusion } from '../../../src/domain/audit/audit-merkle.ts';
import { verifyExportFile } from '../../../src/services/audit/audit-export-verification.service.ts';
import { sha256 } from '../../../src/platform/audit/audit-hash.ts';
import { openCheckpoint, parseVerifier } from '../../../src/services/audit/signed-note.ts';
import { unitOfWork } from '../../../src/platform/database/unit-of-work.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { actorOf, entryOf } from '../../support/audit-bench.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { secondTenant } from '../../support/people.ts';

const run = promisify(execFile);
const formula = '=HYPERLINK("http://evil.example","x")';

let app: TestApi;
let admin: SignedIn;
let folder: string;

beforeAll(async () => {
  app = await startTestApi();
  admin = await app.signIn('role-super-admin');
  folder = await mkdtemp(join(tmpdir(), 'castellan-export-'));
  const actor = actorOf(defaultTenantId, { user_id: admin.user_id, user_agent: formula, request_id: 'request-of-the-test' });
  for (let batch = 0; batch < 12; batch += 1) {
    await unitOfWork(app.api.deps.db, actor, async (tx) => {
      for (let place = 0; place < 100; place += 1) tx.audit(entryOf(100 * batch + place));
    });
  }
});

afterAll(async () => {
  await app.close();
  await rm(folder, { recursive: true, force: true });
});

const get = (path: string, token = admin.token) => app.call('GET', path, { token });

/** Members of a row of a JSON Lines export that the test of a filled gap needs. */
interface SkippingRow {
  readonly entry_hash: string;
  skipped: string[];
}

/** Downloads an export into a file. */
async function download(name: string, query: string): Promise<string> {
  const answer = await get(`/admin/audit-logs/export?${query}`);
  expect(answer.status).toBe(200);
  const path = join(folder, name);
  await writeFile(path, answer.body);
  return path;
}

async function publicKey(): Promise<string> {
  const { body } = await get('/admin/audit-logs/checkpoints/latest');
  return body.public_keys[0];
}

async function check(path: string, notes: readonly string[] = []): Promise<ExportReport> {
  return verifyExportFile(path, { verifiers: [parseVerifier(await publicKey())], notes });
}

/** Writes a changed copy of a file and verifies it. */
async function checkChanged(path: string, change: (lines: string[]) => string[], notes: readonly string[] = []): Promise<ExportReport> {
  const changed = path.replace(/(\.\w+)$/, '-changed$1');
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
  await writeFile(changed, `${change(lines).join('\n')}\n`);
  return check(changed, notes);
}

describe('GET /admin/audit-logs (S2-29, S4-19)', () => {
  it('lists newest first, page by page, without a gap or a repetition', async () => {
    const seqs: number[] = [];
    for (let cursor = ''; ; ) {
      const { status, body } = await get(`/admin/audit-logs?limit=100&event=flag.toggle${cursor}`);
      expect(status).toBe(200);
      seqs.push(...body.items.map((item: { seq: number }) => item.seq));
      if (body.next_cursor === null) break;
      cursor = `&cursor=${body.next_cursor}`;
    }
    expect(seqs).toHaveLength(400);
    expect(seqs).toEqual(seqs.toSorted((a, b) => b - a));
    expect(new Set(seqs).size).toBe(400);
  });

  it('shows actor, operation, address and request', async () => {
    const { body } = await get('/admin/audit-logs?limit=1&request_id=request-of-the-test');
    expect(body.items[0]).toMatchObject({
      tenant_id: defaultTenantId,
      user_id: admin.user_id,
      actor_kind: 'user',
      roles: ['role-super-admin'],
      event: 'user.update',
      action: 'update',
      outcome: 'success',
      ip: '203.0.113.7',
      user_agent: formula,
    });
    expect(body.items[0]).not.toHaveProperty('new_values');
  });

  it('filters by every column it offers', async () => {
    const { body } = await get('/admin/audit-logs?limit=1&event=flag.toggle');
    const [item] = body.items;
    const soon = new Date(Date.parse(item.occurred_at) + 1).toISOString();
    const count = async (query: string) => (await get(`/admin/audit-logs?limit=100&${query}`)).body.items.length;
    expect(await count(`user_id=${admin.user_id}&resource_type=feature_flag&resource_id=resource-1`)).toBe(80);
    expect(await count('action=login&outcome=success')).toBe(1);
    expect(await count('action=delete')).toBe(0);
    expect(await count(`from=${soon}&event=flag.toggle`)).toBe(0);
    expect(await count(`to=${item.occurred_at}&from=2020-01-01T00:00:00Z`)).toBeGreaterThan(0);
    expect((await get('/admin/audit-logs?colour=red')).status).toBe(422);
    expect((await get('/admin/audit-logs?cursor=nonsense')).status).toBe(400);
    expect((await get('/api/v1/audit-logs?limit=1')).body.items).toHaveLength(1);
  });

  it('requires the permission, and refusals are entries as well', async () => {
    const agent = await app.signIn('role-junior-agent');
    expect((await get('/admin/audit-logs', agent.token)).status).toBe(403);
    const { body } = await get(`/admin/audit-logs?user_id=${agent.user_id}&outcome=refused`);
    expect(body.items[0]).toMatchObject({ event: 'getAuditLogs', reason: 'auth.forbidden', user_id: agent.user_id });
  });
});

describe('GET /admin/audit-logs/:id (S2-30)', () => {
  it('shows values, the permissions at the time and a proof that leads to the signed root', async () => {
    const { body: list } = await get('/admin/audit-logs?limit=3&event=flag.toggle');
    for (const item of list.items) {
      const { status, body } = await get(`/admin/audit-logs/${item.id}`);
      expect(status).toBe(200);
      expect(body).toMatchObject({ seq: item.seq, old_values: { enabled: false }, permissions: ['flag:read', 'flag:toggle'] });
      const checkpoint = openCheckpoint(body.proof.checkpoint, body.proof.public_keys.map(parseVerifier));
      if (checkpoint === null) throw new Error('the checkpoint is not signed');
      expect(checkpoint.size).toBe(body.proof.tree_size);
      const claim = {
        index: body.proof.leaf_index,
        size: body.proof.tree_size,
        leaf_hash: fromHex(body.entry_hash),
        root_hash: checkpoint.root_hash,
      };
      expect(verifyInclusion(sha256, body.proof.hashes.map(fromHex), claim)).toBe(true);
    }
    expect((await get('/admin/audit-logs/7c9e6679-7425-40de-944b-e07fc1f90ae7')).status).toBe(404);
  });
});

describe('GET /admin/audit-logs/export (S2-31, S2-74)', () => {
  it.each(['jsonl', 'csv'])('exports the whole chain as %s, is an entry itself, and verifies offline', async (format) => {
    const path = await download(`whole.${format}`, `format=${format}`);
    const report = await check(path);
    expect(report).toMatchObject({ valid: true, complete: true, findings: [] });
    expect(report.rows).toBe(report.tree_size);
    const { body } = await get('/admin/audit-logs?limit=1&event=audit.export');
    expect(body.items[0]).toMatchObject({ seq: report.rows, user_id: admin.user_id, action: 'read' });
  });

  it.each(['jsonl', 'csv'])('exports a filtered slice as %s that verifies offline and is stated to be one', async (format) => {
    const slices = ['event=flag.toggle', 'resource_id=resource-4', 'action=login', 'event=nothing'];
    for (const filter of slices) {
      const report = await check(await download(`slice.${format}`, `format=${format}&${filter}`));
      expect(report).toMatchObject({ valid: true, complete: false, findings: [] });
    }
  });

  it('defuses formulas in the columns that a spreadsheet shows', async () => {
    const path = await download('formula.csv', 'format=csv&event=flag.toggle');
    const records: Record<string, string>[] = parse(await readFile(path), { columns: true });
    expect(records[0]?.['user_agent']).toBe(`'${formula}`);
    for (const record of records) for (const cell of Object.values(record)) expect(cell).not.toMatch(/^[=+\-@\t\r]/);
  });

  it('streams: the first rows arrive long before the last ones are read', async () => {
    const response = await fetch(new URL('/admin/audit-logs/export?format=jsonl', app.url), {
      headers: { authorization: `Bearer ${admin.token}` },
    });
    expect(response.headers.get('content-disposition')).toMatch(/^attachment; filename="audit-.*\.jsonl"$/);
    expect(response.headers.get('transfer-encoding')).toBe('chunked');
    const reader = response.body?.getReader();
    const first = await reader?.read();
    expect(Buffer.from(first?.value ?? []).toString()).toMatch(/^\{"seq":1,/);
    await reader?.cancel();
    expect((await get('/health/ready')).status).toBe(200);
  });

  describe.each(['jsonl', 'csv'])('finds in a %s file', (format) => {
    let path: string;
    /** The first line of a CSV file is its header. */
    const at = (seq: number) => (format === 'csv' ? seq : seq - 1);

    beforeAll(async () => {
      path = await download(`tamper.${format}`, `format=${format}`);
    });

    it('an edit', async () => {
      const edited = (lines: string[]) => lines.with(at(20), (lines[at(20)] ?? '').replaceAll('resource-', 'resourcE-'));
      expect(await checkChanged(path, edited)).toMatchObject({ valid: false, first_bad_seq: 20 });
    });

    it('an edit of old and new values', async () => {
      const edited = (lines: string[]) => lines.with(at(20), (lines[at(20)] ?? '').replaceAll('false', 'true'));
      expect(await checkChanged(path, edited)).toMatchObject({ valid: false, first_bad_seq: 20 });
    });

    it('reordered rows', async () => {
      const swapped = (lines: string[]) => lines.with(at(20), lines[at(21)] ?? '').with(at(21), lines[at(20)] ?? '');
      expect(await checkChanged(path, swapped)).toMatchObject({ valid: false, first_bad_seq: 20 });
    });

    it('an insertion', async () => {
      const inserted = (lines: string[]) => lines.toSpliced(at(20), 0, lines[at(20)] ?? '');
      expect(await checkChanged(path, inserted)).toMatchObject({ valid: false, first_bad_seq: 20 });
    });

    it('a deletion from the middle', async () => {
      expect(await checkChanged(path, (lines) => lines.toSpliced(at(20), 1))).toMatchObject({ valid: false, first_bad_seq: 20 });
    });

    it('a truncated end, with and without the manifest', async () => {
      expect(await checkChanged(path, (lines) => lines.toSpliced(-3, 2))).toMatchObject({ valid: false });
      expect(await checkChanged(path, (lines) => lines.slice(0, 30))).toMatchObject({ valid: false });
    });

    it('garbage', async () => {
      expect(await checkChanged(path, (lines) => lines.with(at(20), '"{nonsense'))).toMatchObject({ valid: false });
      expect(await checkChanged(path, () => [])).toMatchObject({ valid: false });
    });
  });

  it('finds a display column that differs from the entry', async () => {
    const path = await download('columns.csv', 'format=csv&event=flag.toggle');
    const edited = (lines: string[]) => lines.with(1, (lines[1] ?? '').replace(',flag.toggle,', ',flag.delete,'));
    const report = await checkChanged(path, edited);
    expect(report).toMatchObject({ valid: false });
    expect(report.findings[0]?.detail).toContain('column event');
  });

  it('finds a row that was removed from a slice, although its hash fills the gap', async () => {
    const path = await download('slice.jsonl', 'format=jsonl&event=flag.toggle');
    const report = await checkChanged(path, (lines) => {
      const [taken, next] = lines.map((line): SkippingRow => JSON.parse(line));
      if (taken === undefined || next === undefined) throw new Error('the slice has too few rows');
      // Rows before the first slice row, the row itself, and the rows up to the next, as the smallest subtrees.
      expect(taken.skipped.length + next.skipped.length).toBeGreaterThan(0);
      next.skipped = [...taken.skipped, taken.entry_hash, ...next.skipped];
      return [JSON.stringify(next), ...lines.slice(2)];
    });
    expect(report).toMatchObject({ valid: false });
  });

  it('finds a chain that was rewritten as a whole, by an earlier checkpoint', async () => {
    const path = await download('signed.jsonl', 'format=jsonl');
    const { body } = await get('/admin/audit-logs/checkpoints/latest');
    expect(await check(await download('later.jsonl', 'format=jsonl'), [body.note])).toMatchObject({ valid: true, compared: [body.size] });
    const stranger = await startTestApi({ AUDIT_SIGNING_KEYS: app.env.AUDIT_SIGNING_KEYS });
    try {
      const other = await stranger.signIn('role-super-admin');
      const answer = await stranger.call('GET', '/admin/audit-logs/export?format=jsonl', { token: other.token });
      await writeFile(path, answer.body);
      expect(await check(path)).toMatchObject({ valid: true });
      expect(await check(path, [body.note])).toMatchObject({ valid: false });
    } finally {
      await stranger.close();
    }
  });

  it('proves that a slice belongs to a chain that an earlier checkpoint is the beginning of', async () => {
    const { body: early } = await get('/admin/audit-logs/checkpoints/latest');
    await app.signIn('role-super-admin');
    const query = `format=jsonl&action=login&consistent_with=${early.size}`;
    const path = await download('consistent.jsonl', query);
    expect(await check(path, [early.note])).toMatchObject({ valid: true, compared: [early.size], not_compared: [] });
    const { body: late } = await get(`/admin/audit-logs/checkpoints/latest?since=${early.size}`);
    const { first, hashes } = late.consistency_proof;
    const claim = { first, second: late.size, first_root: fromHex(early.root_hash), second_root: fromHex(late.root_hash) };
    expect(verifyConsistency(sha256, hashes.map(fromHex), claim)).toBe(true);
    expect((await get('/admin/audit-logs/export?consistent_with=99999999')).status).toBe(422);
  });

  it('is verified by a command without a database, with the result as its exit code', async () => {
    const path = await download('command.csv', 'format=csv');
    const keyFile = join(folder, 'key');
    const key = await publicKey();
    await writeFile(keyFile, key);
    await app.signIn('role-super-admin');
    const { body } = await get('/admin/audit-logs/checkpoints/latest');
    await writeFile(join(folder, 'notes'), body.note);
    const command = (...args: string[]) => run(process.execPath, ['src/dev/audit-verify.ts', ...args], { env: { PATH: '' } });
    const { stdout } = await command(path, '--public-key', key);
    expect(stdout).toContain('VALID: this is what was signed');
    await expect(command(path, '--public-key', keyFile, '--checkpoint', join(folder, 'notes'))).rejects.toMatchObject({
      code: 1,
      stdout: expect.stringContaining('rows are missing'),
    });
    await writeFile(path, (await readFile(path, 'utf8')).replace(',203.0.113.7,', ',203.0.113.8,'));
    await expect(command(path, '--public-key', key)).rejects.toMatchObject({
      code: 1,
      stdout: expect.stringContaining('NOT VALID: first bad entry'),
    });
    await expect(command(path)).rejects.toMatchObject({ code: 2 });
    await expect(command(join(folder, 'missing.csv'), '--public-key', key)).rejects.toMatchObject({ code: 2 });
  });
});

describe('GET /admin/audit-logs/verify and /checkpoints (S2-73)', () => {
  it('recomputes the chain and reports what was compared', async () => {
    const { status, body } = await get('/admin/audit-logs/verify');
    expect(status).toBe(200);
    expect(body).toMatchObject({ chain_id: defaultTenantId, state: 'unanchored', valid: false, first_bad_seq: null, findings: [] });
    expect(body.checkpoints_checked).toBeGreaterThan(0);
    const { body: list } = await get('/admin/audit-logs/checkpoints?limit=1');
    expect(list.items[0]).toMatchObject({ chain_id: defaultTenantId });
    expect(list.next_cursor).not.toBeNull();
  });

  it('separates the tenants, and shows the chain of the platform to its staff only', async () => {
    const other = await secondTenant(app);
    const { body: own } = await get('/admin/audit-logs?limit=100', other.admin.token);
    expect(own.items.length).toBeGreaterThan(0);
    for (const item of own.items) expect(item.tenant_id).toBe(other.tenant_id);
    const { body: mine } = await get('/admin/audit-logs?limit=1');
    expect((await get(`/admin/audit-logs/${mine.items[0].id}`, other.admin.token)).status).toBe(404);
    expect((await get('/admin/audit-logs?chain=platform', other.admin.token)).status).toBe(403);
    expect((await get('/admin/audit-logs?chain=platform')).status).toBe(200);
    const exported = await get('/admin/audit-logs/export?format=jsonl', other.admin.token);
    expect(exported.body).not.toContain(defaultTenantId);
  });

  it('reports the first damaged entry, keeps serving, and signs no further checkpoint', async () => {
    const before: { size: number } = (await get('/admin/audit-logs/checkpoints/latest')).body;
    await app.signIn('role-super-admin');
    await asSuperuser(
      app,
      `do $$ begin
        set local session_replication_role = replica;
        update audit_logs set private = '{}' where chain_id = '${defaultTenantId}' and seq in (77, ${before.size + 1});
      end $$`,
    );
    const { body } = await get('/admin/audit-logs/verify');
    expect(body).toMatchObject({ state: 'damaged', valid: false, first_bad_seq: 77 });
    expect((await get('/admin/audit-logs/checkpoints/latest')).body.size).toBe(before.size);
    expect(await check(await download('damaged.jsonl', 'format=jsonl'))).toMatchObject({ valid: false, first_bad_seq: 77 });
    const { body: list } = await get('/admin/audit-logs?limit=1');
    expect((await get(`/admin/audit-logs/${list.items[0].id}`)).body).toMatchObject({ proof: null });
  });
});
