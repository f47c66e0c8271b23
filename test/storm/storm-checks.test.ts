import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { sql } from 'kysely';
import type { Kysely, Transaction } from 'kysely';
import type { CastellanSchema } from '../../src/entities/kysely-schema.ts';
import { startDueWorkflows } from '../../src/services/commands/workflow-start.service.ts';
import { startTestApi } from '../support/api.ts';
import type { TestApi } from '../support/api.ts';
import { createContact } from '../support/factories/assignment.ts';
import { fromNow } from '../support/factories/defaults.ts';
import { createOnboardingLink } from '../support/factories/onboarding.ts';
import { insertRow } from '../support/factories/row-insertion.ts';
import { startInProcessWorker } from '../support/temporal/worker-in-process.ts';
import type { InProcessWorker } from '../support/temporal/worker-in-process.ts';
import { checkAll } from './checks/all-checks.ts';
import { checkAnswers, checkRepetitions } from './checks/answers.ts';
import { checkApprovals } from './checks/approvals.ts';
import { checkAudit } from './checks/audit.ts';
import { checkFocusTimers } from './checks/focus.ts';
import type { StormHistory } from './checks/history.ts';
import { checkResults } from './checks/results.ts';
import type { Finding } from './checks/violation.ts';
import { checkWorkflows } from './checks/workflows.ts';
import { outcomeOf } from './load/command.ts';
import type { CommandRecord } from './load/command.ts';
import { operations } from './load/operations.ts';
import { StormLoad } from './load/storm-load.ts';
import { World } from './load/world.ts';
import { Random } from './random.ts';
import { settled } from './settle.ts';
import { planFaults } from './stack/faults.ts';

const rounds = 4;

let app: TestApi;
let worker: InProcessWorker;
let world: World;
let connection: Connection;
let history: StormHistory;

/** A short history of the load on the real parts, without any fault. */
beforeAll(async () => {
  app = await startTestApi();
  worker = await startInProcessWorker(app);
  const second = await app.another();
  const target = { urls: [app.url, second.url] as const, env: app.env, adminUrl: app.database.adminUrl };
  world = await World.make(target, 1);
  connection = await Connection.connect({ address: app.env.TEMPORAL_ADDRESS });
  const random = new Random('smoke');
  const load = new StormLoad(world, random, () => undefined);
  const [ask] = operations;
  for (let round = 0; round < rounds; round += 1) {
    // Enough requests for each of the decisions, and some that stay.
    for (const operation of [ask, ask, ask, ask, ...operations]) await load.command(random, operation);
  }
  for (const name of ['begin a focus session', 'interrupt a focus session', 'create a contact', 'auto-assign a contact', 'pause a queue']) {
    await load.command(random, operations.find((operation) => operation.name === name));
  }
  // So that nothing has to wait for the minute of a timer.
  const complete = operations.find(({ name }) => name === 'complete a focus session');
  while (world.tenants.some(({ sessions }) => sessions.length > 0)) await load.command(random, complete);
  await load.repeatAll(random, 1_000);
  // What only the loop of a worker process starts.
  let starting: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => (starting = starting.then(() => startDueWorkflows(worker.deps)).catch(() => undefined)), 500);
  try {
    await settled(world, 0);
  } finally {
    clearInterval(timer);
    await starting;
  }
  const temporal = new Client({ connection, namespace: app.env.TEMPORAL_NAMESPACE });
  history = {
    target,
    tenants: world.tenants,
    records: load.records,
    db: world.db,
    temporal,
    looks: [{ at: Date.now() - 3_600_000, isUp: true }, { at: Date.now() + 3_600_000, isUp: true }],
    readFlags: world.readFlags.bind(world),
  };
});

afterAll(async () => {
  await connection?.close();
  await world?.close();
  await worker?.close();
  await app?.close();
});

class RolledBack extends Error {}

/** The names of what a check finds when something was planted in the rows, which is taken back again. */
async function foundIn(
  check: (history: StormHistory) => Promise<Finding>,
  plant: (tx: Transaction<CastellanSchema>) => Promise<unknown>,
): Promise<string[]> {
  let names: string[] = [];
  const run = history.db.transaction().execute(async (tx) => {
    // Past the triggers that keep histories as they are.
    await sql`set local session_replication_role = replica`.execute(tx);
    await plant(tx);
    names = namesOf(await check({ ...history, db: tx }));
    throw new RolledBack();
  });
  await expect(run).rejects.toThrow(RolledBack);
  return names;
}

function namesOf({ violations }: Finding): string[] {
  return [...new Set(violations.map(({ name }) => name))];
}

/** The history with other records in place of those of one operation that were done. */
function withRecords(change: (record: CommandRecord) => CommandRecord, operation = 'log an activity'): StormHistory {
  const isMeant = (record: CommandRecord) => record.operation.name === operation && outcomeOf(record) === 'done';
  return { ...history, records: history.records.map((record) => (isMeant(record) ? change(record) : record)) };
}

const statement = (text: string) => (tx: Kysely<CastellanSchema>) => sql.raw(text).execute(tx);
/** Executed requests get another end. */
const unexecuted = (status: string) =>
  `update admin_approvals set status = '${status}', executed_at = null, execution_due_at = null where status = 'executed'`;
const tenant = () => world.tenants[0]?.id ?? '';

it('finds nothing in a history without faults, of which each operation is a part', async () => {
  const findings = await checkAll(history);
  expect(findings.flatMap(({ violations }) => violations)).toEqual([]);
  const done = new Set(history.records.filter((record) => outcomeOf(record) === 'done').map(({ operation }) => operation.name));
  expect(operations.map(({ name }) => name).filter((name) => !done.has(name))).toEqual([]);
});

describe('each check finds what was planted for it', () => {
  it('1: effects that are missing, too many, or were denied', async () => {
    expect(await foundIn(checkAnswers, statement('delete from admin_activities'))).toEqual(['done, but not 1 in the rows']);
    expect(await foundIn(checkAnswers, (tx) => sql`delete from audit_logs where event = 'activity.create'`.execute(tx))).toEqual(['done, but not 1 in the audit']);
    const [contact] = history.records.filter(({ operation }) => operation.name === 'create a contact');
    expect(await foundIn(checkAnswers, (tx) => createContact(tx, { tenant_id: tenant(), name: contact?.planned.marker ?? '' }))).toEqual(['done, but not 1 in the rows']);
    const denied = withRecords((record) => ({ ...record, attempts: record.attempts.map((attempt) => ({ ...attempt, verdict: 'nothing', essence: null })) }));
    expect(namesOf(await checkAnswers(denied))).toEqual(['not done, but not 0 in the rows', 'not done, but not 0 in the audit']);
  });

  it('1: answers that say nothing of the kind', async () => {
    const broken = withRecords((record) => ({ ...record, attempts: record.attempts.map((attempt) => ({ ...attempt, status: 500, verdict: 'broken', essence: null })) }));
    expect(namesOf(await checkAnswers(broken))).toEqual(['the outcome is still unknown', 'an answer is none of the three outcomes']);
  });

  it('2: another answer for the same key, two first ones, and a refusal after success', async () => {
    const altered = withRecords((record) => ({
      ...record,
      attempts: record.attempts.map((attempt, at) => ({ ...attempt, essence: attempt.essence && { ...attempt.essence, body: { at } } })),
    }));
    expect(namesOf(await checkRepetitions(altered))).toEqual(['two answers for one key']);
    const twice = withRecords((record) => ({ ...record, attempts: record.attempts.map((attempt) => ({ ...attempt, is_replay: false })) }));
    expect(namesOf(await checkRepetitions(twice))).toEqual(['two answers that are both the first']);
    const refused = withRecords((record) => {
      const [attempt] = record.attempts;
      if (attempt === undefined) return record;
      const later = { ...attempt, sent_at: Date.now(), verdict: 'refused' as const, essence: null };
      return { ...record, attempts: [...record.attempts, later] };
    });
    expect(namesOf(await checkRepetitions(refused))).toEqual(['refused after it was done']);
  });

  it('3: requests that are stuck, executed without a change, or changed without being executed', async () => {
    const stuck = `update admin_approvals set status = 'approved', closed_at = null, execution_due_at = now() + interval '1 day' where status = 'rejected'`;
    expect(await foundIn(checkApprovals, statement(stuck))).toEqual(['approved and neither executed nor ended']);
    expect(await foundIn(checkApprovals, statement('delete from admin_flag_history where approval_id is not null'))).toEqual(['executed, but not one change']);
    expect(await foundIn(checkApprovals, statement(unexecuted('rejected')))).toEqual([
      'a change of a request that was not executed',
      'executions do not fit the state',
    ]);
    expect(await foundIn(checkApprovals, statement("update admin_approvals set review_due_at = now() - interval '1 hour' where status = 'pending'"))).toEqual(['pending after its window']);
  });

  it('4: timers that are late, and that never come', async () => {
    const due = "due_at = now() - interval '5 minutes'";
    const forgotten = `update admin_focus_sessions set ${due}, ending = null, end_time = null, paused_at = null, completed = false,
      interrupted = false, actual_minutes = null where id = (select max(id) from admin_focus_sessions)`;
    expect(await foundIn(checkFocusTimers, statement(forgotten))).toEqual(['a timer that has not ended its session']);
    const late = async (tx: Kysely<CastellanSchema>) => {
      await sql.raw(`update admin_focus_sessions set ${due}, end_time = now() - interval '5 minutes', ending = 'timer'`).execute(tx);
      await sql`update audit_logs set event = 'focus_session.expire', recorded_at = now() where event = 'focus_session.complete'`.execute(tx);
    };
    expect(await foundIn(checkFocusTimers, late)).toEqual(['a timer is late']);
    // The same in a time in which nothing was up is nobody's fault.
    const away = (given: StormHistory) => checkFocusTimers({ ...given, looks: given.looks.map(({ at }) => ({ at, isUp: false })) });
    expect(await foundIn(away, late)).toEqual([]);
  });

  it('5: changes without an entry, and entries without a change', async () => {
    expect(await foundIn(checkAudit, (tx) => createContact(tx, { tenant_id: tenant() }))).toEqual(['a change without its entry']);
    expect(await foundIn(checkAudit, statement('delete from contacts'))).toEqual(['an entry without its change']);
    expect(await foundIn(checkAudit, (tx) => sql`delete from audit_logs where event = 'user.create'`.execute(tx))).toEqual(['entries are missing', 'a change without its entry']);
  });

  it('6: workflows without a row, rows without a workflow, and starts that were forgotten', async () => {
    expect(await foundIn(checkWorkflows, (tx) => createOnboardingLink(tx, { tenant_id: tenant(), created_by: world.tenants[0]?.admins[0]?.user_id ?? '' }))).toEqual(['a row without its workflow']);
    expect(await foundIn(checkWorkflows, statement('delete from onboarding_link'))).toEqual(['a workflow without its row']);
    const start = { tenant_id: tenant(), kind: 'queue-wake', input: sql<never>`'{}'::jsonb`, due_at: fromNow(60) };
    expect(await foundIn(checkWorkflows, (tx) => insertRow(tx, 'workflow_starts', start))).toEqual(['a workflow that was never started']);
  });

  it('7: rows that say something else than their workflow, and flags that are served otherwise', async () => {
    expect(await foundIn(checkResults, statement(unexecuted('rejected')))).toEqual(['a request and its result disagree']);
    expect(await foundIn(checkResults, statement("update admin_approvals set status = 'cancelled', closed_at = now() where status = 'pending'"))).toEqual([
      'a request and its workflow disagree',
      'a request has ended and its workflow runs',
    ]);
    expect(await foundIn(checkResults, statement('update admin_focus_sessions set completed = false, interrupted = true where completed'))).toEqual(['a session and its workflow disagree']);
    expect(await foundIn(checkResults, statement("update admin_deployments set status = 'running', ended_at = null where id = (select id from admin_deployments order by ended_at desc limit 1)"))).toEqual([
      'a rollout has not ended',
      'a deployment and its result disagree',
      'what is served is not what was rolled out last',
    ]);
    expect(await foundIn(checkResults, statement('update admin_queues set pause_id = null, pause_state = null, pause_reason = null, paused_by = null, paused_at = null, paused_until = null'))).toEqual(['a queue and its pause disagree']);
    expect(await foundIn(checkResults, statement('update admin_feature_flags set version = version + 1'))).toEqual(['a flag and its history disagree']);
    const flags = statement(`update admin_feature_flags set enabled = not enabled where tenant_id = '${tenant()}'`);
    expect(await foundIn(checkResults, flags)).toEqual(['a process serves another flag than there is']);
  });

  it('5 and 6: a chain that was rewritten and a workflow that was ended, which no transaction takes back', async () => {
    await history.db.transaction().execute(async (tx) => {
      await sql`set local session_replication_role = replica`.execute(tx);
      await sql`update audit_logs set entry = jsonb_set(entry::jsonb, '{event}', '"nothing"')::json where event = 'contact.create' and chain_id = ${tenant()}`.execute(tx);
    });
    expect(namesOf(await checkAudit(history))).toEqual(['a chain does not verify']);
    const pending = await history.db.selectFrom('admin_approvals').select('workflow_id').where('status', '=', 'pending').where('tenant_id', '=', tenant()).executeTakeFirstOrThrow();
    await history.temporal.workflow.getHandle(pending.workflow_id).terminate('to be found');
    expect(namesOf(await checkWorkflows(history))).toEqual(['a workflow has failed']);
  });
});

it('the faults of a storm follow from its seed', () => {
  const plan = (seed: string) => planFaults(new Random(seed).stream('faults'), 600_000);
  expect(plan('7')).toEqual(plan('7'));
  expect(plan('7')).not.toEqual(plan('8'));
  expect(new Set(plan('7').map(({ part, kind }) => `${part} ${kind}`)).size).toBeGreaterThan(12);
});
