import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { subjectOf } from '../../src/api/http/constraint-words.ts';
import { startTestApi } from '../support/api.ts';
import type { SignedIn, TestApi } from '../support/api.ts';
import { createRoleAssignment, createUser, systemRoleId } from '../support/factories/identity.ts';
import { callProven } from '../support/second-factor.ts';
import { withSuperuser } from '../support/superuser.ts';

let app: TestApi;
let admin: SignedIn;
let database: Client;

beforeAll(async () => {
  app = await startTestApi();
  admin = await app.signIn('role-super-admin');
  database = new Client({ connectionString: app.database.adminUrl });
  await database.connect();
});

afterAll(async () => {
  await database.end();
  await app.close();
});

const send = (method: string, path: string, body: object) => callProven(app, admin, method, path, { body });
const tracker = '/api/v1/master-admin';

describe('U-29: a conflict says which field and of what', () => {
  it.each([
    ['/api/admin/campaigns', { name: 'Twins' }, 'name', 'There is a campaign with this name already.'],
    ['/api/admin/contacts', { name: 'Twin', email: 'twin@people.example' }, 'email', 'There is a contact with this email already.'],
    [`${tracker}/prospects`, { name: 'Twin', email: 'twin@people.example' }, 'email', 'There is a prospect with this email already.'],
    [`${tracker}/pipelines`, { name: 'Twins', stages: [{ name: 'A', probability: 1 }] }, 'name', 'There is a pipeline with this name already.'],
    ['/admin/roles', { code: 'twins', name: 'Twins', permissions: [] }, 'code', 'There is a role with this code already.'],
  ])('%s', async (path, body, field, detail) => {
    expect((await send('POST', path, body)).status).toBe(201);
    const again = await send('POST', path, body);
    expect(again).toMatchObject({ status: 409, body: { code: 'resource.conflict', detail, errors: [{ pointer: `/${field}`, detail: 'is taken already' }] } });
  });

  it('names the field or at least the thing for every unique and foreign key of the schema, and the field of what is sent', async () => {
    const { rows } = await database.query<{ table: string; constraint: string; kind: string }>(`
      select c.relname as table, i.relname as constraint, 'unique' as kind
      from pg_index x join pg_class c on c.oid = x.indrelid join pg_class i on i.oid = x.indexrelid
      where c.relnamespace = 'public'::regnamespace and x.indisunique and not x.indisprimary
      union all
      select c.relname, k.conname, 'foreign' from pg_constraint k join pg_class c on c.oid = k.conrelid
      where k.contype = 'f' and k.connamespace = 'public'::regnamespace and k.conparentid = 0`);
    expect(rows.length).toBeGreaterThan(100);
    const nameless = rows.filter(({ table, constraint }) => subjectOf(table, constraint) === null).map(({ table }) => table);
    expect([...new Set(nameless)].sort()).toEqual(tablesWithoutEntity);
    const ownIds = /_tenant_id_id_key$/;
    const fieldless = rows.filter(({ table, constraint, kind }) => kind === 'unique' && !ownIds.test(constraint) && subjectOf(table, constraint)?.field === null);
    expect(fieldless.map(({ constraint }) => constraint).sort()).toEqual([...keysWithoutField].sort());
    const things = new Set(rows.map(({ table, constraint }) => subjectOf(table, constraint)?.thing));
    for (const thing of ['feature flag', 'pipeline stage', 'user campaign assignment']) expect(things).toContain(thing);
  });

  /** Of tokens, commands and places in a history, which nobody sends, and of states of which services say that they are there. */
  const keysWithoutField = [
    'account_links_open_key', 'account_links_token_key', 'admin_alerts_open_key', 'admin_approval_decisions_once_key',
    'admin_approval_decisions_proof_key', 'admin_config_versions_version_key', 'admin_deployments_living_key',
    'admin_environment_configs_place_key', 'admin_focus_sessions_command_idx', 'admin_key_rotations_open_key', 'admin_nudge_marks_key',
    'admin_pipeline_stages_place_key', 'admin_pipelines_default_key', 'admin_role_assignments_living_key', 'admin_sync_jobs_running_key',
    'admin_system_health_once', 'idempotency_keys_command_idx', 'integration_messages_key', 'integration_records_key',
    'mfa_recovery_codes_hash_key', 'notification_deliveries_once', 'onboarding_link_token_key', 'sessions_external_key', 'uq_focus_active',
    'uq_nudge_user_day_key', 'user_campaign_assignment_active_key', 'user_contact_assignment_owner_key',
    // Answered by the service, which knows which of the lines it is.
    'admin_activities_follow_up_key',
  ];

  /** Written by the database itself or by migrations only. */
  const tablesWithoutEntity: string[] = [];
});

describe('T-5: the header Allow', () => {
  it.each([
    ['DELETE', '/admin/users', ['GET', 'HEAD', 'POST']],
    ['PUT', '/auth/login', ['POST']],
    ['POST', '/admin/users/00000000-0000-4000-8000-000000000009', ['DELETE', 'GET', 'HEAD', 'PUT']],
    ['DELETE', `${tracker}/scores/today`, ['GET']],
  ])('%s %s lists what is possible', async (method, path, possible) => {
    const answer = await app.call(method, path, { token: admin.token, ...(method === 'DELETE' ? {} : { body: {} }) });
    expect(answer).toMatchObject({ status: 405, body: { code: 'request.method-not-allowed' } });
    const allowed = (answer.headers.get('allow') ?? '').split(', ');
    expect(allowed).toEqual(expect.arrayContaining(possible));
    expect(allowed).not.toContain(method);
  });
});

describe('S0-51, U-29: the words of a refusal', () => {
  it('name the one field that is wrong in the detail, and all of several in the list', async () => {
    const one = await send('POST', '/api/admin/campaigns', { name: 'Words', channel: 'pigeon' });
    expect(one).toMatchObject({ status: 422, body: { detail: 'channel must be one of email, sms, phone, whatsapp, in_person, other.' } });
    const missing = await send('POST', '/api/admin/campaigns', {});
    expect(missing.body).toMatchObject({ detail: 'name is missing.', errors: [{ pointer: '/name', detail: 'is missing' }] });
    const unknown = await send('POST', '/api/admin/campaigns', { name: 'Words', colour: 'red' });
    expect(unknown.body).toMatchObject({ detail: 'colour is no field of this request.' });
    const several = await send('POST', '/api/admin/campaigns', { name: 5, starts_on: 'soon' });
    expect(several.body.errors).toEqual([
      { pointer: '/name', detail: 'must be a text' },
      { pointer: '/starts_on', detail: 'must be a day, such as 2026-01-31' },
    ]);
  });
});

describe('S2-68: what a gate policy says has an effect', () => {
  it('an emergency waits for no approval, so none can be asked for', async () => {
    const body = {
      action: 'flag.emergency-off', environment: 'production', gate: 'approval', version: 0,
      steps: [{ name: 'administrator', roles: ['role-super-admin'], quorum: 1 }],
    };
    expect(await send('PUT', '/admin/approval-policies', body)).toMatchObject({ status: 422, body: { errors: [{ pointer: '/gate' }] } });
  });
});

describe('S1-12, S1-13, U-27: the names of the documents', () => {
  const asApplication = async (tenant: string, text: string) => {
    const client = new Client({ connectionString: app.env.DATABASE_URL });
    await client.connect();
    try {
      await client.query("select set_config('app.tenant_id', $1, false)", [tenant]);
      return (await client.query(text)).rows;
    } finally {
      await client.end();
    }
  };

  it('roles and user_roles are views of the tenant, with its roles and those of all tenants', async () => {
    const roles = await asApplication('00000000-0000-0000-0000-000000000000', 'select role_id, name, description, is_system_role from roles');
    expect(roles.filter(({ is_system_role }) => is_system_role)).toHaveLength(7);
    const held = await asApplication(
      '00000000-0000-0000-0000-000000000000',
      `select user_id, role_id, assigned_by, assigned_at from user_roles where user_id = '${admin.user_id}'`,
    );
    expect(held).toHaveLength(1);
    expect(roles.find(({ role_id }) => role_id === held[0]?.role_id)?.name).toBe('Super Admin');
    const elsewhere = await asApplication('00000000-0000-4000-8000-0000000000b0', 'select 1 from user_roles');
    expect(elsewhere).toEqual([]);
    const unknown = await asApplication('', 'select 1 from user_roles');
    expect(unknown).toEqual([]);
  });

  it('S1-13, U-27: user_roles has the assignments that are in force: not revoked, before their end and their review', async () => {
    const { id: user_id } = await createUser(app);
    const role_id = await withSuperuser(app, (db) => systemRoleId(db, 'role-provider-admin'));
    const hence = (ms: number) => new Date(Date.now() + ms).toISOString();
    const [past, future] = [hence(-60_000), hence(3_600_000)];
    const held = () => asApplication('00000000-0000-0000-0000-000000000000', `select 1 from user_roles where user_id = '${user_id}'`);
    for (const [columns, count] of [
      [{ revoked_at: past }, 0],
      [{ valid_until: past }, 0],
      [{ review_due_at: past }, 0],
      [{ valid_until: future, review_due_at: past }, 0],
      [{ valid_until: past, review_due_at: future }, 0],
      [{}, 1],
      [{ review_due_at: future }, 1],
      [{ valid_until: future, review_due_at: future }, 1],
    ] as const) {
      const { id } = await createRoleAssignment(app, { user_id, role_id, assigned_at: hence(-3_600_000), ...columns });
      expect([columns, await held()]).toEqual([columns, Array.from({ length: count }, () => expect.anything())]);
      await database.query('delete from admin_role_assignments where id = $1', [id]);
    }
  });

  it('S4-7: extensions are there where the server has them', async () => {
    const { rows } = await database.query(`
      select a.name from pg_available_extensions a
      where a.name in ('uuid-ossp', 'pgcrypto') and not exists (select from pg_extension e where e.extname = a.name)`);
    expect(rows).toEqual([]);
  });

  it('S2-66: each of the sixteen administrative tables has tenant, times and version', async () => {
    const { rows } = await database.query<{ table_name: string; column_name: string }>(`
      select table_name, column_name from information_schema.columns
      where table_schema = 'public' and table_name in ('admin_alert_thresholds', 'admin_sync_jobs', 'admin_queue_events')
        and column_name in ('tenant_id', 'created_at', 'updated_at', 'version')`);
    expect(rows).toHaveLength(12);
  });
});

describe('X-20, U-13: currencies and countries', () => {
  it.each(['ZZZ', 'ABC', 'inr', 'EURO'])('%s is no currency', async (currency) => {
    const answer = await send('POST', `${tracker}/prospects`, { name: 'Rich', value_minor: 100, currency });
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ pointer: '/currency' }] } });
    const file = { token: admin.token, body: `name,value_minor,currency\nRich,100,${currency}\n`, headers: { 'content-type': 'text/csv' } };
    const imported = await app.call('POST', `${tracker}/prospects/import`, file);
    expect(imported).toMatchObject({ status: 422, body: { errors: [{ detail: expect.stringContaining('ISO 4217') }] } });
    expect(await changeTenant({ currency })).toMatchObject({ status: 422, body: { errors: [{ pointer: '/currency' }] } });
  });

  it.each(['INR', 'BRL', 'EUR', 'JPY'])('%s is one', async (currency) => {
    expect((await send('POST', `${tracker}/prospects`, { name: 'Rich', value_minor: 100, currency })).status).toBe(201);
  });

  it.each(['ZZ', 'XX', 'EU', 'UK', 'SU', 'in', 'IND', ''])('%p is no country', async (country) => {
    expect(await changeTenant({ country })).toMatchObject({ status: 422, body: { errors: [{ pointer: '/country' }] } });
  });

  it.each(['BR', 'GB', 'IN'])('%s is one', async (country) => {
    expect(await changeTenant({ country })).toMatchObject({ status: 200, body: { country } });
  });

  async function changeTenant(body: object) {
    const version = (await app.call('GET', '/admin/tenant', { token: admin.token })).headers.get('etag') ?? '';
    return callProven(app, admin, 'PUT', '/admin/tenant', { body, headers: { 'if-match': version } });
  }
});
