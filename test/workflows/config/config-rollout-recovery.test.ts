import type { ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { configRolloutWorkflowId } from '../../../src/workflows/config/config-rollout.contract.ts';
import { startTestApi } from '../../support/api.ts';
import type { TestApi } from '../../support/api.ts';
import { configDriver } from '../../support/drivers/config.ts';
import type { ConfigDriver } from '../../support/drivers/config.ts';
import { startOwnTemporal } from '../../support/temporal/own-temporal.ts';
import type { OwnTemporal } from '../../support/temporal/own-temporal.ts';
import { eventually } from '../../support/eventually.ts';
import { workflowBundlePath } from '../../support/temporal/temporal.ts';
import { killProcess, startWorkerProcess } from '../../support/temporal/worker-process.ts';
import { holdLocks, lockWaiters } from '../../support/row-locks.ts';

/** Real processes that are killed, not stopped, while a stage bakes and while a step is being recorded. */
let temporal: OwnTemporal;
let worker: ChildProcess;
let app: TestApi;
let drive: ConfigDriver;

beforeAll(async () => {
  temporal = await startOwnTemporal();
  app = await startTestApi({ TEMPORAL_ADDRESS: temporal.address, WORKFLOW_BUNDLE: workflowBundlePath() });
  worker = await startWorkerProcess(app.env);
  drive = configDriver(app, await app.signIn('role-super-admin'));
});

afterAll(async () => {
  await killProcess(worker);
  await app.close();
  await temporal.stop();
});

/** Locks the row of an environment, so that the next step of its rollout has begun and waits. */
const hold = (environment: string) =>
  holdLocks(app, 'select 1 from admin_environment_configs where environment = $1 for update', [environment]);

const two = (bake_seconds: number) => ({
  strategy: { kind: 'custom', stages: [{ percentage: 50, bake_seconds }, { percentage: 100, bake_seconds: 0 }] },
});

describe('recovery of rollouts', () => {
  it('after killed workers and servers during a stage, a killed worker during a step, and the loss of the workflow', async () => {
    const first = await drive.started({ environment: 'development', document: { limit: 1 } });
    const other = await drive.started({ environment: 'staging', document: { limit: 1 } });
    await drive.settled(first.id, 'succeeded');
    await drive.settled(other.id, 'succeeded');
    const token = await drive.token('development');

    // The stage of one rollout bakes, the next step of the other has begun and waits for a lock. The bakes are long enough
    // for a busy machine: the lock has to be held before the shorter one is over.
    const baking = await drive.started({ environment: 'development', document: { limit: 2 }, plan: two(25) });
    const writing = await drive.started({ environment: 'staging', document: { limit: 2 }, plan: two(6) });
    await drive.settled(baking.id, 'running');
    await drive.settled(writing.id, 'running');
    const held = await hold('staging');
    await eventually(() => lockWaiters(app), (count) => count > 0);
    await temporal.kill();
    await killProcess(worker);
    await held.release();

    // Applications are still served, from the database alone.
    expect(await drive.shown('development')).toMatchObject({ candidate_percentage: 50, candidate: { document: { limit: 2 } } });
    expect(await drive.shown('staging')).toMatchObject({ candidate_percentage: 50, running: { document: { limit: 1 } } });
    expect((await drive.read(token, 'development')).body.document).toEqual({ limit: 1 });
    const away = await drive.say(baking.id, 'pause');
    expect(away).toMatchObject({ status: 503, body: { code: 'service.unavailable' } });

    await temporal.restart();
    worker = await startWorkerProcess(app.env);
    for (const { id, environment } of [baking, writing]) {
      await drive.settled(id, 'succeeded', 90_000);
      expect(await drive.events(id)).toEqual(['started', 'stage', 'succeeded']);
      expect(await drive.shown(environment)).toMatchObject({ candidate: null, running: { document: { limit: 2 } } });
      expect(await drive.isIntact(environment)).toBe(true);
    }

    // An operator terminates the workflow of a rollout: its batch records the end, and everybody gets the version before.
    const lost = await drive.started({ environment: 'development', document: { limit: 3 }, plan: two(3_600) });
    await drive.settled(lost.id, 'running');
    const { client } = app.api.deps.temporal;
    await client.workflow.getHandle(configRolloutWorkflowId(defaultTenantId, 'development')).terminate('by mistake');
    const ended = await drive.settled(lost.id, 'aborted', 60_000);
    expect(ended.outcome.evidence.reason).toBe('its workflow has ended');
    expect(await drive.shown('development')).toMatchObject({ candidate: null, running: { document: { limit: 2 } } });
  });
});
