import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { Client } from 'pg';
import { systemActor } from '../../../src/domain/shared/actor.ts';
import { platformChainId } from '../../../src/domain/audit/audit-entry.ts';
import type { AuditPrivate, AuditRecord } from '../../../src/domain/audit/audit-entry.ts';
import { canonicalJson } from '../../../src/domain/shared/canonical.ts';
import { sealEntry } from '../../../src/platform/audit/audit-append.ts';
import { partKeys } from '../../../src/platform/audit/audit-person-keys.ts';
import { openedPrivate } from '../../../src/platform/audit/audit-seal.ts';
import { auditRefusal } from '../../../src/platform/audit/audit-refusal.ts';
import { verifyChain } from '../../../src/services/audit/audit-chain-verification.service.ts';
import { payloadDigest } from '../../../src/platform/security/digest.ts';
import { unitOfWork } from '../../../src/platform/database/unit-of-work.ts';
import { actorOf, entryOf, startAuditBench } from '../../support/audit-bench.ts';
import type { AuditBench } from '../../support/audit-bench.ts';

const run = promisify(execFile);
const writerScript = fileURLToPath(new URL('./fixtures/audit-writer.ts', import.meta.url));
const chainTables = ['audit_logs', 'audit_heads', 'audit_permission_sets', 'audit_checkpoints', 'audit_tree_nodes'];

let bench: AuditBench;
let app: Client;

beforeAll(async () => {
  bench = await startAuditBench();
  app = new Client({ connectionString: bench.database.appUrl });
  await app.connect();
});

afterAll(async () => {
  await app.end();
  await bench.close();
});

interface StoredRow {
  readonly seq: string;
  readonly entry: string;
  readonly private: string;
  readonly [column: string]: unknown;
}

const chainOf = (tenantId: string) =>
  bench.admin<StoredRow>(
    'select *, entry::text as entry, private::text as private from audit_logs where chain_id = $1 order by seq',
    [tenantId],
  );
/** Inserts a row under an idempotency key: a change whose commit the tests can check. */
const change = (tenantId: string, key: string) =>
  sql`insert into idempotency_keys (tenant_id, principal, key, fingerprint, expires_at)
    values (${tenantId}, 'test', ${key}, '\\x00', now())`;
const changes = async (key: string) => (await bench.admin('select from idempotency_keys where key = $1', [key])).length;

/** Runs statements as the application in the session of a tenant and rolls back. */
async function asApp(tenantId: string, text: string, values: unknown[] = []) {
  await app.query('begin');
  try {
    await app.query("select set_config('app.tenant_id', $1, true)", [tenantId]);
    return await app.query(text, values);
  } finally {
    await app.query('rollback');
  }
}

describe('one transaction (X-7)', () => {
  it('commits the change and its audit row together, with everything that is known of the operation', async () => {
    const tenantId = randomUUID();
    const actor = actorOf(tenantId, { workflow_id: 'approval/x' });
    await unitOfWork(bench.db, actor, async (tx) => {
      await change(tenantId, 'together').execute(tx.sql);
      tx.audit(entryOf(0, { old_values: { on: false }, new_values: { on: true } }));
    });
    expect(await changes('together')).toBe(1);
    const [row] = await chainOf(tenantId);
    const record = JSON.parse(row?.entry ?? '') as AuditRecord;
    const hidden = JSON.parse(row?.private ?? '') as AuditPrivate;
    expect(record).toMatchObject({
      v: 2,
      tenant_id: tenantId,
      actor: { kind: 'user', user_id: actor.user_id, roles: ['role-super-admin'] },
      area: 'admin',
      event: 'flag.toggle',
      action: 'update',
      resource_type: 'feature_flag',
      resource_id: 'resource-0',
      outcome: 'success',
      reason: null,
      session_id: actor.session_id,
      request_id: actor.request_id,
      trace_id: actor.trace_id,
      workflow_id: 'approval/x',
    });
    // Data about the person is sealed, data about the flag is not.
    expect(hidden).toMatchObject({
      ip: null,
      user_agent: null,
      old_values: { on: false },
      new_values: { on: true },
      sealed: [{ person: actor.user_id, holds: 'origin' }],
    });
    const [keys = []] = await partKeys(bench.db, tenantId, [{ id: record.id, private: row?.private ?? null }]);
    expect(openedPrivate(hidden, keys)).toMatchObject({ ip: '203.0.113.7', user_agent: 'Test/1.0', new_values: { on: true } });
    expect(row).toMatchObject({
      id: record.id,
      tenant_id: tenantId,
      user_id: actor.user_id,
      event: 'flag.toggle',
      outcome: 'success',
      session_id: actor.session_id,
      ip: null,
      old_values: { on: false },
      new_values: { on: true },
    });
  });

  it('stores the hashed text byte for byte, in the canonical form of RFC 8785', async () => {
    const tenantId = randomUUID();
    const odd = { 'ä€😀': [1e21, -0, 1.5, '\u2028"\\'], a: null };
    await unitOfWork(bench.db, actorOf(tenantId), async (tx) => tx.audit(entryOf(0, { new_values: odd })));
    const [row] = await chainOf(tenantId);
    expect(canonicalJson(JSON.parse(row?.entry ?? ''))).toBe(row?.entry);
    expect(canonicalJson(JSON.parse(row?.private ?? ''))).toBe(row?.private);
    expect((await verifyChain(bench.database.appUrl, tenantId, { columns: true })).findings).toEqual([]);
  });

  it('stores the effective permissions at the time, once for all entries with the same ones', async () => {
    const tenantId = randomUUID();
    await unitOfWork(bench.db, actorOf(tenantId, { permissions: ['user:read', 'flag:read'] }), async (tx) => {
      tx.audit(entryOf(1));
      tx.audit(entryOf(2));
    });
    await unitOfWork(bench.db, actorOf(tenantId, { permissions: ['flag:read', 'user:read'] }), async (tx) => tx.audit(entryOf(3)));
    await unitOfWork(bench.db, actorOf(tenantId, { permissions: [] }), async (tx) => tx.audit(entryOf(4)));
    const sets = await bench.admin('select digest, permissions from audit_permission_sets where chain_id = $1', [tenantId]);
    expect(sets).toHaveLength(2);
    const digests = (await chainOf(tenantId)).map((row) => (JSON.parse(row.entry) as AuditRecord).actor.permissions_digest);
    const digest = payloadDigest(['flag:read', 'user:read']);
    expect(digests).toEqual([digest, digest, digest, payloadDigest([])]);
  });

  it('fails the change when the audit row cannot be written', async () => {
    const tenantId = randomUUID();
    await bench.admin('revoke execute on function audit_append(uuid, text[], text[], text) from castellan_app');
    const attempt = unitOfWork(bench.db, actorOf(tenantId), async (tx) => {
      await change(tenantId, 'unaudited').execute(tx.sql);
      tx.audit(entryOf(0));
    });
    await expect(attempt).rejects.toThrow(/permission denied/);
    await bench.admin('grant execute on function audit_append(uuid, text[], text[], text) to castellan_app');
    expect(await changes('unaudited')).toBe(0);
    expect(await chainOf(tenantId)).toEqual([]);
  });

  it('writes no audit row for a change that fails, and leaves no gap', async () => {
    const tenantId = randomUUID();
    await bench.write(tenantId, 1);
    const attempt = unitOfWork(bench.db, actorOf(tenantId), async (tx) => {
      tx.audit(entryOf(0));
      throw new Error('changed my mind');
    });
    await expect(attempt).rejects.toThrow('changed my mind');
    await bench.write(tenantId, 1);
    expect((await chainOf(tenantId)).map((row) => row.seq)).toEqual(['1', '2']);
  });

  it('records a refused attempt in a transaction of its own', async () => {
    const actor = actorOf(randomUUID());
    await auditRefusal(bench.db, actor, {
      event: 'deleteUser',
      action: 'delete',
      resource_type: 'user',
      resource_id: 'u1',
      reason: 'auth.forbidden',
    });
    const [row] = await chainOf(actor.tenant_id);
    expect(row).toMatchObject({ outcome: 'refused', reason: 'auth.forbidden', event: 'deleteUser' });
  });

  it('has no foreign key by which the actor could be deleted (S4-28)', async () => {
    const keys = await bench.admin(
      "select conname from pg_constraint where contype = 'f' and conrelid::regclass::text = any($1)",
      [chainTables],
    );
    expect(keys).toEqual([]);
  });

  it('bounds the size of what a request can write into the log', async () => {
    const actor = actorOf(randomUUID(), { user_agent: 'x'.repeat(10_000) });
    await unitOfWork(bench.db, actor, async (tx) => tx.audit(entryOf(0, { new_values: { text: 'y'.repeat(1_000_000) } })));
    const [row] = await chainOf(actor.tenant_id);
    expect(row?.private.length).toBeLessThan(2_000);
    expect(row).toMatchObject({ new_values: { omitted_bytes: 1_000_011 } });
  });

  it('stores the value of a secret field in no column (S4-24)', async () => {
    const tenantId = randomUUID();
    const canary = 'canary-5b1e';
    const values = { password: canary, deep: [{ totp_secret: canary, note: `Bearer ${canary}` }], cpf: canary, bytes: Buffer.from(canary) };
    await unitOfWork(bench.db, actorOf(tenantId), async (tx) => tx.audit(entryOf(0, { old_values: values, new_values: values })));
    const [row] = await bench.admin<{ text: string }>('select l::text as text from audit_logs l where chain_id = $1', [tenantId]);
    expect(row?.text).toContain('[redacted]');
    expect(row?.text).not.toContain(canary);
    expect(row?.text).not.toContain(Buffer.from(canary).toString('hex'));
  });
});

describe('one writer (S2-56, S2-73)', () => {
  const tenantId = randomUUID();

  beforeAll(() => bench.write(tenantId, 3));

  it.each(chainTables)('lets the application change nothing in %s', async (table) => {
    await expect(asApp(tenantId, `update ${table} set chain_id = chain_id`)).rejects.toThrow(/permission denied/);
    await expect(asApp(tenantId, `delete from ${table}`)).rejects.toThrow(/permission denied/);
    await expect(asApp(tenantId, `truncate ${table}`)).rejects.toThrow(/permission denied/);
  });

  it.each(['audit_logs', 'audit_heads', 'audit_permission_sets'])('lets the application insert nothing into %s', async (table) => {
    await expect(asApp(tenantId, `insert into ${table} (chain_id) values ($1)`, [tenantId])).rejects.toThrow(/permission denied/);
  });

  it.each(['audit_logs', 'audit_permission_sets', 'audit_checkpoints', 'audit_tree_nodes'])(
    'stops the owner and the superuser by a trigger on %s',
    async (table) => {
      for (const url of [bench.database.ownerUrl, bench.database.adminUrl]) {
        const client = new Client({ connectionString: url });
        await client.connect();
        for (const statement of [`update ${table} set chain_id = chain_id`, `delete from ${table}`, `truncate ${table}`]) {
          await expect(client.query(statement)).rejects.toThrow(/append-only/);
        }
        await client.end();
      }
    },
  );

  it('refuses an entry for another chain than that of the session, and one that names another tenant', async () => {
    const stranger = randomUUID();
    const append = 'select audit_append($1, $2, $3, $4)';
    const forged = sealEntry(actorOf(stranger), entryOf(0));
    await expect(asApp(tenantId, append, [stranger, [forged.entry], [forged.private], '[]'])).rejects.toThrow(/own tenant/);
    await expect(asApp(tenantId, append, [tenantId, [forged.entry], [forged.private], '[]'])).rejects.toThrow(/another tenant/);
    await expect(asApp('', append, [tenantId, [forged.entry], [forged.private], '[]'])).rejects.toThrow(/own tenant/);
    expect(await chainOf(stranger)).toEqual([]);
  });

  it('refuses an entry of an unknown form', async () => {
    const own = sealEntry(actorOf(tenantId), entryOf(0));
    const append = 'select audit_append($1, $2, $3, $4)';
    const unknown = own.entry.replace('"action":"update"', '"action":"sing"');
    await expect(asApp(tenantId, append, [tenantId, [unknown], [own.private], '[]'])).rejects.toThrow(/known form/);
    await expect(asApp(tenantId, append, [tenantId, ['{'], [own.private], '[]'])).rejects.toThrow(/json/);
    await expect(asApp(tenantId, append, [tenantId, [own.entry], [], '[]'])).rejects.toThrow(/known form/);
  });

  it('separates tenants: rows, heads, checkpoints and permission sets of another one are invisible', async () => {
    const other = randomUUID();
    await bench.write(other, 2);
    for (const table of chainTables) {
      const { rows } = await asApp(tenantId, `select distinct chain_id from ${table} where chain_id <> $1`, [tenantId]);
      expect(rows).toEqual([]);
    }
    const nobody = await asApp('', 'select from audit_logs');
    expect(nobody.rowCount).toBe(0);
    const view = await asApp(other, 'select distinct chain_id from admin_audit_logs');
    expect(view.rows).toEqual([{ chain_id: other }]);
  });

  it('has a chain for what belongs to no tenant, whose id no tenant can have', async () => {
    await unitOfWork(bench.db, systemActor(platformChainId), async (tx) => tx.audit(entryOf(0)));
    const [row] = await chainOf(platformChainId);
    expect(row).toMatchObject({ seq: '1', tenant_id: null });
    expect(await verifyChain(bench.database.appUrl, platformChainId)).toMatchObject({ state: 'unanchored', size: 1 });
    const taken = bench.admin("insert into tenants (id, name, domain) values ($1, 'x', 'x.example')", [platformChainId]);
    await expect(taken).rejects.toThrow(/tenants_id_is_not_the_platform/);
  });

  it('shows the administration of the portal as admin_audit_logs (S2-50, X-7)', async () => {
    const own = randomUUID();
    await unitOfWork(bench.db, actorOf(own), async (tx) => {
      tx.audit(entryOf(0));
      tx.audit(entryOf(1, { event: 'client.read', action: 'read', resource_type: 'client' }));
    });
    const { rows } = await asApp(own, 'select event from admin_audit_logs');
    expect(rows).toEqual([{ event: 'flag.toggle' }]);
  });
});

describe('fifty writers', () => {
  it('in five processes make one gap-free chain, without a deadlock', async () => {
    const tenantId = randomUUID();
    const [writers, rounds] = [10, 20];
    const work = Array.from({ length: 5 }, () =>
      run(process.execPath, [writerScript, bench.database.appUrl, tenantId, String(writers), String(rounds)]),
    );
    await Promise.all(work);
    const perWriter = Array.from({ length: rounds }, (_, round) => (round % 5 === 4 ? 0 : 1 + (round % 2))).reduce((a, b) => a + b);
    const expected = 5 * writers * perWriter;
    const rows = await chainOf(tenantId);
    expect(rows.map((row) => Number(row.seq))).toEqual(Array.from({ length: expected }, (_, place) => place + 1));
    expect(new Set(rows.map((row) => row['resource_id'])).size).toBe(expected);
    expect(new Set(rows.map((row) => row['user_agent'])).size).toBe(5 * writers);
    expect(await verifyChain(bench.database.appUrl, tenantId)).toMatchObject({ state: 'unanchored', size: expected, findings: [] });
    const [{ deadlocks } = { deadlocks: '0' }] = await bench.admin<{ deadlocks: string }>(
      'select deadlocks from pg_stat_database where datname = current_database()',
    );
    expect(Number(deadlocks)).toBe(0);
  });
});
