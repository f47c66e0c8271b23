import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import type { EnvironmentName } from '../../../src/domain/shared/environment.ts';
import { configBatchWorkflowId, configRolloutWorkflowId, rolloutStageQuery } from '../../../src/workflows/config/config-rollout.contract.ts';
import { configSweepWorkflowType } from '../../../src/workflows/config/config-sweep.contract.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { configDriver, shopSchema } from '../../support/drivers/config.ts';
import type { ConfigDriver } from '../../support/drivers/config.ts';
import { startGuardServer } from '../../support/servers/guard-server.ts';
import type { GuardServer } from '../../support/servers/guard-server.ts';
import { eventually } from '../../support/eventually.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { recordedHistories } from '../../support/temporal/histories.ts';
import { startInVirtualTime } from '../../support/temporal/virtual-time.ts';
import type { VirtualTime } from '../../support/temporal/virtual-time.ts';

const password = 'correct-horse-battery';
const histories = recordedHistories('config-rollout');
const hour = 3_600;
const staged = { kind: 'custom', stages: [1, 10, 50, 100].map((percentage) => ({ percentage, bake_seconds: hour })) };

/** Hours of bake pass at once: the clock of the workflows is virtual, that of the database real. */
describe('rollouts in virtual time', () => {
  let time: TestWorkflowEnvironment;
  let guards: GuardServer;
  let app: TestApi;
  let stage: VirtualTime;
  let admin: SignedIn;
  let drive: ConfigDriver;
  let token: string;

  beforeAll(async () => {
    guards = await startGuardServer();
    stage = await startInVirtualTime({ OUTBOUND_ALLOW: guards.address });
    ({ time, app } = stage);
    admin = await app.signIn('role-super-admin');
    drive = configDriver(app, admin);
    for (const environment of ['development', 'staging'] as const) {
      const { id } = await drive.started({ environment, schema: shopSchema, document: { limit: 1, database: { host: 'db', password } } });
      await drive.settled(id, 'succeeded');
    }
    token = await drive.token('staging');
  });

  afterAll(async () => {
    await stage.close();
    await guards.close();
  });

  const prometheus = (more: object = {}) => ({
    name: 'errors',
    source: { kind: 'prometheus', url: guards.url, query: 'errors', samples_query: 'samples' },
    threshold: 5,
    min_samples: 10,
    ...more,
  });
  const webhook = () => ({ name: 'judge', source: { kind: 'webhook', url: `${guards.url}/verdict` } });
  const handleOf = (environment: EnvironmentName) =>
    time.client.workflow.getHandle(configRolloutWorkflowId(defaultTenantId, environment));
  const servedLimit = async (instance?: string) => (await drive.read(token, 'staging', instance)).body.document.limit as number;

  async function begin(limit: number, plan: object, environment: EnvironmentName = 'staging') {
    const deployment = await drive.started({ environment, document: { limit }, plan: { check_interval_seconds: 300, ...plan } });
    await drive.settled(deployment.id, 'running');
    return deployment;
  }

  /** Sends a command; on a busy machine it may time out. */
  async function tell(id: string, word: string): Promise<void> {
    const { step } = await stepOf(id);
    await eventually(
      async () => ({ answer: await drive.say(id, word, { reason: 'the test says so' }), step: (await stepOf(id)).step }),
      ({ answer, step: now }) => answer.status === 200 || now > step,
    );
  }

  /** Waits until the rollout has nothing to do before its next timer. */
  async function resting(): Promise<void> {
    await eventually(
      () => handleOf('staging').query(rolloutStageQuery),
      (seen) => seen !== null && (seen.status !== 'running' || seen.bake_until !== null),
    );
    await eventually(
      () => handleOf('staging').describe(),
      ({ raw }) => raw.pendingWorkflowTask == null && (raw.pendingActivities ?? []).length === 0,
    );
  }

  async function stepOf(id: string): Promise<{ step: number }> {
    const [row] = await asSuperuser<{ step: number }>(app, 'select step from admin_deployments where id = $1', [id]);
    return row ?? { step: 0 };
  }

  /** Lets virtual time pass until the deployment has a status. */
  async function passUntil(id: string, status: string) {
    for (let round = 0; round < 40; round += 1) {
      const deployment = await drive.deployment(id);
      if (deployment.status === status) return deployment;
      await time.sleep('30 minutes');
    }
    throw new Error(`It never came to ${status}.`);
  }

  /** Keeps the history of the run that has ended where none of that name is kept yet. */
  async function keep(name: string): Promise<void> {
    const handle = handleOf('staging');
    await eventually(
      () => handle.describe(),
      ({ status }) => status.name !== 'RUNNING',
    );
    await histories.record(name, await handle.fetchHistory());
  }

  it('serves 1, 10, 50 and 100 % for an hour each', async () => {
    const { id } = await begin(17, { strategy: staged });
    expect(await drive.deployment(id)).toMatchObject({ stage: 0, candidate_percentage: 1 });
    await time.sleep('59 minutes');
    expect((await drive.deployment(id)).stage).toBe(0);
    for (const [stage, share] of [[1, 10], [2, 50], [3, 100]] as const) {
      await time.sleep(stage === 1 ? '2 minutes' : '1 hour');
      const deployment = await eventually(() => drive.deployment(id), (seen) => seen.stage === stage);
      expect(deployment).toMatchObject({ status: 'running', candidate_percentage: share });
    }
    await time.sleep('1 hour');
    const ended = await drive.settled(id, 'succeeded');
    expect(ended.ledger.map(({ candidate_percentage }: { candidate_percentage: number }) => candidate_percentage)).toEqual([1, 10, 50, 100, 0]);
    expect(await eventually(() => servedLimit(), (limit) => limit === 17)).toBe(17);
    await keep('succeeded');
  });

  it('a guard that is bad for long enough gives everybody exactly the previous document', async () => {
    const before = await drive.read(token, 'staging', 'web-1');
    const { id } = await begin(18, { strategy: { kind: 'linear', step_percentage: 50, bake_seconds: hour }, guards: [prometheus({ for_seconds: 600 })] });
    Object.assign(guards.answers, { value: 9, samples: 100 });
    await time.sleep('6 minutes');
    expect((await drive.deployment(id)).status).toBe('running');
    const ended = await passUntil(id, 'restored');
    expect(ended.outcome.evidence.guards[0]).toMatchObject({ guard: 'errors', verdict: 'bad', value: 9, samples: 100 });
    expect(await drive.events(id)).toEqual(['started', 'restored']);
    const after = await eventually(
      () => drive.read(token, 'staging', 'web-1'),
      (answer) => answer.headers.get('etag') === before.headers.get('etag'),
    );
    expect(after.body).toEqual(before.body);
    const [told] = await eventually(
      () => asSuperuser<{ event: string }>(app, "select event from notification_deliveries where event = 'config.restored'"),
      (rows) => rows.length > 0,
    );
    expect(told?.event).toBe('config.restored');
    await keep('restored');
  });

  it('an unknown guard holds the rollout and notifies people, who alone can promote it', async () => {
    Object.assign(guards.answers, { value: null });
    const strategy = { kind: 'linear', step_percentage: 50, bake_seconds: 2 * hour };
    const { id } = await begin(19, { strategy, guards: [prometheus()], check_interval_seconds: hour });
    await passUntil(id, 'holding');
    // Ends between two measurements: the time-skipping server can hang on an update that meets a running workflow task.
    await time.sleep('10.25 hours');
    expect(await drive.deployment(id)).toMatchObject({ status: 'holding', stage: 0, candidate_percentage: 50 });
    expect(await handleOf('staging').query(rolloutStageQuery)).toMatchObject({ status: 'holding', guards: [{ verdict: 'unknown' }] });
    // A guard that is known again does not end the hold: it counts when the rollout is resumed.
    Object.assign(guards.answers, { value: 0 });
    await time.sleep('2 hours');
    expect((await drive.deployment(id)).status).toBe('holding');
    await resting();
    await tell(id, 'resume');
    await passUntil(id, 'succeeded');
    expect(await drive.events(id)).toEqual(['started', 'held', 'resumed', 'stage', 'succeeded']);
    await keep('held');
  });

  it('the verdict of a webhook counts, too few samples do not, and a bad verdict counts while the rollout holds', async () => {
    Object.assign(guards.answers, { value: 0, samples: 3, verdict: 'good' });
    const { id } = await begin(20, { strategy: { kind: 'all_at_once', bake_seconds: hour }, guards: [webhook(), prometheus()] });
    await passUntil(id, 'holding');
    expect(JSON.parse(guards.asked.at(-1) ?? '{}')).toEqual({ deployment_id: id, environment: 'staging' });
    guards.answers.verdict = 'bad';
    await passUntil(id, 'restored');
    expect(await servedLimit()).toBe(19);
    Object.assign(guards.answers, { samples: 100, verdict: 'good' });
  });

  it('a dry run goes through all stages, serves nobody, and records what it would have served', async () => {
    const { id } = await begin(21, { strategy: staged, dry_run: true, guards: [webhook()] });
    await passUntil(id, 'succeeded');
    const { ledger } = await drive.deployment(id);
    expect(ledger.every(({ candidate_version }: { candidate_version: number | null }) => candidate_version === null)).toBe(true);
    expect(ledger.map(({ evidence }: { evidence: { would_serve: number } }) => evidence.would_serve)).toEqual([1, 10, 50, 100, 100]);
    expect(await servedLimit()).toBe(19);
    expect((await drive.shown('staging')).running.document.limit).toBe(19);
  });

  it('parts that succeeded before one that did not are undone in reverse order', async () => {
    const answer = await drive.propose([
      { environment: 'development', document: { limit: 200 } },
      { environment: 'staging', document: { limit: 200 }, plan: { strategy: { kind: 'all_at_once', bake_seconds: 7200 }, guards: [webhook()], check_interval_seconds: 300 } },
    ]);
    const [first, second] = answer.body.deployments;
    await drive.settled(first.id, 'succeeded');
    await drive.settled(second.id, 'running');
    expect((await drive.shown('development')).running.document.limit).toBe(200);
    guards.answers.verdict = 'bad';
    await passUntil(second.id, 'restored');
    guards.answers.verdict = 'good';
    const undone = await eventually(
      () => drive.deployment(first.id),
      ({ outcome }) => outcome.undo !== undefined,
    );
    expect(undone.outcome.undo).toBe('undone');
    expect((await drive.shown('development')).running.document).toMatchObject({ limit: 1 });
    const batch = time.client.workflow.getHandle(configBatchWorkflowId(defaultTenantId, first.batch_id));
    await eventually(
      () => batch.describe(),
      ({ status }) => status.name === 'COMPLETED',
    );
    expect(await batch.result()).toEqual({
      parts: [
        { deployment_id: first.id, status: 'succeeded' },
        { deployment_id: second.id, status: 'restored' },
      ],
      undone: [{ deployment_id: first.id, result: 'undone' }],
    });
    expect(await drive.isIntact('development')).toBe(true);
  });

  it('parts that cannot be undone say why: a dry run, and what somebody has changed since', async () => {
    const failing = { strategy: { kind: 'all_at_once', bake_seconds: 7200 }, guards: [webhook()], check_interval_seconds: 300 };
    for (const [dry_run, undo, limit] of [[true, 'nothing_to_undo', 1], [false, 'changed_since', 211]] as const) {
      const answer = await drive.propose([
        { environment: 'development', document: { limit: 210 }, plan: { strategy: { kind: 'all_at_once', bake_seconds: 0 }, dry_run } },
        { environment: 'staging', document: { limit: 210 }, plan: failing },
      ]);
      const [first, second] = answer.body.deployments;
      await drive.settled(second.id, 'running');
      if (!dry_run) {
        const since = await drive.started({ environment: 'development', document: { limit } });
        await drive.settled(since.id, 'succeeded');
      }
      guards.answers.verdict = 'bad';
      await passUntil(second.id, 'restored');
      guards.answers.verdict = 'good';
      const parts = await eventually(
        () => app.call('GET', `/admin/deployments?batch_id=${first.batch_id}`, { token: admin.token }),
        ({ body }) => body.items.some(({ outcome }: { outcome: { undo?: string } }) => outcome.undo !== undefined),
      );
      const outcomeOf = (id: string) => parts.body.items.find((part: { id: string }) => part.id === id).outcome;
      expect(outcomeOf(first.id)).toMatchObject({ status: 'succeeded', undo });
      expect(outcomeOf(second.id)).toMatchObject({ status: 'restored' });
      expect((await drive.shown('development')).running.document.limit).toBe(limit);
    }
  });

  it('S2-58: keeps secrets out of the histories', async () => {
    const history = historyToJSON(await handleOf('staging').fetchHistory());
    const text = JSON.stringify(history, (_key, value: unknown) =>
      typeof value === 'string' ? `${value} ${Buffer.from(value, 'base64').toString()}` : value,
    );
    expect(text).not.toContain(password);
  });

  it('continues after its workers were unavailable, and in a new run after its workflow was terminated', async () => {
    const { id } = await begin(30, { strategy: staged });
    await stage.worker.stop();
    await stage.worker.start();
    const batchId = (await drive.deployment(id)).batch_id as string;
    await time.client.workflow.getHandle(configBatchWorkflowId(defaultTenantId, batchId)).terminate('an accident');
    // The real server ends children with their parent; the time-skipping one leaves them.
    await handleOf('staging').terminate('with its parent');
    expect((await drive.say(id, 'pause')).body.code).toBe('rollout.not-possible');
    const [before] = await asSuperuser<{ fence: number }>(app, 'select fence from admin_deployments where id = $1', [id]);
    await asSuperuser(app, "update admin_deployments set updated_at = now() - interval '1 hour' where id = $1", [id]);
    await time.client.workflow.execute(configSweepWorkflowType, { taskQueue: app.env.TEMPORAL_TASK_QUEUE, workflowId: 'sweep-1', args: [] });
    await eventually(
      () => asSuperuser<{ fence: number }>(app, 'select fence from admin_deployments where id = $1', [id]),
      ([row]) => (row?.fence ?? 0) > (before?.fence ?? 0),
    );
    const handle = handleOf('staging');
    await eventually(
      () => handle.describe(),
      ({ status }) => status.name === 'RUNNING',
    );
    await resting();
    await tell(id, 'promote');
    expect(await drive.deployment(id)).toMatchObject({ stage: 1, candidate_percentage: 10 });
    await handle.cancel();
    await drive.settled(id, 'aborted');
    expect(await drive.shown('staging')).toMatchObject({ candidate: null, running: { document: { limit: 19 } } });
    expect(await drive.isIntact('staging')).toBe(true);
    await keep('aborted');
  });
});
