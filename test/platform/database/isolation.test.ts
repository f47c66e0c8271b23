import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { Client } from 'pg';
import { entities } from '../../../src/entities/index.ts';
import { kysely } from '../../../src/entities/kysely-schema.ts';
import { systemActor } from '../../../src/domain/shared/actor.ts';
import { openDatabase } from '../../../src/platform/database/database.ts';
import type { Database } from '../../../src/platform/database/database.ts';
import { createLogger } from '../../../src/platform/observability/logger.ts';
import { read, readAll } from '../../../src/platform/database/read.ts';
import { unitOfWork } from '../../../src/platform/database/unit-of-work.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { createTenant, createUser } from '../../support/factories/identity.ts';
import { withSuperuser } from '../../support/superuser.ts';

const tenantCount = 20;
const requestCount = 10_000;
const tenants = Array.from({ length: tenantCount }, (_, index) => ({ id: randomUUID(), name: `Tenant ${index}` }));

let database: TestDatabase;
let db: Database;
let admin: Client;

beforeAll(async () => {
  database = await createTestDatabase();
  admin = new Client({ connectionString: database.adminUrl });
  await admin.connect();
  await withSuperuser({ database }, async (superuser) => {
    for (const { id, name } of tenants) {
      await createTenant(superuser, { id, name });
      await createUser(superuser, { tenant_id: id, full_name: name });
    }
  });
  // Few connections, so that they pass from tenant to tenant all the time: two for changes, three for reads.
  db = await openDatabase({
    env: {
      DATABASE_URL: database.appUrl,
      DATABASE_POOL_SIZE: 2,
      DATABASE_READ_POOL_SIZE: 3,
      ENCRYPTION_KEYS: `k:${Buffer.alloc(32, 1).toString('base64')}`,
    },
    entities,
    log: createLogger({ level: 'silent', name: 'test' }),
    applicationName: 'isolation',
  });
});

afterAll(async () => {
  await db.close();
  await admin.end();
  await database.drop();
});

const users = kysely.selectFrom('users').select(['tenant_id', 'full_name']);
const scopeOf = (tenantId: string) => ({ tenant_id: tenantId, user_id: null });
class Abort extends Error {}
const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

describe('X-12: tenants share connections and nothing else', () => {
  it(`sees no foreign row in ${requestCount} interleaved requests of ${tenantCount} tenants over five connections, half of them aborted`, async () => {
    let next = 0;
    let seen = 0;
    const foreign: unknown[] = [];
    // Compared once at the end: an assertion for each of five thousand would be most of the test's time.
    const failures: string[] = [];
    const look = (tenantId: string, rows: readonly { tenant_id: string }[]) => {
      seen += rows.length;
      foreign.push(...rows.filter((row) => row.tenant_id !== tenantId));
    };
    const once = async (request: number) => {
      const { id } = tenants[(request * 7) % tenantCount]!;
      if (request % 2 === 0) {
        look(id, await read(db, scopeOf(id), users));
        return;
      }
      if (request % 20 === 1) {
        // The second query of the batch fails and takes the connection with it.
        const failing = readAll(db, scopeOf(id), [users, kysely.selectNoFrom(sql<number>`1 / 0`.as('x'))] as const);
        failures.push(await failing.then(() => 'no error', messageOf));
        return;
      }
      // A change that is taken back after it was made; the connection goes on to the next tenant.
      const aborted = unitOfWork(db, systemActor(id), async (tx) => {
        const changed = tx.sql.updateTable('users').set({ full_name: `Changed by ${id}` }).returning('tenant_id');
        look(id, await changed.execute());
        throw new Abort('aborted');
      });
      failures.push(await aborted.then(() => 'no error', messageOf));
    };
    const worker = async () => {
      while (next < requestCount) await once((next += 1));
    };
    await Promise.all(Array.from({ length: 25 }, worker));
    expect(foreign).toEqual([]);
    expect(failures).toHaveLength(requestCount / 2);
    expect(new Set(failures)).toEqual(new Set(['aborted', 'division by zero']));
    expect(seen).toBeGreaterThan(requestCount * 0.9);
    const { rows } = await admin.query("select from users where full_name like 'Changed by %'");
    expect(rows).toHaveLength(0);
  });

  it('shows nothing and takes nothing without a tenant', async () => {
    const loose = new Client({ connectionString: database.appUrl });
    await loose.connect();
    try {
      for (const setup of ['select 1', "select set_config('app.tenant_id', '', false)"]) {
        await loose.query(setup);
        expect((await loose.query('select from users')).rowCount).toBe(0);
        expect((await loose.query("update users set full_name = 'x'")).rowCount).toBe(0);
        expect((await loose.query('delete from user_preferences')).rowCount).toBe(0);
        const insert = loose.query("insert into users (tenant_id, email, full_name) values ($1, 'x@isolation.test', 'x')", [
          tenants[0]!.id,
        ]);
        await expect(insert).rejects.toMatchObject({ code: '42501' });
      }
    } finally {
      await loose.end();
    }
  });

  it('refuses to write for another tenant, and to move a row there', async () => {
    const [mine, theirs] = [tenants[0]!.id, tenants[1]!.id];
    const insert = unitOfWork(db, systemActor(mine), (tx) =>
      tx.sql.insertInto('users').values({ tenant_id: theirs, email: 'new@isolation.test', full_name: 'New' }).execute(),
    );
    await expect(insert).rejects.toMatchObject({ code: '42501' });
    const move = unitOfWork(db, systemActor(mine), (tx) =>
      tx.sql.updateTable('users').set({ tenant_id: theirs }).execute(),
    );
    await expect(move).rejects.toMatchObject({ code: '42501' });
  });

  it('refuses a child of another tenant’s parent even to a superuser, whom no policy binds', async () => {
    const { rows } = await admin.query<{ id: string }>('select id from users where tenant_id = $1', [tenants[0]!.id]);
    const insert = admin.query('insert into user_preferences (tenant_id, user_id) values ($1, $2)', [
      tenants[1]!.id,
      rows[0]!.id,
    ]);
    await expect(insert).rejects.toMatchObject({ code: '23503' });
  });
});
