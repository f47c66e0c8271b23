import { randomUUID } from 'node:crypto';
import type { Client } from 'pg';
import { openAssignments } from '../../src/services/assignment/assignment-access.service.ts';
import { createBulkBatch, runBatchChunk } from '../../src/services/assignment/assignment-batch.service.ts';
import { withClient } from '../../src/dev/bootstrap-database.ts';
import { defaultTenantId, systemActor } from '../../src/domain/shared/actor.ts';
import { entities } from '../../src/entities/index.ts';
import { openDatabase } from '../../src/platform/database/database.ts';
import type { Database } from '../../src/platform/database/database.ts';
import { createLogger } from '../../src/platform/observability/logger.ts';
import { unitOfWork } from '../../src/platform/database/unit-of-work.ts';
import { meets, spreadOf } from '../harness.ts';
import type { GoalResult, Plan } from '../harness.ts';
import type { BenchStack } from '../stack.ts';

const contactCount = 10_000;
const poolSize = 10;
const goal = { at: 'most', limit: 3 } as const;

/** Milliseconds of one round, each for the same ten thousand contacts. */
interface Round {
  readonly assigned: number;
  readonly bareRows: number;
  readonly bareWithAudit: number;
}

/**
 * Auto-assigning 10,000 contacts to a pool of ten, chunk by chunk as the workflow's activity does it, with the audit entry of
 * each contact; against a bare `insert … select` of the same rows, with and without plain audit rows.
 */
export async function benchAssignment(stack: BenchStack, plan: Plan): Promise<GoalResult[]> {
  const log = createLogger({ level: 'silent', name: 'bench' });
  const db = await openDatabase({ env: stack.env, entities, log, applicationName: 'castellan-bench' });
  const rounds: Round[] = [];
  try {
    await withClient(stack.adminUrl, async (admin) => {
      await insertEarlierAssignments(admin);
      await runRound(db, admin, stack.env.DATABASE_URL);
      for (let round = 0; round < plan.rounds; round += 1) {
        rounds.push(await runRound(db, admin, stack.env.DATABASE_URL));
      }
    });
  } finally {
    await db.close();
  }
  const against = (bare: (round: Round) => number) => spreadOf(rounds.map((round) => round.assigned / bare(round)));
  const arms = {
    'assigned in chunks of 1,000, chained audit': figure(rounds.map(({ assigned }) => assigned)),
    'bare insert … select': figure(rounds.map(({ bareRows }) => bareRows)),
    'the same with plain audit rows': figure(rounds.map(({ bareWithAudit }) => bareWithAudit)),
  };
  const value = against(({ bareWithAudit }) => bareWithAudit);
  const shared = { arms, notes: [] };
  return [
    {
      ...shared,
      id: 'assignment-bulk',
      title: 'Auto-assigning 10,000 contacts in bulk, with an audit entry each',
      figure: 'time, auto-assigning / bare insert … select of the same assignments and plain audit rows',
      value,
      goal,
      met: meets(value, goal),
    },
    {
      ...shared,
      id: 'assignment-bulk-rows',
      title: 'The same against the assignments alone',
      figure: 'time, auto-assigning with its audit / bare insert … select of the assignments without any audit',
      value: against(({ bareRows }) => bareRows),
      goal: null,
      met: true,
    },
  ];
}

async function runRound(db: Database, admin: Client, appUrl: string): Promise<Round> {
  const { campaign_id, contact_ids } = await prepare(admin);
  const actor = systemActor(defaultTenantId, { workflow_id: 'bench' });
  const batch_id = randomUUID();
  await unitOfWork(db, actor, async (tx) => {
    await openAssignments(tx);
    // A contact gets its key with the audit entry of its creation.
    await db.personKeys.forWriting(tx.sql, actor.tenant_id, contact_ids);
    const request = { batch_id, campaign_id, contact_ids, source: null, on_conflict: 'skip', keep_owner: false } as const;
    await createBulkBatch(tx, request);
  });
  const assigned = await timed(async () => {
    for (let isFinished = false; !isFinished; ) {
      const chunk = await unitOfWork(db, actor, async (tx) => {
        await openAssignments(tx);
        return runBatchChunk(tx, batch_id);
      });
      isFinished = chunk.is_finished;
    }
  });
  await setAside(admin, campaign_id);
  const bare = await withClient(appUrl, async (client) => ({
    rows: await bareInsert(client, [insertRows]),
    withAudit: await bareInsert(client, [insertRows, insertAudit]),
  }));
  return { assigned, bareRows: bare.rows, bareWithAudit: bare.withAudit };
}

/**
 * Inserts earlier assignments, because real tables are not empty: plans made for an empty table are sequential scans, which
 * get slower as it grows.
 */
async function insertEarlierAssignments(admin: Client): Promise<void> {
  const { campaign_id, contact_ids } = await prepare(admin);
  await admin.query(
    `insert into user_contact_assignment (tenant_id, user_id, contact_id, campaign_id, method, reason)
     select p.tenant_id, p.user_id, c.id, p.campaign_id, 'manual', '{"kind":"manual","from_user_id":null}'
     from unnest($2::uuid[]) with ordinality c(id, place)
     join (select *, row_number() over (order by user_id) as place from user_campaign_assignment where campaign_id = $1) p
       on p.place = c.place % $3::int + 1`,
    [campaign_id, contact_ids, poolSize],
  );
}

/** A new campaign with its pool, and new contacts; by SQL, because this is not part of what is measured. */
async function prepare(admin: Client): Promise<{ campaign_id: string; contact_ids: string[] }> {
  const campaign_id = randomUUID();
  await admin.query("insert into campaigns (id, tenant_id, name, status) values ($1, $2, $3, 'active')", [
    campaign_id,
    defaultTenantId,
    `Bench ${campaign_id}`,
  ]);
  await admin.query(
    `with people as (
       insert into users (tenant_id, email, full_name)
       select $1, 'pool-' || n || '-' || $2 || '@bench.invalid', 'Pool ' || n from generate_series(1, $3::int) n returning id
     ), given as (
       insert into admin_role_assignments (tenant_id, user_id, role_id)
       select $1, p.id, r.id from people p, admin_roles r where r.code = 'role-junior-agent' and r.tenant_id is null
     )
     insert into user_campaign_assignment (tenant_id, user_id, campaign_id) select $1, id, $2::uuid from people`,
    [defaultTenantId, campaign_id, poolSize],
  );
  const { rows } = await admin.query<{ id: string }>(
    "insert into contacts (tenant_id, name) select $1, 'Bench ' || n from generate_series(1, $2::int) n returning id",
    [defaultTenantId, contactCount],
  );
  await admin.query('analyze contacts, user_contact_assignment, user_campaign_assignment');
  return { campaign_id, contact_ids: rows.map(({ id }) => id) };
}

/** Copies the written rows to separate tables and deletes the assignments, so that the same rows can be inserted again. */
async function setAside(admin: Client, campaignId: string): Promise<void> {
  await admin.query('drop table if exists bench_assignments, bench_audit');
  await admin.query(`create table bench_assignments as select * from user_contact_assignment where campaign_id = '${campaignId}'`);
  await admin.query(`create table bench_audit as select l.* from audit_logs l
    where l.event = 'contact.assign' and l.resource_id in (select contact_id::text from bench_assignments)`);
  await admin.query('grant select on bench_assignments, bench_audit to castellan_app');
  await admin.query('delete from user_contact_assignment where campaign_id = $1', [campaignId]);
  const [{ kept } = { kept: 0 }] = (await admin.query<{ kept: number }>('select count(*)::int as kept from bench_assignments')).rows;
  if (kept !== contactCount) throw new Error(`${kept} of ${contactCount} contacts were assigned.`);
}

const insertRows = `
  insert into user_contact_assignment
    (id, tenant_id, user_id, contact_id, campaign_id, method, reason, assigned_by, assigned_at, created_at)
  select id, tenant_id, user_id, contact_id, campaign_id, method, reason, assigned_by, assigned_at, created_at
  from bench_assignments`;
const insertAudit = `
  insert into bench_plain_audit (tenant_id, occurred_at, user_id, area, event, action, resource_type, resource_id,
    outcome, request_id, entry, private)
  select tenant_id, occurred_at, user_id, area, event, action, resource_type, resource_id, outcome, request_id, entry, private
  from bench_audit`;

/** The statements in one transaction as the application's role, rolled back after the time is taken. */
async function bareInsert(client: Client, statements: readonly string[]): Promise<number> {
  await client.query('begin');
  await client.query(
    "select set_config('app.tenant_id', $1, true), set_config('app.assignment_access', 'manage', true)",
    [defaultTenantId],
  );
  const ms = await timed(async () => {
    for (const statement of statements) await client.query(statement);
  });
  await client.query('rollback');
  return ms;
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function figure(milliseconds: readonly number[]): string {
  const { median, min, max } = spreadOf(milliseconds);
  return `${median.toFixed(0)} ms (${min.toFixed(0)}–${max.toFixed(0)})`;
}
