import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { startWorker } from '../../../src/worker.ts';
import type { RunningWorker } from '../../../src/worker.ts';
import {
  configBatchWorkflowId,
  configRolloutChildOptions,
  configRolloutWorkflowId,
  configRolloutWorkflowType,
  rolloutStageQuery,
} from '../../../src/workflows/config/config-rollout.contract.ts';
import type { ConfigRolloutInput, RolloutView } from '../../../src/workflows/config/config-rollout.contract.ts';
import { startTestApi } from '../../support/api.ts';
import type { TestApi } from '../../support/api.ts';
import { configDriver } from '../../support/drivers/config.ts';
import type { ConfigDriver } from '../../support/drivers/config.ts';
import { startGuardServer } from '../../support/servers/guard-server.ts';
import type { GuardServer } from '../../support/servers/guard-server.ts';
import { recordedHistories } from '../../support/temporal/histories.ts';
import { startOwnTemporal } from '../../support/temporal/own-temporal.ts';
import type { OwnTemporal } from '../../support/temporal/own-temporal.ts';
import { eventually } from '../../support/eventually.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { workflowBundlePath } from '../../support/temporal/temporal.ts';

/** So few that a new run begins after each measurement of the guards and after each stage. */
const maxRunEvents = 10;
const workflowId = configRolloutWorkflowId(defaultTenantId, 'staging');
const histories = recordedHistories('config-rollout');

let temporal: OwnTemporal;
let guards: GuardServer;
let worker: RunningWorker;
let app: TestApi;
let drive: ConfigDriver;

beforeAll(async () => {
  temporal = await startOwnTemporal();
  guards = await startGuardServer();
  app = await startTestApi({
    TEMPORAL_ADDRESS: temporal.address,
    WORKFLOW_BUNDLE: workflowBundlePath(),
    OUTBOUND_ALLOW: guards.address,
  });
  worker = await startWorker(app.env, app.api.deps.log);
  drive = configDriver(app, await app.signIn('role-super-admin'));
  const { id } = await drive.started({ environment: 'staging', document: { limit: 1 } });
  await drive.settled(id, 'succeeded');
});

afterAll(async () => {
  await worker.close();
  await app.close();
  await guards.close();
  await temporal.stop();
});

/**
 * Begins a rollout over HTTP, then has its workflow taken over by one with short runs, as the sweep takes over a lost one.
 */
async function begin(limit: number, bakeSeconds: readonly number[], forSeconds: number): Promise<string> {
  const plan = {
    strategy: {
      kind: 'custom',
      stages: bakeSeconds.map((bake_seconds, index) => ({
        percentage: ((index + 1) * 100) / bakeSeconds.length,
        bake_seconds,
      })),
    },
    guards: [
      {
        name: 'errors',
        source: { kind: 'prometheus', url: guards.url, query: 'errors', samples_query: 'samples' },
        threshold: 5,
        for_seconds: forSeconds,
      },
    ],
  };
  const { id, batch_id } = await drive.started({ environment: 'staging', document: { limit }, plan });
  await drive.settled(id, 'running');
  const { client, taskQueue } = app.api.deps.temporal;
  await client.workflow.getHandle(configBatchWorkflowId(defaultTenantId, batch_id)).terminate('to be taken over');
  await eventually(
    () => client.workflow.getHandle(workflowId).describe(),
    ({ status }) => status.name !== 'RUNNING',
  );
  const [row] = await asSuperuser<{ plan: ConfigRolloutInput['plan'] }>(
    app,
    'select plan from admin_deployments where id = $1',
    [id],
  );
  if (row === undefined) throw new Error('no such deployment');
  const input: ConfigRolloutInput = {
    actor: { tenant_id: defaultTenantId, user_id: null, session_id: null, request_id: null },
    deployment_id: id,
    environment: 'staging',
    plan: { ...row.plan, check_interval_seconds: 0.2 },
    carry: null,
    max_run_events: maxRunEvents,
  };
  await client.workflow.start(configRolloutWorkflowType, { ...configRolloutChildOptions(input), taskQueue });
  return id;
}

const isBaking = (seen: RolloutView | null) => seen !== null && seen.bake_until !== null;
const latest = () => app.api.deps.temporal.client.workflow.getHandle(workflowId);
const stage = () => latest().query(rolloutStageQuery);
/** The fencing number grows by one with each run that begins. */
const fenceOf = async (id: string) => {
  const [row] = await asSuperuser<{ fence: number }>(app, 'select fence from admin_deployments where id = $1', [id]);
  return row?.fence ?? 0;
};

/** Waits until the rollout has been continued in a new run twice. */
async function runsOn(id: string): Promise<void> {
  const before = await fenceOf(id);
  await eventually(
    () => fenceOf(id),
    (fence) => fence >= before + 2,
    60_000,
  );
}

describe('a rollout whose history grows long', () => {
  it('is continued in a new run with the rest of its bake, and a stage reached meanwhile bakes in full', async () => {
    Object.assign(guards.answers, { value: 0, samples: 100 });
    const id = await begin(2, [600, 1, 600], 0);
    const first = await eventually(stage, isBaking);
    const { runId } = await latest().describe();
    await runsOn(id);
    expect(await eventually(stage, isBaking)).toMatchObject({ stage: 0, bake_until: first?.bake_until });

    expect((await drive.say(id, 'promote')).status).toBe(200);
    const second = await eventually(stage, (seen) => isBaking(seen) && seen?.stage === 2);
    expect(Date.parse(second?.bake_until ?? '') - Date.now()).toBeGreaterThan(300_000);
    await runsOn(id);
    expect(await eventually(stage, isBaking)).toMatchObject({ stage: 2, bake_until: second?.bake_until });

    expect((await drive.say(id, 'promote')).status).toBe(200);
    await drive.settled(id, 'succeeded', 60_000);
    expect(await drive.events(id)).toEqual(['started', 'stage', 'stage', 'succeeded']);
    expect(await drive.shown('staging')).toMatchObject({ candidate: null, running: { document: { limit: 2 } } });
    expect(await drive.isIntact('staging')).toBe(true);
    const continued = app.api.deps.temporal.client.workflow.getHandle(workflowId, runId);
    await histories.record('continued', await continued.fetchHistory());
    expect(await latest().result()).toEqual({ deployment_id: id, status: 'succeeded' });
    await histories.record('carried', await latest().fetchHistory());
  });

  it('counts a breach that lasts over several runs as one, also while it is paused', async () => {
    Object.assign(guards.answers, { value: 9, samples: 100 });
    const id = await begin(3, [600], 5);
    await eventually(stage, (seen) => seen !== null);
    expect((await drive.say(id, 'pause')).status).toBe(200);
    const before = await fenceOf(id);
    await drive.settled(id, 'restored', 60_000);
    expect(await fenceOf(id)).toBeGreaterThan(before);
    expect(await drive.events(id)).toEqual(['started', 'paused', 'restored']);
    expect(await drive.shown('staging')).toMatchObject({ candidate: null, running: { document: { limit: 2 } } });
  });

  it('carries out every command that arrives between two runs once', async () => {
    Object.assign(guards.answers, { value: 0, samples: 100 });
    const id = await begin(4, [600], 0);
    const before = await fenceOf(id);
    const said: string[] = [];
    while ((await fenceOf(id)) < before + 6 || said.length < 12) {
      for (const word of ['pause', 'resume']) {
        const { status, body } = await drive.say(id, word);
        expect({ word, status, body }).toMatchObject({ status: 200 });
        said.push(`${word}d`);
      }
    }
    expect(await drive.events(id)).toEqual(['started', ...said]);
    expect((await drive.say(id, 'abort')).status).toBe(200);
    await drive.settled(id, 'aborted');
    expect(await latest().result()).toEqual({ deployment_id: id, status: 'aborted' });
    expect(await drive.shown('staging')).toMatchObject({ candidate: null, running: { document: { limit: 2 } } });
    expect(await drive.isIntact('staging')).toBe(true);
  });
});
