import { isDeepStrictEqual } from 'node:util';
import { stateQuery } from '../../../src/workflows/approval/approval.contract.ts';
import { remainingQuery } from '../../../src/workflows/tracker/focus-session.contract.ts';
import { pausePhaseQuery } from '../../../src/workflows/queue/queue-pause.contract.ts';
import { tenantIds } from './history.ts';
import type { StormHistory } from './history.ts';
import { Findings } from './violation.ts';
import type { Finding } from './violation.ts';
import { forEachOf, listWorkflows, resultOf } from './workflow-list.ts';
import type { ListedWorkflow } from './workflow-list.ts';

/** What a row says, what its workflow has answered, and what is served are the same. */
export async function checkResults(history: StormHistory): Promise<Finding> {
  const found = new Findings(7);
  const workflows = new Map((await listWorkflows(history)).map((workflow) => [workflow.id, workflow]));
  await checkApprovalRows(history, workflows, found);
  await checkFocusRows(history, workflows, found);
  await checkConfigRows(history, workflows, found);
  await checkQueueRows(history, workflows, found);
  await checkFlagRows(history, found);
  return found.finding;
}

type Workflows = ReadonlyMap<string, ListedWorkflow>;

async function checkApprovalRows(history: StormHistory, workflows: Workflows, found: Findings): Promise<void> {
  const { db, temporal } = history;
  const rows = await db.selectFrom('admin_approvals').where('tenant_id', 'in', tenantIds(history)).select(['id', 'status', 'revision', 'workflow_id']).execute();
  found.figure('requests', rows.length);
  await forEachOf(rows, async ({ id, status, revision, workflow_id }) => {
    const workflow = workflows.get(workflow_id);
    if (workflow === undefined) return; // a row without its workflow is counted there
    if (workflow.status === 'RUNNING') {
      const state = await temporal.workflow.getHandle(workflow_id).query(stateQuery);
      found.expect(state.status === status && state.revision === revision, 'a request and its workflow disagree', () => {
        return `${id} is ${status} in its row and ${state.status} in its workflow`;
      });
      found.expect(status === 'pending', 'a request has ended and its workflow runs', () => `${id} is ${status}`);
    } else if (workflow.status === 'COMPLETED') {
      const result = await resultOf(temporal, workflow);
      found.expect(isDeepStrictEqual(result, { approval_id: id, status }), 'a request and its result disagree', () => {
        return `${id} is ${status}, its workflow has answered ${JSON.stringify(result)}`;
      });
    }
  });
}

async function checkFocusRows(history: StormHistory, workflows: Workflows, found: Findings): Promise<void> {
  const { db, temporal } = history;
  const sessions = await db
    .selectFrom('admin_focus_sessions')
    .where('tenant_id', 'in', tenantIds(history))
    .select(['id', 'tenant_id', 'command_id', 'completed', 'interrupted', 'paused_at'])
    .execute();
  found.figure('focus sessions', sessions.length);
  await forEachOf(sessions, async ({ id, tenant_id, command_id, completed, interrupted, paused_at }) => {
    const workflow = workflows.get(`focus/${tenant_id}/${command_id}`);
    if (workflow === undefined) return;
    const inRow = completed ? 'completed' : interrupted ? 'interrupted' : paused_at === null ? 'running' : 'paused';
    const isRunning = workflow.status === 'RUNNING';
    const ended = isRunning ? undefined : ((await resultOf(temporal, workflow)) as { state: string; session_id: number });
    const state = ended?.state ?? (await temporal.workflow.getHandle(workflow.id).query(remainingQuery)).state;
    found.expect(state === inRow, 'a session and its workflow disagree', () => `session ${id} is ${inRow} in its row and ${state} in its workflow`);
    found.expect(ended === undefined || ended.session_id === id, 'a workflow has ended another session', () => `session ${id}, result ${JSON.stringify(ended)}`);
  });
}

const closed: readonly string[] = ['succeeded', 'restored', 'aborted'];

async function checkConfigRows(history: StormHistory, workflows: Workflows, found: Findings): Promise<void> {
  const { db, temporal } = history;
  const deployments = await db
    .selectFrom('admin_deployments')
    .where('tenant_id', 'in', tenantIds(history))
    .select(['id', 'tenant_id', 'batch_id', 'environment', 'status', 'config_version', 'ended_at'])
    .orderBy('ended_at')
    .execute();
  found.figure('deployments', deployments.length);
  const newest = new Map<string, number>();
  for (const { id, tenant_id, batch_id, environment, status, config_version } of deployments) {
    found.expect(closed.includes(status), 'a rollout has not ended', () => `deployment ${id} is ${status}`);
    if (status === 'succeeded') newest.set(`${tenant_id}/${environment}`, config_version);
    const workflow = workflows.get(`rollout-batch/${tenant_id}/${batch_id}`);
    if (workflow?.status !== 'COMPLETED') continue;
    const result = (await resultOf(temporal, workflow)) as { parts: { deployment_id: string; status: string }[] };
    const part = result.parts.find(({ deployment_id }) => deployment_id === id);
    found.expect(part?.status === status, 'a deployment and its result disagree', () => `deployment ${id} is ${status}, its workflow has answered ${JSON.stringify(result)}`);
  }
  const environments = await db
    .selectFrom('admin_environment_configs')
    .where('tenant_id', 'in', tenantIds(history))
    .select(['tenant_id', 'environment', 'stable_version', 'candidate_version'])
    .execute();
  for (const { tenant_id, environment, stable_version, candidate_version } of environments) {
    const expected = newest.get(`${tenant_id}/${environment}`) ?? null;
    found.expect(stable_version === expected && candidate_version === null, 'what is served is not what was rolled out last', () => {
      return `${environment} of ${tenant_id} serves ${stable_version}, candidate ${candidate_version}, rolled out last was ${expected}`;
    });
  }
}

async function checkQueueRows(history: StormHistory, workflows: Workflows, found: Findings): Promise<void> {
  const { db, temporal } = history;
  const queues = await db.selectFrom('admin_queues').where('tenant_id', 'in', tenantIds(history)).select(['id', 'tenant_id', 'pause_state']).execute();
  found.figure('queues', queues.length);
  for (const { id, tenant_id, pause_state } of queues) {
    const workflow = workflows.get(`queue-pause/${tenant_id}/${id}`);
    const phase = workflow?.status === 'RUNNING' ? await temporal.workflow.getHandle(workflow.id).query(pausePhaseQuery) : null;
    found.expect((pause_state === 'paused') === (phase === 'paused'), 'a queue and its pause disagree', () => `queue ${id} is ${pause_state ?? 'not paused'} in its row, the phase of its workflow is ${phase}`);
  }
}

/** The newest version of its history is the flag, and both processes serve it. */
async function checkFlagRows(history: StormHistory, found: Findings): Promise<void> {
  const { db, target, tenants, readFlags } = history;
  const flags = await db
    .selectFrom('admin_feature_flags as f')
    .where('f.tenant_id', 'in', tenantIds(history))
    .select((eb) => [
      'f.tenant_id',
      'f.key',
      'f.environment',
      'f.enabled',
      'f.version',
      eb.selectFrom('admin_flag_history as h').whereRef('h.flag_id', '=', 'f.id').select(({ fn }) => fn.max('h.version').as('n')).as('newest'),
      eb.selectFrom('admin_flag_history as h').whereRef('h.flag_id', '=', 'f.id').select(({ fn }) => fn.countAll<number>().as('n')).as('versions'),
    ])
    .execute();
  found.figure('flags', flags.length);
  for (const { key, version, newest, versions } of flags) {
    found.expect(Number(newest) === version && Number(versions) === version, 'a flag and its history disagree', () => {
      return `flag ${key} has version ${version}, its history ${versions} versions up to ${newest}`;
    });
  }
  for (const tenant of tenants) {
    for (const environment of ['development', 'production'] as const) {
      for (const url of target.urls) {
        const served = await readFlags(tenant, url, environment);
        for (const flag of flags.filter((one) => one.tenant_id === tenant.id && one.environment === environment)) {
          found.expect(served.get(flag.key) === flag.enabled, 'a process serves another flag than there is', () => {
            return `flag ${flag.key} of ${environment} is ${flag.enabled}, ${url} serves ${String(served.get(flag.key))}`;
          });
        }
      }
    }
  }
}
