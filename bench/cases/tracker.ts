import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { freePort } from '../../src/dev/ports.ts';
import { withClient } from '../../src/dev/bootstrap-database.ts';
import { figuresOf, interleave, meets, noiseNotes, ratioOf, spreadOf } from '../harness.ts';
import type { Arm, GoalResult, Plan } from '../harness.ts';
import { projectFile, rssMb } from '../stack.ts';
import type { BenchProcess, BenchStack } from '../stack.ts';

const connections = 8;
const importedRows = 100_000;
const base = '/api/v1/master-admin';

/** The tracker: logging an activity, reading the week, and importing a hundred thousand prospects. */
export async function benchTracker(stack: BenchStack, plan: Plan): Promise<GoalResult[]> {
  await grantTracker(stack);
  const bare = await startBare(stack);
  const day = new Date().toISOString().slice(0, 10);
  const bodyOf = (withBody: boolean) => (withBody ? { body: { type: 'call', status: 'done', date: day } } : {});
  const requests = (withBody: boolean) => ({
    ours: stack.people.map(({ token }) => ({ headers: { authorization: `Bearer ${token}` }, ...bodyOf(withBody) })),
    theirs: stack.people.map(({ tenant_id, user_id }) => ({
      headers: { 'x-tenant': tenant_id, 'x-user': user_id },
      ...bodyOf(withBody),
    })),
  });
  const compare = async (method: 'GET' | 'POST', path: string, expectedStatus: number) => {
    const { ours, theirs } = requests(method === 'POST');
    const arm = (name: string, url: string, list: typeof ours | typeof theirs): Arm => ({
      name,
      slice: (durationMs) => stack.load.run({ url, method, connections, durationMs, expectedStatus, requests: list }),
    });
    const slices = await interleave(
      [arm('Castellan', `${stack.api.url}${base}${path}`, ours), arm('bare', `${bare.url}/bare`, theirs)],
      plan,
    );
    return {
      value: ratioOf(slices, 'Castellan', 'bare'),
      arms: figuresOf(slices),
      notes: noiseNotes(slices, 'bare'),
    };
  };
  const week = await compare('GET', '/scores/week', 200);
  const create = await compare('POST', '/activities', 201);
  await bare.stop();
  const weekGoal = { at: 'least', limit: 0.9 } as const;
  const createGoal = { at: 'least', limit: 0.5 } as const;
  return [
    {
      id: 'tracker-week',
      title: `Scores of the week, ${connections} connections`,
      figure: 'throughput, Castellan / bare node:http + pg (pipelined)',
      ...week,
      goal: weekGoal,
      met: meets(week.value, weekGoal),
    },
    {
      id: 'tracker-activity',
      title: `Activity with score and chained audit, ${connections} connections over 8 tenants`,
      figure: 'throughput, Castellan / bare transaction of the same statements with plain audit insert',
      ...create,
      goal: createGoal,
      met: meets(create.value, createGoal),
    },
    ...(await benchImport(stack)),
  ];
}

/** Only the master admin may use the tracker: the people of the bench become super admins. */
async function grantTracker({ adminUrl, people }: BenchStack): Promise<void> {
  await withClient(adminUrl, (admin) =>
    admin.query(
      `insert into admin_role_assignments (tenant_id, user_id, role_id)
       select u.tenant_id, u.id, r.id from users u, admin_roles r
       where u.id = any($1) and r.code = 'role-super-admin' and r.tenant_id is null on conflict do nothing`,
      [people.map(({ user_id }) => user_id)],
    ),
  );
  // Rights are cached for 30 seconds.
  await new Promise((resolve) => setTimeout(resolve, 31_000));
}

async function startBare(stack: BenchStack): Promise<BenchProcess> {
  const port = await freePort();
  return stack.start({
    name: 'tracker-bare-server',
    command: process.execPath,
    args: [projectFile('bench/arms/tracker-bare-server.ts')],
    env: {
      PATH: process.env.PATH,
      PORT: String(port),
      DATABASE_URL: stack.env.DATABASE_URL,
      DATABASE_POOL_SIZE: String(stack.env.DATABASE_POOL_SIZE),
      DATABASE_READ_POOL_SIZE: String(stack.env.DATABASE_READ_POOL_SIZE),
    },
    port,
    readyPath: '/ready',
  });
}

/** Import over HTTP to the server's own COPY of the same bytes into a table of the same shape, checks and indexes. */
async function benchImport(stack: BenchStack): Promise<GoalResult[]> {
  const person = stack.people[0];
  if (person === undefined) return [];
  const admin = new Client({ connectionString: stack.adminUrl });
  await admin.connect();
  await fetch(`${stack.api.url}${base}/prospects`, {
    method: 'POST',
    headers: { authorization: `Bearer ${person.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'makes the default pipeline' }),
  });
  await admin.query('create table bench_prospects (like admin_prospects including all)');
  const defaults = { tenant_id: `'${person.tenant_id}'`, user_id: `'${person.user_id}'`, pipeline_id: '1', stage_id: '1', probability: '10' };
  for (const [column, value] of Object.entries(defaults)) {
    await admin.query(`alter table bench_prospects alter ${column} set default ${value}`);
  }
  const path = join(stack.folder, 'prospects.csv');
  const [ours, theirs, peaks]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < 3; round += 1) {
    const rows = Array.from({ length: importedRows }, (_, n) => `Person ${n},Company ${n % 500},p${round}-${n}@bench.test,+49 30 ${n}`);
    const file = `name,company,email,phone\n${rows.join('\n')}\n`;
    let peak = 0;
    const watch = setInterval(() => void stack.api.rssMb().then((mb) => (peak = Math.max(peak, mb))), 50);
    const before = await rssMb(stack.api.pid);
    ours.push(await timed(async () => {
      const answer = await fetch(`${stack.api.url}${base}/prospects/import`, {
        method: 'POST',
        headers: { authorization: `Bearer ${person.token}`, 'content-type': 'text/csv' },
        body: file,
      });
      if (answer.status !== 200) throw new Error(await answer.text());
    }));
    clearInterval(watch);
    peaks.push(peak - before);
    await writeFile(path, file, { mode: 0o644 });
    theirs.push(await timed(() => admin.query(`copy bench_prospects (name, company, email, phone) from '${path}' (format csv, header)`)));
    await admin.query('truncate bench_prospects');
  }
  await admin.end();
  const value = spreadOf(ours.map((ms, round) => (theirs[round] ?? Number.NaN) / ms));
  const memory = spreadOf(peaks);
  const goal = { at: 'least', limit: 0.25 } as const;
  const memoryGoal = { at: 'most', limit: 150 } as const;
  const arms = { Castellan: `${spreadOf(ours).median.toFixed(0)} ms`, COPY: `${spreadOf(theirs).median.toFixed(0)} ms` };
  const title = `Import of ${importedRows.toLocaleString('en')} prospects`;
  return [
    { id: 'tracker-import', title, figure: 'speed, Castellan over HTTP / COPY of the same bytes', value, arms, goal, met: meets(value, goal), notes: [] },
    { id: 'tracker-import-memory', title, figure: 'MB that the API grows by', value: memory, arms, goal: memoryGoal, met: meets(memory, memoryGoal), notes: [] },
  ];
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}
