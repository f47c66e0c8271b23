import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { sealEntry } from '../../../src/platform/audit/audit-append.ts';
import { takeCheckpoint } from '../../../src/services/audit/audit-checkpoint.service.ts';
import { verifyChain } from '../../../src/services/audit/audit-chain-verification.service.ts';
import { publishCheckpoints, publishedNotes } from '../../../src/services/audit/checkpoint-file.ts';
import { formatVerifier, originOfChain } from '../../../src/services/audit/signed-note.ts';
import { actorOf, entryOf, startAuditBench } from '../../support/audit-bench.ts';
import type { AuditBench } from '../../support/audit-bench.ts';
import { inThePast, runRetention } from '../../support/retention.ts';

let bench: AuditBench;
let app: Client;
let retention: Client;
let folder: string;
const tenantId = randomUUID();

beforeAll(async () => {
  bench = await startAuditBench();
  app = new Client({ connectionString: bench.database.appUrl });
  retention = new Client({ connectionString: bench.database.retentionUrl });
  await Promise.all([app.connect(), retention.connect()]);
  folder = await mkdtemp(join(tmpdir(), 'castellan-rights-'));
  await bench.write(tenantId, 700, 100);
  await takeCheckpoint(bench.db, bench.signer, tenantId);
  await publishCheckpoints(bench.db, bench.signer, folder, tenantId);
});

afterAll(async () => {
  await Promise.all([app.end(), retention.end()]);
  await bench.close();
  await rm(folder, { recursive: true, force: true });
});

/** Statements in the session of the tenant, in one transaction; rolled back unless `commit`. */
async function as(client: Client, statements: readonly string[], { commit = false, tenant = tenantId } = {}) {
  await client.query('begin');
  let done = false;
  try {
    await client.query("select set_config('app.tenant_id', $1, true)", [tenant]);
    const results = [];
    for (const text of statements) results.push(await client.query(text));
    done = commit;
    return results;
  } finally {
    await client.query(done ? 'commit' : 'rollback');
  }
}

const one = (text: string) => as(app, [text]);
const zeros = "decode(repeat('00', 32), 'hex')";
const denied = /permission denied|must be owner/;

/** Every right of a role on what belongs to the audit, as `table: RIGHT (columns)`. */
async function rightsOf(role: string): Promise<Record<string, string[]>> {
  const rows = await bench.admin<{ name: string; privilege: string; columns: string[] | null }>(
    `select c.relname::text as name, a.privilege_type as privilege, null as columns
       from pg_class c, aclexplode(c.relacl) a
       where c.relnamespace = 'public'::regnamespace and c.relname ~ '^(admin_)?audit_' and c.relkind in ('r', 'v') and a.grantee = $1::regrole
     union all
     select c.relname::text, a.privilege_type, array_agg(t.attname::text order by t.attnum)
       from pg_class c join pg_attribute t on t.attrelid = c.oid, aclexplode(t.attacl) a
       where c.relnamespace = 'public'::regnamespace and c.relname ~ '^(admin_)?audit_' and a.grantee = $1::regrole
       group by c.relname, a.privilege_type
     union all
     select p.oid::regprocedure::text, a.privilege_type, null
       from pg_proc p, aclexplode(p.proacl) a
       where p.pronamespace = 'public'::regnamespace and p.proname like 'audit\\_%' and a.grantee = $1::regrole
     order by name, privilege`,
    [role],
  );
  const rights: Record<string, string[]> = {};
  for (const { name, privilege, columns } of rows) {
    (rights[name] ??= []).push(columns === null ? privilege : `${privilege} (${columns.join(', ')})`);
  }
  return rights;
}

describe('T-17: what belongs to the audit', () => {
  it('can be read and appended to by the application, and nothing else', async () => {
    expect(await rightsOf('castellan_app')).toEqual({
      admin_audit_logs: ['SELECT'],
      audit_checkpoints: ['INSERT (chain_id, size, root_hash, chain_hash, note, frontier)', 'SELECT'],
      audit_heads: ['SELECT'],
      audit_logs: ['SELECT'],
      audit_permission_sets: ['SELECT'],
      audit_person_keys: ['INSERT', 'SELECT', 'UPDATE (key_ciphertext, destroyed_at, destroyed_by)'],
      audit_retention_settings: ['SELECT'],
      audit_segments: ['SELECT'],
      audit_tree_nodes: ['INSERT', 'SELECT'],
      audit_verifications: [
        'INSERT (chain_id, size, outcome, first_bad_seq, findings, decisions_compared, histories_gone, differences, duration_ms, ' +
          'workflow_id, state, anchored_size)',
        'SELECT',
      ],
      audit_witness_deliveries: [
        'INSERT (chain_id, witness, size, status, error, delivered_at)',
        'SELECT',
        'UPDATE (status, attempts, error, delivered_at)',
      ],
      'audit_append(uuid,text[],text[],text)': ['EXECUTE'],
      'audit_chains(uuid,integer)': ['EXECUTE'],
      'audit_chains_due(uuid,integer)': ['EXECUTE'],
      'audit_witness_due(text,uuid,integer)': ['EXECUTE'],
      'audit_check_checkpoint()': ['EXECUTE'],
      'audit_check_tree_node()': ['EXECUTE'],
      'audit_edge(uuid,bigint)': ['EXECUTE'],
      'audit_fold(bytea[])': ['EXECUTE'],
      'audit_note_states(text,uuid,bigint,bytea)': ['EXECUTE'],
      'audit_root(bytea[])': ['EXECUTE'],
      'audit_subtree(uuid,integer,bigint)': ['EXECUTE'],
    });
  });

  it('can be read, archived and dropped by the retention, and nothing else', async () => {
    expect(await rightsOf('castellan_retention')).toEqual({
      audit_checkpoints: ['SELECT'],
      audit_heads: ['SELECT'],
      audit_logs: ['SELECT'],
      audit_permission_sets: ['SELECT'],
      audit_retention_settings: ['SELECT', 'UPDATE (keep_days)'],
      audit_segments: ['SELECT'],
      audit_tree_nodes: ['SELECT'],
      'audit_chains(uuid,integer)': ['EXECUTE'],
      'audit_drop_segment(uuid,bigint,bytea,bytea,bigint,text,text,text,bytea,text,text)': ['EXECUTE'],
    });
    const others = await bench.admin(
      `select c.relname from pg_class c, aclexplode(c.relacl) a
       where a.grantee = 'castellan_retention'::regrole and c.relnamespace = 'public'::regnamespace and c.relname not like 'audit\\_%'`,
    );
    expect(others).toEqual([]);
  });
});

describe('T-17: the application’s role', () => {
  it.each([
    ['delete entries', 'delete from audit_logs'],
    ['change entries', "update audit_logs set event = 'x'"],
    ['insert entries', `insert into audit_logs (chain_id, seq) values ('${tenantId}', 1)`],
    ['truncate the log', 'truncate audit_logs'],
    ['cut off the head', 'update audit_heads set size = 1'],
    ['drop a segment', `select audit_drop_segment('${tenantId}', 256, ${zeros}, ${zeros}, 700, 'note', 'folder', 'x', ${zeros}, '{}', '{}')`],
    ['record a segment', `insert into audit_segments (chain_id, to_seq) values ('${tenantId}', 256)`],
    ['change the age', 'update audit_retention_settings set keep_days = 30'],
    ['lock the settings', 'select from audit_retention_settings for update'],
    ['remove the settings', 'delete from audit_retention_settings'],
    ['drop the settings', 'drop table audit_retention_settings'],
    ['switch a trigger off', 'alter table audit_logs disable trigger all'],
    ['pass by triggers', 'set session_replication_role = replica'],
    ['become the retention', 'set role castellan_retention'],
    ['become the definer', 'set role castellan_definer'],
    ['become the owner', 'set role castellan_owner'],
    ['make itself a member', 'grant castellan_retention to castellan'],
    ['replace the function', "create or replace function audit_append(uuid, text[], text[], text) returns bigint language sql as 'select 1'"],
    ['backdate a checkpoint', `insert into audit_checkpoints (chain_id, size, root_hash, chain_hash, note, frontier, created_at)
      values ('${tenantId}', 256, ${zeros}, ${zeros}, 'x', '{}', '2020-01-01')`],
    ['backdate a verification', `insert into audit_verifications (chain_id, size, outcome, verified_at) values ('${tenantId}', 1, 'intact', '2020-01-01')`],
    ['change a verification', "update audit_verifications set outcome = 'intact'"],
    ['move a delivery', 'update audit_witness_deliveries set size = 700'],
    ['remove a checkpoint', 'delete from audit_checkpoints'],
  ])('cannot %s', async (_, statement) => {
    await expect(one(statement)).rejects.toThrow(denied);
  });

  it('cannot forge a checkpoint or a node of the tree: they have to be what the rows give', async () => {
    const insert = (size: number, root: string, link: string, note: string, frontier: string) =>
      `insert into audit_checkpoints (chain_id, size, root_hash, chain_hash, note, frontier) values ('${tenantId}', ${size}, ${root}, ${link}, ${note}, ${frontier})`;
    const link = `(select chain_hash from audit_logs where chain_id = '${tenantId}' and seq = 512)`;
    const edge = `audit_edge('${tenantId}', 512)`;
    const note = `'castellan/audit/${tenantId}' || E'\\n512\\n' || encode(audit_root(${edge}), 'base64') || E'\\n\\n'`;
    const notTheRows = /not what the rows give/;
    await expect(one(insert(512, zeros, link, note, edge))).rejects.toThrow(notTheRows);
    await expect(one(insert(512, `audit_root(${edge})`, zeros, note, edge))).rejects.toThrow(notTheRows);
    await expect(one(insert(512, `audit_root(${edge})`, link, note, `array[${zeros}]`))).rejects.toThrow(notTheRows);
    await expect(one(insert(512, `audit_root(${edge})`, link, "'note'", edge))).rejects.toThrow(notTheRows);
    await expect(one(insert(512, `audit_root(${edge})`, link, note.replace('512', '513'), edge))).rejects.toThrow(notTheRows);
    await expect(one(insert(100_000, zeros, zeros, note, edge))).rejects.toThrow(notTheRows);
    // What the rows give may be stored: that nobody has signed it is told as damage, and it does not leave the database.
    const other = randomUUID();
    await bench.write(other, 512, 256);
    await takeCheckpoint(bench.db, bench.signer, other);
    await bench.write(other, 8);
    const planted = insert(520, `audit_root(audit_edge('${tenantId}', 520))`, link.replace('512', '520'), note.replaceAll('512', '520'), `audit_edge('${tenantId}', 520)`);
    await as(app, [planted.replaceAll(tenantId, other)], { commit: true, tenant: other });
    await publishCheckpoints(bench.db, bench.signer, folder, other);
    const notes = await publishedNotes(folder, other);
    expect(notes.map((text) => text.split('\n')[1])).toEqual(['512']);
    const verifiers = bench.signer.verifiers(originOfChain(other));
    expect(await verifyChain(bench.database.appUrl, other, { verifiers, notes })).toMatchObject({
      state: 'damaged',
      findings: [{ detail: 'The stored checkpoint of size 520 has no valid signature' }],
    });
    for (const node of [`8, 0, ${zeros}`, `8, 5, ${zeros}`, `16, 0, ${zeros}`, `3, 0, ${zeros}`]) {
      const forged = `insert into audit_tree_nodes (chain_id, level, index, hash) values ('${tenantId}', ${node})`;
      await expect(one(forged)).rejects.toThrow(notTheRows);
    }
  });

  it('cannot backdate an entry: the database says when it was recorded', async () => {
    const old = sealEntry(actorOf(tenantId), entryOf(0), new Date('2020-01-01T00:00:00Z'));
    const append = `select audit_append('${tenantId}', array[$e$${old.entry}$e$], array[$e$${old.private}$e$], '[]')`;
    const results = await as(app, [append, 'select recorded_at from audit_logs order by seq desc limit 1']);
    const [row] = results.at(-1)?.rows ?? [];
    expect(Date.now() - new Date(row.recorded_at).getTime()).toBeLessThan(60_000);
  });

  it('cannot replace the key of a person, which would make entries unreadable', async () => {
    const person = randomUUID();
    await as(app, [`insert into audit_person_keys (tenant_id, person_id, key_ciphertext) values ('${tenantId}', '${person}', 'sealed')`], { commit: true });
    await expect(one(`update audit_person_keys set key_ciphertext = 'other' where person_id = '${person}'`)).rejects.toThrow(/not replaced/);
    await one(`update audit_person_keys set key_ciphertext = null, destroyed_at = now() where person_id = '${person}'`);
  });

  it('gets nothing dropped by forged deliveries, checkpoints and entries: no row of another age or without a signature', async () => {
    // Everything that the former attack needed and that can still be written.
    const seal = (place: number) => sealEntry(actorOf(tenantId), entryOf(place, { event: 'audit.segment-drop', resource_type: 'audit_log', resource_id: '512' }));
    const entry = seal(0);
    await as(
      app,
      [
        `insert into audit_witness_deliveries (chain_id, witness, size, status, delivered_at) values ('${tenantId}', 'folder', 700, 'delivered', now())`,
        `select audit_append('${tenantId}', array[$e$${entry.entry}$e$], array[$e$${entry.private}$e$], '[]')`,
      ],
      { commit: true },
    );
    const run = () =>
      runRetention(bench.database, {
        checkpoints: folder,
        archive: join(folder, 'archive'),
        publicKey: bench.signer.verifiers(originOfChain(tenantId)).map(formatVerifier).join(),
      });
    expect(await run()).toEqual({ code: 0, output: 'Segments archived and dropped: 0.\n' });

    // Old rows of another chain, of which nothing was ever signed outside.
    const unsigned = randomUUID();
    await inThePast(bench, 400, () => bench.write(unsigned, 300, 100));
    const forged = `insert into audit_witness_deliveries (chain_id, witness, size, status, delivered_at) values ('${unsigned}', 'folder', 300, 'delivered', now())`;
    await as(app, [forged], { commit: true, tenant: unsigned });
    expect(await run()).toMatchObject({ code: 1, output: expect.stringMatching(/no signed checkpoint of the chain outside/) });
    const [left] = await bench.admin('select count(*)::int as rows from audit_logs where chain_id = any($1)', [[tenantId, unsigned]]);
    expect(left).toEqual({ rows: 1_001 });
  });
});

describe('T-17: the retention’s role', () => {
  it.each([
    ['delete rows itself', 'delete from audit_logs'],
    ['append entries', `select audit_append('${tenantId}', '{}', '{}', '[]')`],
    ['record a segment', `insert into audit_segments (chain_id, to_seq) values ('${tenantId}', 256)`],
    ['read accounts', 'select from users'],
    ['read the keys of persons', 'select from audit_person_keys'],
    ['backdate the settings', "update audit_retention_settings set changed_at = '2020-01-01'"],
    ['become the application', 'set role castellan_app'],
  ])('cannot %s', async (_, statement) => {
    await expect(as(retention, [statement])).rejects.toThrow(denied);
  });

  it('cannot go below the floor of the setting', async () => {
    await expect(as(retention, ['update audit_retention_settings set keep_days = 29'])).rejects.toThrow(/audit_retention_settings_floor/);
  });

  it('drops nothing that is young, incomplete, not the rows, not covered or not named by an entry', async () => {
    const old = randomUUID();
    await inThePast(bench, 400, () => bench.write(old, 600, 100));
    await bench.write(old, 100, 100);
    await takeCheckpoint(bench.db, bench.signer, old);
    const [truth] = await bench.admin<{ root: Buffer; link: Buffer; note: string }>(
      `select audit_root(audit_edge($1, 256)) as root, l.chain_hash as link, c.note
       from audit_logs l, audit_checkpoints c where l.chain_id = $1 and l.seq = 256 and c.chain_id = $1 and c.size = 700`,
      [old],
    );
    if (truth === undefined) throw new Error('no rows');
    const digest = Buffer.alloc(32, 7);
    const entry = (seq: number, name = 'archive') =>
      sealEntry(actorOf(old), entryOf(0, {
        event: 'audit.segment-drop',
        resource_type: 'audit_log',
        resource_id: String(seq),
        new_values: { archive_name: name, archive_digest: digest.toString('hex') },
      }));
    const drop = async (
      { chain = old, seq = 256, root = truth.root, link = truth.link, size = 700, note = truth.note, stated = entry(seq) }: {
        chain?: string; seq?: number; root?: Buffer; link?: Buffer; size?: number; note?: string; stated?: ReturnType<typeof entry>;
      },
      tenant = old,
    ) => {
      await retention.query('begin');
      try {
        await retention.query("select set_config('app.tenant_id', $1, true)", [tenant]);
        const values = [chain, seq, root, link, size, note, 'checkpoints', 'archive', digest, stated.entry, stated.private];
        const { rows } = await retention.query('select audit_drop_segment($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) as dropped', values);
        return rows[0].dropped;
      } finally {
        await retention.query('rollback');
      }
    };
    const other = Buffer.alloc(32, 9);
    await expect(drop({}, randomUUID())).rejects.toThrow(/their own tenant/);
    await expect(drop({ seq: 100_096 })).rejects.toThrow(/does not go on/);
    await expect(drop({ seq: 640 })).rejects.toThrow(/younger than 365 days/);
    await expect(drop({ root: other })).rejects.toThrow(/not those of the archive/);
    await expect(drop({ link: other })).rejects.toThrow(/not those of the archive/);
    await expect(drop({ size: 255 })).rejects.toThrow(/does not cover/);
    await expect(drop({ size: 701 })).rejects.toThrow(/does not cover/);
    await expect(drop({ note: truth.note.replace(old, randomUUID()) })).rejects.toThrow(/does not cover/);
    await expect(drop({ stated: entry(512) })).rejects.toThrow(/does not name/);
    await expect(drop({ stated: entry(256, 'elsewhere') })).rejects.toThrow(/does not name/);
    // A transaction that was begun long ago is judged by the clock, too.
    await bench.admin('update audit_retention_settings set keep_days = 401');
    await expect(drop({})).rejects.toThrow(/younger than 401 days/);
    await bench.admin('update audit_retention_settings set keep_days = 365');
    expect(await drop({})).toBe('256');
    await bench.tamper("update audit_logs set entry = replace(entry::text, 'success', 'refused')::json where chain_id = $1 and seq = 7", [old]);
    await expect(drop({})).rejects.toThrow(/not those of the archive/);
    await bench.tamper('delete from audit_logs where chain_id = $1 and seq = 7', [old]);
    await expect(drop({})).rejects.toThrow(/has 255 rows of 256/);
  });
});
