import { randomUUID } from 'node:crypto';
import { issueServiceToken } from '../../src/services/identity/sign-in/service-token-format.ts';
import { withClient } from '../../src/dev/bootstrap-database.ts';
import { freePort } from '../../src/dev/ports.ts';
import { defaultTenantId } from '../../src/domain/shared/actor.ts';
import { figuresOf, interleave, meets, noiseNotes, ratioOf } from '../harness.ts';
import type { Arm, GoalResult, Plan } from '../harness.ts';
import { projectFile } from '../stack.ts';
import type { BenchProcess, BenchStack } from '../stack.ts';
import { startUnleash } from '../unleash.ts';
import type { Unleash } from '../unleash.ts';
import { toggleFlags, togglePrefix } from './control-plane-toggle.ts';

const connections = 8;
const toggleGoal = { at: 'least', limit: 5 } as const;
const bulkGoal = { at: 'least', limit: 3 } as const;
const unchangedGoal = { at: 'least', limit: 0.6 } as const;
const dashboardGoal = { at: 'most', limit: 3 } as const;
const flagCount = 100;
const flagNames = Array.from({ length: flagCount }, (_, n) => `${togglePrefix}${n}`);

/** Switching and reading flags beside Unleash, the unchanged answer beside bare Koa, the dashboard beside a list. */
export async function benchControlPlane(stack: BenchStack, plan: Plan): Promise<GoalResult[]> {
  const token = await seedFlags(stack);
  const unleash = await startUnleash(stack, flagNames);
  const results = [
    ...('url' in unleash ? await besideUnleash(stack, plan, token, unleash) : skipped(unleash.skipped)),
    await besideKoa(stack, plan, token),
    await besideList(stack, plan),
  ];
  if ('url' in unleash) await unleash.stop();
  return results;
}

/** Flags and a token of an application, by SQL: their creation is not measured. */
async function seedFlags(stack: BenchStack): Promise<string> {
  const id = randomUUID();
  const { token, token_hash, last4 } = issueServiceToken(defaultTenantId, id);
  await withClient(stack.adminUrl, async (admin) => {
    await admin.query(
      `insert into service_tokens (id, tenant_id, name, token_hash, last4, environment, permissions)
       values ($1, $2, 'bench flags', $3, $4, 'staging', '{flag:evaluate}')`,
      [id, defaultTenantId, token_hash, last4],
    );
    // No others: the answer of all flags is compared with that of as many.
    await admin.query("delete from admin_flag_history where environment = 'staging'");
    await admin.query("delete from admin_feature_flags where environment = 'staging'");
    await admin.query(
      `insert into admin_feature_flags
         (tenant_id, key, environment, value_type, variants, enabled, on_variant, off_variant, rollout_percentage)
       select $1, name, 'staging', 'boolean', '{"on":true,"off":false}', true, 'on', 'off', 100 from unnest($2::text[]) name`,
      [defaultTenantId, flagNames],
    );
  });
  return token;
}

async function besideUnleash(stack: BenchStack, plan: Plan, token: string, unleash: Unleash): Promise<GoalResult[]> {
  const toggles = await interleave(await toggleFlags(stack, unleash, connections), plan);
  const toggle = ratioOf(toggles, 'Castellan', 'unleash-server');
  const bulk = await interleave(
    [
      bulkArm(stack, token, 200),
      {
        name: 'unleash-server',
        slice: (durationMs) =>
          stack.load.run({
            url: `${unleash.url}/api/client/features`,
            method: 'GET',
            connections,
            durationMs,
            expectedStatus: 200,
            requests: [{ headers: { authorization: unleash.clientToken } }],
          }),
      },
    ],
    plan,
  );
  const read = ratioOf(bulk, 'Castellan', 'unleash-server');
  return [
    {
      id: 'flag-toggle',
      title: `Switch a flag, ${connections} connections`,
      figure: 'throughput, Castellan (factor proof, history, chained audit) / unleash-server 8.2.0',
      value: toggle,
      goal: toggleGoal,
      met: meets(toggle, toggleGoal),
      arms: figuresOf(toggles),
      notes: noiseNotes(toggles, 'unleash-server'),
    },
    {
      id: 'flag-bulk',
      title: `All ${flagCount} flags, ${connections} connections`,
      figure: 'throughput, OFREP bulk evaluation / unleash-server /api/client/features (not evaluated)',
      value: read,
      goal: bulkGoal,
      met: meets(read, bulkGoal),
      arms: figuresOf(bulk),
      notes: noiseNotes(bulk, 'unleash-server'),
    },
  ];
}

const evaluation = { context: { targetingKey: 'visitor-1' } };

function bulkArm(stack: BenchStack, token: string, expectedStatus: 200 | 304, etag?: string): Arm {
  return {
    name: 'Castellan',
    slice: (durationMs) =>
      stack.load.run({
        url: `${stack.api.url}/ofrep/v1/evaluate/flags`,
        method: 'POST',
        connections,
        durationMs,
        expectedStatus,
        requests: [
          {
            headers: { authorization: `Bearer ${token}`, ...(etag === undefined ? {} : { 'if-none-match': etag }) },
            body: evaluation,
          },
        ],
      }),
  };
}

async function besideKoa(stack: BenchStack, plan: Plan, token: string): Promise<GoalResult> {
  const first = await fetch(`${stack.api.url}/ofrep/v1/evaluate/flags`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(evaluation),
  });
  await first.arrayBuffer();
  const etag = first.headers.get('etag');
  if (etag === null) throw new Error(`Flags are not evaluated: ${first.status}.`);
  const bare = await startKoa(stack, etag);
  const slices = await interleave(
    [
      bulkArm(stack, token, 304, etag),
      {
        name: 'bare Koa',
        slice: (durationMs) =>
          stack.load.run({
            url: `${bare.url}/flags`,
            method: 'POST',
            connections,
            durationMs,
            expectedStatus: 304,
            requests: [{ headers: { 'if-none-match': etag }, body: evaluation }],
          }),
      },
    ],
    plan,
  );
  await bare.stop();
  const value = ratioOf(slices, 'Castellan', 'bare Koa');
  return {
    id: 'flag-unchanged',
    title: `No flag has changed (304), ${connections} connections`,
    figure: 'throughput, Castellan / bare Koa that compares the header',
    value,
    goal: unchangedGoal,
    met: meets(value, unchangedGoal),
    arms: figuresOf(slices),
    notes: noiseNotes(slices, 'bare Koa'),
  };
}

async function startKoa(stack: BenchStack, etag: string): Promise<BenchProcess> {
  const port = await freePort();
  return stack.start({
    name: 'bare-koa-flags',
    command: process.execPath,
    args: [projectFile('bench/arms/bare-koa.ts')],
    env: { PATH: process.env.PATH, NODE_ENV: 'production', PORT: String(port), BENCH_ETAG: etag },
    port,
    readyPath: '/ready',
  });
}

/** One client: the latency of one answer, not the throughput of concurrent ones. */
async function besideList(stack: BenchStack, plan: Plan): Promise<GoalResult> {
  const authorization = `Bearer ${stack.people[0]?.token ?? ''}`;
  const arm = (name: string, path: string): Arm => ({
    name,
    slice: (durationMs) =>
      stack.load.run({
        url: `${stack.api.url}${path}`,
        method: 'GET',
        connections: 1,
        durationMs,
        expectedStatus: 200,
        requests: [{ headers: { authorization } }],
      }),
  });
  const slices = await interleave([arm('dashboard', '/admin/dashboard'), arm('list', '/admin/users?limit=20')], plan);
  const value = ratioOf(slices, 'dashboard', 'list', 'p50Ms');
  return {
    id: 'dashboard',
    title: 'Admin dashboard',
    figure: 'p50, dashboard / one list read of 20 rows',
    value,
    goal: dashboardGoal,
    met: meets(value, dashboardGoal),
    arms: figuresOf(slices),
    notes: noiseNotes(slices, 'list'),
  };
}

/** The result of a case whose counterpart cannot be installed here. */
function skipped(reason: string): GoalResult[] {
  return ['flag-toggle', 'flag-bulk'].map((id) => ({
    id,
    title: `${id} beside unleash-server`,
    figure: 'throughput, Castellan / unleash-server',
    value: { median: Number.NaN, min: Number.NaN, max: Number.NaN },
    goal: null,
    met: true,
    arms: {},
    notes: [`skipped: ${reason}`],
  }));
}
