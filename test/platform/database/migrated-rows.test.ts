import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Migration } from '@mikro-orm/migrations';
import { Client } from 'pg';
import { migrationsList } from '../../../migrations/index.ts';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { createRole, createRoleAssignment, createUser } from '../../support/factories/identity.ts';

/*
 * Migrations run in the name of the owner, from whom FORCE row-level security hides all rows of tenants: a statement that is to
 * change rows changes none, and says nothing.
 */

let database: TestDatabase;
let admin: Client;
let owner: Client;

beforeAll(async () => {
  database = await createTestDatabase();
  [admin, owner] = [new Client({ connectionString: database.adminUrl }), new Client({ connectionString: database.ownerUrl })];
  await Promise.all([admin.connect(), owner.connect()]);
});

afterAll(async () => {
  await Promise.all([admin.end(), owner.end()]);
  await database.drop();
});

/** The first that minded; the ones before are frozen. */
const first = '20261130120000';

type MigrationClass = new (driver: never, config: never) => Migration;

/** The statements of one direction of a migration. */
function statementsOf(migration: MigrationClass, direction: 'up' | 'down'): string[] {
  const made = new migration(undefined as never, undefined as never);
  void made[direction]();
  return made.getQueries().map(String);
}

/** The tables of tenants that a statement on rows names while their rows are hidden. */
function hidden(statements: readonly string[], tenantTables: ReadonlySet<string>): string[] {
  const open = new Set<string>();
  return statements.flatMap((text) => {
    const [, table, no] = /^alter table (\w+) (no )?force row level security$/.exec(text) ?? [];
    if (table !== undefined) open[no === undefined ? 'delete' : 'add'](table);
    if (!/^\s*(?:with|insert|update|delete)\b/i.test(text)) return [];
    const named = [...text.matchAll(/\b(?:from|join|into|update)\s+(\w+)/gi)].map((match) => match[1] ?? '');
    return named.filter((name) => tenantTables.has(name) && !open.has(name));
  });
}

describe('a migration that changes rows', () => {
  it('lifts FORCE from all tables that it names meanwhile, in both directions', async () => {
    const { rows } = await admin.query<{ relname: string }>('select relname from pg_class where relforcerowsecurity');
    const forced = new Set(rows.map(({ relname }) => relname));
    const judged = migrationsList.filter(({ name }) => name >= first);
    expect(judged.length).toBeGreaterThan(2);
    const faults = judged.flatMap(({ name, class: migration }) =>
      (['up', 'down'] as const).flatMap((direction) =>
        hidden(statementsOf(migration as MigrationClass, direction), forced).map((table) => `${name} ${direction}: ${table}`),
      ),
    );
    expect(faults).toEqual([]);
    // The rule sees the one that was wrong.
    const fourEyes = migrationsList.find(({ name }) => name === '20261129100000_four_eyes');
    expect(hidden(statementsOf(fourEyes!.class as MigrationClass, 'up'), forced)).toContain('audit_logs');
  });

  it('case 10: writes down what was done in the month before four eyes, once', async () => {
    const [maker, made] = [await createUser({ database }), await createUser({ database })];
    const role = await createRole({ database }, { tenant_id: defaultTenantId });
    await createRoleAssignment({ database }, { user_id: made.id, role_id: role.id, assigned_by: maker.id });
    await admin.query("update schema_migrations set executed_at = now() + interval '1 minute' where name = '20261129100000_four_eyes'");
    const acts = migrationsList.find(({ name }) => name === '20261130140000_acts_of_last_month');
    for (let time = 0; time < 2; time += 1) {
      for (const statement of statementsOf(acts!.class, 'up')) await owner.query(statement);
      const { rows } = await admin.query('select actor_id, kind, closed_at from account_acts where target_id = $1', [made.id]);
      expect(rows).toEqual([{ actor_id: maker.id, kind: 'grant', closed_at: null }]);
    }
    const { rows } = await admin.query("select relname from pg_class where relname in ('account_acts', 'audit_logs', 'users') and not relforcerowsecurity");
    expect(rows).toEqual([]);
  });
});
