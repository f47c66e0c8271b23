import { setTimeout as sleep } from 'node:timers/promises';
import { CompiledQuery } from 'kysely';
import { schedules } from '../../../src/workflows/shared/schedules.ts';
import { upBetween } from '../stack/uptime.ts';
import { tenantIds } from './history.ts';
import type { StormHistory } from './history.ts';
import { Findings } from './violation.ts';
import type { Finding } from './violation.ts';
import { forEachOf, listWorkflows, resultOf } from './workflow-list.ts';
import type { ListedWorkflow } from './workflow-list.ts';

/** A kind of workflow whose id names a row, `<prefix>/<company>/<id>`. */
interface Pairing {
  readonly prefix: string;
  /** Ids of the rows that have such a workflow for themselves, of the companies `$1`. */
  readonly rows: string;
  /** Ids of rows that may have one. */
  readonly others?: string;
  /** Result of one that rightly has no row: its command came to nothing. */
  readonly withoutRow?: readonly string[];
  /** The workflow writes the row itself, a moment after it was started. */
  readonly writesRow?: boolean;
}

/** Longer than a worker that is busy takes to write the row of a workflow. */
const writtenWithinMs = 60_000;

const pairings: readonly Pairing[] = [
  { prefix: 'approval', rows: 'select id::text from admin_approvals where tenant_id = any($1)', withoutRow: ['never-opened'] },
  {
    prefix: 'focus',
    rows: 'select command_id::text as id from admin_focus_sessions where tenant_id = any($1)',
    withoutRow: ['refused'],
  },
  { prefix: 'onboarding', rows: 'select id::text from onboarding_link where tenant_id = any($1)' },
  { prefix: 'notification', rows: 'select id::text from notification_deliveries where tenant_id = any($1)', writesRow: true },
  {
    prefix: 'assignment',
    rows: 'select id::text from assignment_batches where tenant_id = any($1)',
    // Of a campaign whose contacts wait; it comes and goes with them.
    others: "select 'queue-' || id as id from campaigns where tenant_id = any($1)",
  },
  { prefix: 'rollout-batch', rows: 'select distinct batch_id::text as id from admin_deployments where tenant_id = any($1)' },
];

/** A round of a Schedule gives up when what it needs is away; the next one follows. */
const rounds: readonly string[] = schedules.map(({ workflowType }) => workflowType);

const failures: readonly string[] = ['FAILED', 'TIMED_OUT', 'TERMINATED', 'CANCELLED'];

/** No workflow has failed, each that belongs to a row has it, and each row has its workflow. */
export async function checkWorkflows(history: StormHistory): Promise<Finding> {
  const found = new Findings(6);
  const workflows = await listWorkflows(history);
  found.figure('workflows', workflows.length);
  let failedRounds = 0;
  for (const { id, type, status, startedAt, endedAt } of workflows) {
    const isExcused = rounds.includes(type) && upBetween(history.looks, startedAt, endedAt) < endedAt - startedAt;
    if (failures.includes(status) && isExcused) failedRounds += 1;
    else found.expect(!failures.includes(status), 'a workflow has failed', () => `${id} (${type}) is ${status}`);
  }
  found.figure('rounds of Schedules that failed while parts were away', failedRounds);
  for (const pairing of pairings) {
    const own = workflows.filter(({ id }) => id.startsWith(`${pairing.prefix}/`));
    const ids = new Set(own.map(({ id }) => id.split('/')[2]));
    const inRows = await idsOf(history, pairing.rows);
    const others = pairing.others === undefined ? new Set() : await idsOf(history, pairing.others);
    found.figure(pairing.prefix, inRows.size);
    for (const id of inRows) found.expect(ids.has(id), 'a row without its workflow', () => `${pairing.prefix} ${id}`);
    await forEachOf(own, async (workflow) => {
      const id = workflow.id.split('/')[2] ?? '';
      if (inRows.has(id) || others.has(id)) return;
      if (pairing.writesRow === true && (await isWrittenSoon(history, pairing.rows, id))) return;
      const ending = await endingOf(history, workflow);
      found.expect(pairing.withoutRow?.includes(ending) === true, 'a workflow without its row', () => `${workflow.id} is ${workflow.status}, ${ending}`);
    });
  }
  const waiting = await history.db.selectFrom('workflow_starts').select(['kind', 'attempts', 'created_at']).execute();
  for (const start of waiting) found.expect(false, 'a workflow that was never started', () => JSON.stringify(start));
  await checkProgress(history, workflows, found);
  return found.finding;
}

async function idsOf(history: StormHistory, statement: string): Promise<Set<string>> {
  const { rows } = await history.db.executeQuery<{ id: string }>(CompiledQuery.raw(statement, [tenantIds(history)]));
  return new Set(rows.map(({ id }) => id));
}

async function isWrittenSoon(history: StormHistory, statement: string, id: string): Promise<boolean> {
  for (const until = Date.now() + writtenWithinMs; Date.now() < until; await sleep(500)) {
    if ((await idsOf(history, statement)).has(id)) return true;
  }
  return false;
}

/** The state that a workflow names as its end. */
async function endingOf({ temporal }: StormHistory, workflow: ListedWorkflow): Promise<string> {
  if (workflow.status !== 'COMPLETED') return workflow.status;
  const result = (await resultOf(temporal, workflow)) as { status?: string; state?: string } | null;
  return result?.status ?? result?.state ?? '';
}

const manyAttempts = 3;

/** A workflow whose task fails over and over stands still and fails nothing that is listed. */
async function checkProgress({ temporal }: StormHistory, workflows: readonly ListedWorkflow[], found: Findings): Promise<void> {
  const running = workflows.filter(({ status }) => status === 'RUNNING');
  found.figure('running', running.length);
  await forEachOf(running, async ({ id, runId }) => {
    const { raw } = await temporal.workflow.getHandle(id, runId).describe();
    const attempt = raw.pendingWorkflowTask?.attempt ?? 0;
    found.expect(attempt < manyAttempts, 'a workflow task fails again and again', () => `${id}, attempt ${attempt}`);
  });
}
