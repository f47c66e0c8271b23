import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApi } from '../../support/api.ts';
import type { TestApi } from '../../support/api.ts';
import { modulePermissionDriver } from '../../support/drivers/module-permission.ts';
import type { Granted } from '../../support/drivers/module-permission.ts';
import { eventually } from '../../support/eventually.ts';
import { day } from '../../support/factories/defaults.ts';
import { secondTenant } from '../../support/people.ts';
import type { OtherTenant } from '../../support/people.ts';
import { callProven } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { workflowBundlePath } from '../../support/temporal/temporal.ts';
import { startInProcessWorker } from '../../support/temporal/worker-in-process.ts';
import type { InProcessWorker } from '../../support/temporal/worker-in-process.ts';

/** A worker without schedules, so that nothing sweeps but the test. */
let app: TestApi;
let worker: InProcessWorker;
let tenant: OtherTenant;
let driver: ReturnType<typeof modulePermissionDriver>;

beforeAll(async () => {
  app = await startTestApi({ WORKFLOW_BUNDLE: workflowBundlePath() });
  worker = await startInProcessWorker(app);
  tenant = await secondTenant(app);
  driver = modulePermissionDriver(app, tenant.admin);
});

afterAll(async () => {
  await worker.close();
  await app.close();
});

const newsOf = async (permission: Granted, count: number) =>
  (await eventually(() => driver.told(permission), (rows) => rows.length >= count)).map(({ news }) => news);
const versionOf = ({ id }: Granted) => asSuperuser(app, 'select version, updated_at from user_agent_permissions where id = $1', [id]);

describe('S4-25: the end of a module permission', () => {
  it('is announced three days before, to its person and to whoever granted it, once', async () => {
    const permission = await driver.granted(10);
    expect(await driver.sweep()).toEqual({ noticed: 0, expired: 0 });
    await driver.endAt(permission, 3 * day - 60);
    expect(await driver.sweep()).toEqual({ noticed: 1, expired: 0 });
    const rows = await eventually(() => driver.told(permission), ({ length }) => length === 2);
    expect(new Set(rows.map(({ user_id }) => user_id))).toEqual(new Set([permission.person.user_id, tenant.admin.user_id]));
    for (const { payload, body } of rows) {
      expect(Object.keys(payload).sort()).toEqual(['agent_name', 'expires_at', 'granted_by', 'permission_id', 'user_id']);
      for (const personal of [permission.person.email, 'Some Member', 'Other Boss']) expect(JSON.stringify([payload, body])).not.toContain(personal);
    }
    expect(await driver.sweep()).toEqual({ noticed: 0, expired: 0 });
    expect(await driver.changes(permission)).toEqual(['grant']);
  });

  it('is announced again for another end, at once where the life is shorter, and not when it is set within an hour', async () => {
    const permission = await driver.granted(2);
    expect(await driver.sweep()).toEqual({ noticed: 1, expired: 0 });
    expect(await driver.extend(permission, 2.5)).toBe(200);
    expect(await driver.sweep()).toEqual({ noticed: 1, expired: 0 });
    expect(await newsOf(permission, 4)).toEqual(['expiring', 'expiring', 'expiring', 'expiring']);
    const short = await driver.granted(0.5 / 24);
    expect(await driver.sweep()).toEqual({ noticed: 0, expired: 0 });
    await driver.endAt(short, -1);
    expect(await driver.sweep()).toEqual({ noticed: 0, expired: 1 });
    expect(await newsOf(short, 1)).toEqual(['expired']);
  });

  it('is recorded once for each end, apart from a revocation; the row stays, and is shown as expired', async () => {
    const permission = await driver.granted(10);
    await driver.endAt(permission, -5);
    const before = await versionOf(permission);
    const both = await Promise.all([driver.sweep(), driver.sweep()]);
    expect(both.reduce((sum, { expired }) => sum + expired, 0)).toBe(1);
    expect(await driver.sweep()).toEqual({ noticed: 0, expired: 0 });
    expect(await versionOf(permission)).toEqual(before);
    const rows = await eventually(() => driver.told(permission), ({ length }) => length === 1);
    expect(rows[0]).toMatchObject({ news: 'expired', user_id: permission.person.user_id });
    const shown = await app.call('GET', permission.path, { token: tenant.admin.token });
    expect(shown.body).toMatchObject({ id: permission.id, is_expired: true });
    expect(await driver.extend(permission, 10)).toBe(200);
    await driver.endAt(permission, -1);
    expect(await driver.sweep()).toEqual({ noticed: 0, expired: 1 });
    expect((await callProven(app, tenant.admin, 'DELETE', permission.path)).status).toBe(204);
    expect(await driver.changes(permission)).toEqual(['grant', 'expire', 'extend', 'expire', 'revoke']);
    const [entry] = await asSuperuser(
      app,
      "select action, user_id, workflow_id from audit_logs where resource_id = $1 and event = 'agent-permission.expire'",
      [permission.id],
    );
    expect(entry).toEqual({ action: 'permission_change', user_id: null, workflow_id: 'module-permission-sweep' });
  });

  it('of a suspended tenant is recorded without a word; a notice waits for the tenant', async () => {
    const [near, past] = [await driver.granted(2), await driver.granted(10)];
    await driver.endAt(past, -1);
    const become = (status: string) => asSuperuser(app, 'update tenants set status = $2 where id = $1', [tenant.tenant_id, status]);
    await become('suspended');
    expect(await driver.sweep()).toEqual({ noticed: 0, expired: 1 });
    await become('active');
    expect(await driver.sweep()).toEqual({ noticed: 1, expired: 0 });
    expect(await newsOf(near, 2)).toEqual(['expiring', 'expiring']);
    expect(await driver.told(past)).toEqual([]);
    expect(await driver.changes(past)).toEqual(['grant', 'expire']);
  });

  it('that was told, but not settled, is the same delivery when it is told again', async () => {
    const permission = await driver.granted(2);
    await driver.sweep();
    await eventually(() => driver.told(permission), (rows) => rows.length === 2 && rows.every(({ attempts }) => attempts === 1));
    await asSuperuser(app, 'update user_agent_permissions set noticed_end = null where id = $1', [permission.id]);
    expect(await driver.sweep()).toEqual({ noticed: 1, expired: 0 });
    const rows = await driver.told(permission);
    expect(rows.map(({ attempts }) => attempts)).toEqual([1, 1]);
  });

  it('more ends than a page of a sweep holds are settled by one sweep', async () => {
    const permission = await driver.granted(10);
    await asSuperuser(
      app,
      `with made as (
         insert into users (tenant_id, email, full_name)
         select tenant_id, 'many' || n || '@people.test', 'One of many'
         from user_agent_permissions, generate_series(1, 125) n where id = $1 returning tenant_id, id)
       insert into user_agent_permissions (tenant_id, user_id, agent_name, expires_at)
       select tenant_id, id, name, now() - interval '1 hour' from made, unnest(array['client_management', 'audio_recording']) name`,
      [permission.id],
    );
    expect(await driver.sweep()).toEqual({ noticed: 0, expired: 250 });
  });
});
