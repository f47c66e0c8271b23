import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { withClient } from '../../../src/dev/bootstrap-database.ts';
import { entities } from '../../../src/entities/index.ts';
import { openDatabase } from '../../../src/platform/database/database.ts';
import { createLogger } from '../../../src/platform/observability/logger.ts';
import { createTestDatabase } from '../../support/database.ts';
import { eventually } from '../../support/eventually.ts';
import type { TestDatabase } from '../../support/database.ts';

const log = createLogger({ level: 'silent', name: 'test' });
const bypasser = `bypasser_${randomBytes(4).toString('hex')}`;
let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});

afterAll(async () => {
  await withClient(database.adminUrl, (admin) => admin.query(`drop role if exists ${bypasser}`));
  await database.drop();
});

const open = (url: string) =>
  openDatabase({
    env: {
      DATABASE_URL: url,
      DATABASE_POOL_SIZE: 1,
      DATABASE_READ_POOL_SIZE: 1,
      ENCRYPTION_KEYS: `k:${Buffer.alloc(32, 1).toString('base64')}`,
    },
    entities,
    log,
    applicationName: 'boot-check',
  });

describe('S3-57: a process does not start with a role that row-level security would not bind', () => {
  it('refuses a superuser', async () => {
    await expect(open(database.adminUrl)).rejects.toThrow(/is a superuser/);
  });

  it('refuses the owner of the tables', async () => {
    await expect(open(database.ownerUrl)).rejects.toThrow(/owns tables/);
  });

  it('refuses a role with BYPASSRLS', async () => {
    await withClient(database.adminUrl, async (admin) => {
      await admin.query(`create role ${bypasser} login bypassrls password 'check' in role castellan_app`);
    });
    const url = new URL(database.appUrl);
    url.username = bypasser;
    url.password = 'check';
    await expect(open(url.href)).rejects.toThrow(/has BYPASSRLS/);
  });

  it('T-17: refuses a role that could drop audit entries', async () => {
    await withClient(database.adminUrl, async (admin) => {
      await admin.query(`drop role if exists ${bypasser}`);
      await admin.query(`create role ${bypasser} login password 'check' in role castellan_app, castellan_retention`);
    });
    const url = new URL(database.appUrl);
    url.username = bypasser;
    url.password = 'check';
    await expect(open(url.href)).rejects.toThrow(/could drop audit entries/);
  });

  it('starts as the application and lets go of every connection at the end', async () => {
    const db = await open(database.appUrl);
    expect(db.invalidation.isLive).toBe(true);
    await db.close();
    // PostgreSQL lists a connection until its process has ended.
    const left = () =>
      withClient(database.adminUrl, (admin) => admin.query("select from pg_stat_activity where application_name = 'boot-check'"));
    expect(await eventually(left, ({ rowCount }) => rowCount === 0)).toMatchObject({ rowCount: 0 });
  });
});
