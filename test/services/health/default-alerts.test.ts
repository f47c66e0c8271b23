import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { withClient } from '../../../src/dev/bootstrap-database.ts';
import { migrateDown, migrateUp } from '../../../src/dev/migrate.ts';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { createEmptyDatabase } from '../../support/database.ts';

const migration = '20261121290000_default_alerts';
const [plain, decided] = ['00000000-0000-4000-8000-00000000a001', '00000000-0000-4000-8000-00000000a002'];

let database: Awaited<ReturnType<typeof createEmptyDatabase>>;

beforeAll(async () => {
  database = await createEmptyDatabase();
});

afterAll(async () => {
  await database.drop();
});

const run = (statement: string, values: unknown[] = []) =>
  withClient(database.adminUrl, async (admin) => (await admin.query<{ count: number }>(statement, values)).rows);

/** The number of thresholds by tenant. */
const counts = async () => {
  const of = async (tenant: string) =>
    (await run('select count(*)::int from admin_alert_thresholds where tenant_id = $1', [tenant]))[0]?.count;
  return { default: await of(defaultTenantId), plain: await of(plain), decided: await of(decided) };
};

describe('S2-34: the migration that adds default thresholds', () => {
  it('adds them to existing tenants, but not to one that has configured its own, and to none twice', async () => {
    await migrateUp(database.ownerUrl);
    for (let reverted: string[] = []; !reverted.includes(migration); ) reverted = await migrateDown(database.ownerUrl);
    await run('delete from admin_alert_thresholds');
    for (const id of [plain, decided]) {
      await run(
        `insert into tenants (id, name, domain, country, currency, time_zone)
         values ($1::uuid, 'a tenant', right($1::text, 4) || '.example', 'IN', 'INR', 'UTC')`,
        [id],
      );
    }
    // It had thresholds once and has removed all of them.
    await run('insert into admin_alert_settings (tenant_id, version) values ($1, 2)', [decided]);
    expect(await counts()).toEqual({ default: 0, plain: 0, decided: 0 });
    await migrateUp(database.ownerUrl);
    expect(await counts()).toEqual({ default: 18, plain: 9, decided: 0 });

    for (let reverted: string[] = []; !reverted.includes(migration); ) reverted = await migrateDown(database.ownerUrl);
    await migrateUp(database.ownerUrl);
    expect(await counts()).toEqual({ default: 18, plain: 9, decided: 0 });
  });
});
