import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { withClient } from '../../src/dev/bootstrap-database.ts';
import { defaultTenantId } from '../../src/domain/shared/actor.ts';
import { meets, spreadOf } from '../harness.ts';
import type { GoalResult, Plan } from '../harness.ts';
import type { BenchStack } from '../stack.ts';

const rowCount = 1_000_000;
const tenantCount = 20;
const asked = 300;
const goal = { at: 'most', limit: 1.2 } as const;
const page = 'select id, name from contacts where deleted_at is null';
const order = 'order by created_at desc, id desc limit 21';

/**
 * A tenant's list among a million rows of twenty tenants, under row-level security, against the same list with
 * the tenant written into it and no policy. A plan that reads more than the tenant's index fails the case.
 */
export async function benchIsolation({ adminUrl, env }: BenchStack, plan: Plan): Promise<GoalResult[]> {
  const app = new Client({ connectionString: env.DATABASE_URL });
  await app.connect();
  try {
    return await withClient(adminUrl, async (admin) => {
      await fill(admin);
      await app.query("select set_config('app.tenant_id', $1, false)", [defaultTenantId]);
      await refuseWrongPlan(app);
      const guarded = () => app.query({ name: 'guarded', text: `${page} ${order}` });
      const byHand = () => admin.query({ name: 'by_hand', text: `${page} and tenant_id = $1 ${order}`, values: [defaultTenantId] });
      const arms = { guarded: [] as number[], byHand: [] as number[] };
      for (let round = 0; round <= plan.rounds; round += 1) {
        const [one, other] = [await timed(guarded), await timed(byHand)];
        if (round === 0) continue;
        arms.guarded.push(one);
        arms.byHand.push(other);
      }
      const value = spreadOf(arms.guarded.map((ms, round) => ms / (arms.byHand[round] ?? Number.NaN)));
      const figure = (ms: readonly number[]) => `${(spreadOf(ms).median / asked).toFixed(3)} ms a page`;
      return [
        {
          id: 'isolation-list',
          title: `A tenant's list among ${rowCount.toLocaleString('en')} rows of ${tenantCount} tenants`,
          figure: 'time, under row-level security / with the tenant written into the query',
          value,
          goal,
          met: meets(value, goal),
          arms: { 'row-level security': figure(arms.guarded), 'by hand': figure(arms.byHand) },
          notes: [],
        },
      ];
    });
  } finally {
    await app.end();
  }
}

/** The default tenant has its share of the rows; the others only fill the table. */
async function fill(admin: Client): Promise<void> {
  const others = Array.from({ length: tenantCount - 1 }, () => randomUUID());
  await admin.query("insert into tenants (id, name, domain) select id, 'Rows', id || '.invalid' from unnest($1::uuid[]) as t(id)", [
    others,
  ]);
  await admin.query(
    `insert into contacts (tenant_id, name, created_at)
     select ($1::uuid[])[1 + n % $2], 'Row ' || n, now() - n * interval '1 second' from generate_series(1, $3::int) n`,
    [[defaultTenantId, ...others], tenantCount, rowCount],
  );
  await admin.query('analyze contacts');
}

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Index Name'?: string;
  readonly 'Parent Relationship'?: string;
  readonly 'Actual Loops': number;
  readonly Plans?: readonly PlanNode[];
}

/** @throws Error when the list is not read from the tenant's index, or the setting is read more than once. */
async function refuseWrongPlan(app: Client): Promise<void> {
  const { rows } = await app.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(`explain (analyze, format json) ${page} ${order}`);
  const root = rows[0]?.['QUERY PLAN'][0].Plan;
  const nodes: PlanNode[] = [];
  const walk = (node: PlanNode): void => {
    nodes.push(node);
    node.Plans?.forEach(walk);
  };
  if (root !== undefined) walk(root);
  const settings = nodes.filter((node) => node['Parent Relationship'] === 'InitPlan');
  const usesIndex = nodes.some((node) => node['Index Name'] === 'contacts_created_idx');
  const isSorted = nodes.every((node) => node['Node Type'] !== 'Seq Scan' && node['Node Type'] !== 'Sort');
  if (usesIndex && isSorted && settings.every((node) => node['Actual Loops'] === 1)) return;
  throw new Error(`The list of a tenant has a wrong plan: ${JSON.stringify(root)}`);
}

async function timed(once: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  for (let n = 0; n < asked; n += 1) await once();
  return performance.now() - start;
}
