import { Client, Pool } from 'pg';
import { withClient } from '../../src/dev/bootstrap-database.ts';
import { can } from '../../src/domain/identity/access.ts';
import { softwareModules } from '../../src/domain/identity/module-permission.ts';
import { systemActor } from '../../src/domain/shared/actor.ts';
import { createWireTypes } from '../../src/platform/database/wire-types.ts';
import { moduleGrants } from '../../src/services/identity/role/module-permission.queries.ts';
import { figuresOf, interleave, meets, noiseNotes, ratioOf, sequentialSlice } from '../harness.ts';
import type { Arm, GoalResult, Plan } from '../harness.ts';
import type { BenchStack } from '../stack.ts';

const people = 250_000;
const goal = { at: 'most', limit: 1.5 } as const;
const [check, bare, alone] = ['permission check', 'by primary key, same transaction', 'by primary key, one statement'];
const byKey = 'select agent_name, can_create, can_read, can_update, can_delete, expires_at from user_agent_permissions where id = $1';

interface Grant {
  readonly id: string;
  readonly user_id: string;
  readonly tenant_id: string;
}

/**
 * Whether somebody may read in a module, decided from the database each time, among a million permissions of eight tenants: against
 * reading one of the rows by its primary key in a transaction that sets the same tenant, and by one statement of a superuser, whom
 * no policy binds.
 */
export async function benchModulePermission({ adminUrl, env, people: owners }: BenchStack, plan: Plan): Promise<GoalResult[]> {
  const common = { connectionString: env.DATABASE_URL, types: createWireTypes(), options: '-c TimeZone=UTC', pipeline: true, max: 1 };
  const [ours, theirs] = [new Pool(common), new Pool(common)];
  const grants = await withClient(adminUrl, (admin) => fill(admin, [...new Set(owners.map(({ tenant_id }) => tenant_id))]));
  const superuser = new Client({ connectionString: adminUrl });
  await superuser.connect();
  try {
    const arms = [
      arm(check, grants, async ({ tenant_id, user_id }) => {
        const found = await moduleGrants({ readPool: ours }, { tenant_id, user_id }, user_id);
        const resource = { type: 'module', name: softwareModules[0], action: 'read', grants: found } as const;
        if (!can(systemActor(tenant_id), null, resource).allowed) throw new Error('The check has refused what was granted.');
      }),
      arm(bare, grants, (grant) => readByKey(theirs, grant)),
      arm(alone, grants, ({ id }) => superuser.query({ name: 'by_key', text: byKey, values: [id] })),
    ];
    const slices = await interleave(arms, plan);
    const value = ratioOf(slices, check, bare, 'p99Ms');
    const toOne = ratioOf(slices, check, alone, 'p99Ms');
    const shared = { title: 'Module permission check among 1,000,000 grants', arms: figuresOf(slices), notes: noiseNotes(slices, bare) };
    return [
      {
        ...shared,
        id: 'module-permission',
        figure: 'p99, check / read by primary key in the same transaction',
        value,
        goal,
        met: meets(value, goal),
      },
      { ...shared, id: 'module-permission-statement', figure: 'p99, check / one statement by primary key', value: toOne, goal: null, met: true },
    ];
  } finally {
    await Promise.all([ours.end(), theirs.end(), superuser.end()]);
  }
}

/** One question after the other, each about another grant: what was read a moment ago says little about the next. */
function arm(name: string, grants: readonly Grant[], ask: (grant: Grant) => Promise<unknown>): Arm {
  let next = 0;
  const once = async () => {
    const grant = grants[next % grants.length];
    next += 1;
    if (grant === undefined) throw new Error('There are no grants.');
    const from = performance.now();
    await ask(grant);
    return performance.now() - from;
  };
  return { name, slice: (durationMs) => sequentialSlice(durationMs, once) };
}

async function readByKey(pool: Pool, { tenant_id, user_id, id }: Grant): Promise<void> {
  const client = await pool.connect();
  try {
    await Promise.all([
      client.query({ name: 'begin', text: 'begin transaction read only' }),
      client.query({
        name: 'scope',
        text: "select set_config('app.tenant_id', $1, true), set_config('app.user_id', $2, true)",
        values: [tenant_id, user_id],
      }),
      client.query({ name: 'by_key', text: byKey, values: [id] }),
      client.query({ name: 'commit', text: 'commit' }),
    ]);
  } finally {
    client.release();
  }
}

/** Four grants for each of many people, who need no account here; returns one of each of some people from all over the table. */
async function fill(admin: Client, tenants: readonly string[]): Promise<Grant[]> {
  await admin.query('set session_replication_role = replica');
  await admin.query(
    `insert into user_agent_permissions (tenant_id, user_id, agent_name, can_read, expires_at)
     select ($1::uuid[])[1 + n % $2], p.id, agent, true, now() + n * interval '1 minute' + interval '30 days'
     from generate_series(1, $3::int) n, lateral (select gen_random_uuid() as id where n > 0) p, unnest($4::text[]) agent`,
    [tenants, tenants.length, people, softwareModules],
  );
  await admin.query('vacuum (analyze) user_agent_permissions');
  const { rows } = await admin.query<Grant>(
    'select id, user_id, tenant_id from user_agent_permissions where agent_name = $1 order by md5(id::text) limit 20000',
    [softwareModules[0]],
  );
  return rows;
}
