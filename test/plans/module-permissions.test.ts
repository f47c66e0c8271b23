import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { withClient } from '../../src/dev/bootstrap-database.ts';
import { defaultTenantId } from '../../src/domain/shared/actor.ts';
import { startTestApi } from '../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { otherTenantId } from '../support/people.ts';
import { newTenant } from '../support/factories/identity.ts';
import { rowsRead } from '../support/rows-read.ts';
import { asSuperuser, withSuperuser } from '../support/superuser.ts';

const people = 250_000;
/** A thousandth of the table: far from a page, and from all of it. */
const fewRows = 1_000;
const due = 300;

let app: TestApi;
let admin: SignedIn;
let someone: string;

beforeAll(async () => {
  app = await startTestApi();
  admin = await app.signIn('role-super-admin');
  await withSuperuser(app, (db) => db.insertInto('tenants').values(newTenant({ id: otherTenantId })).execute());
  await fill();
  const [row] = await asSuperuser<{ user_id: string }>(app, "select user_id from user_agent_permissions where agent_name = 'pdf_processing' limit 1");
  someone = row!.user_id;
}, 300_000);

afterAll(() => app.close());

/**
 * A million permissions of two tenants in which every state is rare: most have expired long ago and are recorded. Those in force and
 * those of a module that few use are the oldest, so that whoever walks through the list from its newest end passes all others.
 */
async function fill(): Promise<void> {
  const nthId = "('10000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid";
  const tenant = `case when n % 5 = 0 then '${otherTenantId}'::uuid else '${defaultTenantId}'::uuid end`;
  const modules = "array['client_management', 'pdf_processing', 'reports_analysis']";
  await withClient(app.database.adminUrl, async (db) => {
    await db.query("set session_replication_role = replica; set synchronous_commit = off; set maintenance_work_mem = '256MB'");
    await db.query(`insert into users (id, tenant_id, email, full_name) select ${nthId}, ${tenant}, 'u' || n || '@many.test', 'One of Many'
      from generate_series(1, ${people}) n`);
    const insert = `insert into user_agent_permissions
      (tenant_id, user_id, agent_name, can_read, created_at, expires_at, noticed_end, recorded_end)`;
    await db.query(`${insert} select ${tenant}, ${nthId}, agent, true, timestamptz '2025-01-01' + n * interval '1 second', ended.at, ended.at, ended.at
      from generate_series(1, ${people}) n, unnest(${modules}) agent,
        lateral (select date_trunc('second', now()) - interval '30 days' - n * interval '1 second' as at) ended`);
    await db.query(`${insert} select ${tenant}, ${nthId}, 'audio_recording', true, timestamptz '2024-01-01' + n * interval '1 second', ends.at,
        case when n > 500 + 2 * ${due} then ends.at end, case when n > 500 + 2 * ${due} then ends.at end
      from generate_series(1, ${people}) n, lateral (select case
        when n <= 500 then null
        when n <= 500 + ${due} then now() + interval '1 day'
        when n <= 500 + 2 * ${due} then now() - interval '1 hour'
        else now() - interval '400 days' end as at) ends`);
    await db.query('vacuum (analyze) users, user_agent_permissions');
  });
}

const table = ['user_agent_permissions'] as const;

describe('S4-8, S4-19: the list of module permissions, a million of them', () => {
  it.each([
    ['all', '', 50],
    ['those of a module', '&agent_name=audio_recording', 50],
    ['those in force', '&state=active', 50],
    ['those that end soon', '&state=expiring', 50],
    ['those that have expired', '&state=expired', 50],
    ['those in force in a module', '&state=active&agent_name=audio_recording', 50],
  ])('%s: the first page and the next one read their rows', async (_, filter, count) => {
    const list = (query: string): Promise<Answer> => app.call('GET', `/api/v1/agent-permissions?limit=50${query}`, { token: admin.token });
    const first = await list(filter);
    expect(first.body.items).toHaveLength(count);
    for (const query of [filter, `${filter}&cursor=${first.body.next_cursor}`]) {
      // So often that PostgreSQL has chosen the plan that it keeps for the statement.
      const repeatedly = async () => {
        for (let n = 0; n < 9; n += 1) await list(query);
        return list(query);
      };
      expect(await rowsRead(app, table, repeatedly)).toBeLessThan(10 * fewRows);
    }
  });

  it('those of a person, and their own list', async () => {
    for (const path of [`/api/v1/agent-permissions?user_id=${someone}`, `/api/v1/users/${someone}/agent-permissions`]) {
      expect(await rowsRead(app, table, () => app.call('GET', path, { token: admin.token }))).toBeLessThan(20);
    }
  });
});

describe('S4-8: a permission check among a million', () => {
  it('reads the rows of the person, by the index of person and module', async () => {
    const body = { user_id: someone, agent_module: { name: 'pdf_processing', action: 'read' } };
    const check = () => app.call('POST', '/rbac/check-permission', { token: admin.token, body });
    expect((await eventually(check, ({ status }) => status === 200)).body.rule).toBe('agent-module-expired:pdf_processing');
    expect(await rowsRead(app, table, check)).toBeLessThan(20);
  });
});

describe('S4-25: what is due, among a million', () => {
  it('is found by what is due alone, and again after that is settled', async () => {
    const listed = (limit: number): Promise<Answer> =>
      asSuperuser<{ has_expired: boolean }>(app, `select * from module_permission_ends_due(interval '3 days', ${limit})`).then((rows) => ({
        status: 200,
        body: rows,
        headers: new Headers(),
      }));
    expect((await listed(1_000)).body).toHaveLength(2 * due);
    expect(await rowsRead(app, table, () => listed(200))).toBeLessThan(fewRows);
    await asSuperuser(app, `update user_agent_permissions set noticed_end = expires_at, recorded_end = case when expires_at <= now() then expires_at end
      where agent_name = 'audio_recording' and expires_at < now() + interval '3 days'`);
    expect((await listed(1_000)).body).toEqual([]);
    expect(await rowsRead(app, table, () => listed(200))).toBeLessThan(fewRows);
  });
});
