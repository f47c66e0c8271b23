/* eslint-disable jest/no-export -- cases of one test file, which runs them on one stack */
import { describe, expect, it } from '@jest/globals';
import { configDriver } from '../../support/drivers/config.ts';
import { integrationDriver } from '../../support/drivers/integration.ts';
import { callProven } from '../../support/second-factor.ts';
import { failJobs } from '../../support/servers/bullmq.ts';
import { nobody, proven, refusalOf, stage } from './stage.ts';

/** Dashboard, integrations, queues, health and configuration (S2-2, S2-17..28, S2-32..38). */
export function operationCases(): void {
  describe('dashboard and health in the typed client (S2-2, S2-32..34)', () => {
    it('S2-2, S2-32, S2-33: getAdminDashboard, getSystemHealth and getSystemMetricsHistory read', async () => {
      const { adminApi } = stage.admin.client;
      expect((await adminApi.getAdminDashboard()).sections.audit.state).toBe('ok');
      expect((await adminApi.getSystemHealth()).components.length).toBeGreaterThan(0);
      expect(await adminApi.getSystemMetricsHistory({ metric: 'database.latency_ms' })).toMatchObject({ unit: 'ms' });
      const { adminApi: agentApi } = stage.agent.client;
      expect(await refusalOf(agentApi.getAdminDashboard())).toBe('auth.forbidden');
      expect(await refusalOf(agentApi.getSystemHealth())).toBe('auth.forbidden');
      expect(await refusalOf(agentApi.getSystemMetricsHistory({ metric: 'api.up' }))).toBe('auth.forbidden');
    });

    it('S2-34: configureSystemAlerts replaces the version that was read', async () => {
      const thresholds = [{ name: 'API', metric: 'api.up' as const, comparator: 'lt' as const, threshold: 1 }];
      const configure = () =>
        proven(stage.admin, (proof) =>
          stage.admin.client.adminApi.configureSystemAlerts({ thresholds }, { ...proof, version: 0 }),
        );
      expect(await configure()).toMatchObject({ version: 1, thresholds: [{ name: 'API' }] });
      expect(await refusalOf(configure())).toBe('resource.version-mismatch');
    });
  });

  describe('integrations in the typed client (S2-17..22)', () => {
    const connected = () => integrationDriver(stage.app, stage.admin.person).connected(stage.service);

    it('S2-17, S2-18, S2-20: getIntegrations, getIntegrationDetails and updateIntegrationConfig', async () => {
      const { adminApi } = stage.admin.client;
      const { id, version, secret } = await connected();
      expect((await adminApi.getIntegrations({ kind: 'rest_api_key' })).items.map((one) => one.id)).toContain(id);
      expect(await adminApi.getIntegrationDetails(id)).toMatchObject({ id, secret: expect.not.stringContaining(secret) });
      const config = {
        kind: 'rest_api_key' as const,
        base_url: stage.service.url,
        auth_header: 'X-Api-Key',
        probe_path: '/me',
        records_path: '/other',
      };
      const update = () =>
        proven(stage.admin, (proof) => adminApi.updateIntegrationConfig(id, { config }, { ...proof, version }));
      expect(await update()).toMatchObject({ kind: 'done', result: { id, version: version + 1 } });
      expect(await refusalOf(update())).toBe('resource.version-mismatch');
      expect(await refusalOf(adminApi.getIntegrationDetails(nobody))).toBe('resource.not-found');
      expect(await refusalOf(stage.agent.client.adminApi.getIntegrations())).toBe('auth.forbidden');
    });

    it('S2-19, S2-21, S2-22: triggerManualSync, getSyncJobHistory and rotateAPIKey', async () => {
      const { adminApi } = stage.admin.client;
      const { id } = await connected();
      const job = await adminApi.triggerManualSync(id);
      expect((await adminApi.getSyncJobHistory(id)).items.map((one) => one.id)).toEqual([job.id]);
      const rotate = (environment: 'staging' | 'production') =>
        proven(stage.admin, (proof) => adminApi.rotateAPIKey(id, { environment, grace_seconds: 0 }, proof));
      expect(await refusalOf(rotate('production'))).toBe('request.invalid');
      expect(await rotate('staging')).toMatchObject({ kind: 'done' });
      expect(await refusalOf(adminApi.triggerManualSync(nobody))).toBe('resource.not-found');
      expect(await refusalOf(stage.agent.client.adminApi.getSyncJobHistory(id))).toBe('auth.forbidden');
    });
  });

  describe('queues in the typed client (S2-23..28)', () => {
    it('S2-23..26: getQueues, getQueueDetails, getQueueJobs and retryFailedJob', async () => {
      const { adminApi } = stage.admin.client;
      const queue = stage.company.queue('contract');
      await queue.waitUntilReady();
      const body = { name: 'contract', provider: 'bullmq', source_name: 'contract', environment: 'staging' };
      expect((await callProven(stage.app, stage.admin.person, 'POST', '/admin/queues', { body })).status).toBe(201);
      const [failed = ''] = await failJobs(stage.company, queue, ['boom']);
      expect((await adminApi.getQueues()).items.map(({ name }) => name)).toContain('contract');
      expect((await adminApi.getQueueDetails('contract')).live.counts).toMatchObject({ failed: 1 });
      expect((await adminApi.getQueueJobs('contract', { state: 'failed' })).items).toMatchObject([{ job_id: failed }]);
      const retry = (id: string) => proven(stage.admin, (proof) => adminApi.retryFailedJob('contract', id, {}, proof));
      expect(await retry(failed)).toMatchObject({ job_id: failed });
      expect(await refusalOf(retry('987654'))).toBe('resource.not-found');
      expect(await refusalOf(adminApi.getQueueDetails('nothing'))).toBe('resource.not-found');
      expect(await refusalOf(adminApi.getQueueJobs('nothing'))).toBe('resource.not-found');
      expect(await refusalOf(stage.agent.client.adminApi.getQueues())).toBe('auth.forbidden');
    });

    it('S2-27, S2-28: pauseQueue stops a queue, resumeQueue lets it go on', async () => {
      const { adminApi } = stage.admin.client;
      const until = new Date(Date.now() + 3_600_000).toISOString();
      const pause = (paused_until: string) =>
        proven(stage.admin, (proof) => adminApi.pauseQueue('contract', { reason: 'a release', paused_until }, proof));
      await pause(until);
      expect((await adminApi.getQueueDetails('contract')).live.is_paused).toBe(true);
      await proven(stage.admin, (proof) => adminApi.resumeQueue('contract', {}, proof));
      expect((await adminApi.getQueueDetails('contract')).live.is_paused).toBe(false);
      expect(await refusalOf(pause('2020-01-01T00:00:00.000Z'))).toBe('request.invalid');
      expect(await refusalOf(stage.agent.client.adminApi.resumeQueue('contract'))).toBe('auth.forbidden');
    });
  });

  describe('configuration in the typed client (S2-35..38)', () => {
    it('getEnvironmentConfig, proposeConfigChange, getDeploymentHistory and rollbackConfig', async () => {
      const { adminApi } = stage.admin.client;
      const first = await deployed({ limit: 1 });
      await deployed({ limit: 2 });
      const { items } = await adminApi.getDeploymentHistory({ environment: 'development' });
      expect(items.map(({ id }) => id)).toContain(first);
      const rollBack = (id: string) => proven(stage.admin, (proof) => adminApi.rollbackConfig(id, { reason: 'back' }, proof));
      expect(await rollBack(first)).toMatchObject({ kind: 'done', result: { kind: 'rollback' } });
      expect(await refusalOf(rollBack(nobody))).toBe('resource.not-found');
      const { adminApi: agentApi } = stage.agent.client;
      expect(await refusalOf(agentApi.getEnvironmentConfig())).toBe('auth.forbidden');
      expect(await refusalOf(agentApi.getDeploymentHistory())).toBe('auth.forbidden');
      expect(await refusalOf(agentApi.proposeConfigChange({ changes: [], reason: 'x' }))).toBe('auth.forbidden');
    });

    /** Proposes a document in development and waits until it runs. @returns the deployment */
    async function deployed(document: Record<string, number>): Promise<string> {
      const { adminApi } = stage.admin.client;
      const running = (await adminApi.getEnvironmentConfig({ environment: 'development' })).items[0]?.running;
      const change = {
        environment: 'development' as const,
        base_version: running?.version ?? null,
        document,
        schema: { type: 'object' },
      };
      const outcome = await proven(stage.admin, (proof) =>
        adminApi.proposeConfigChange({ changes: [change], reason: 'contract' }, proof),
      );
      if (outcome.kind !== 'done') throw new Error('It waits for an approval.');
      const id = outcome.result.deployments[0]?.id ?? '';
      await configDriver(stage.app, stage.admin.person).settled(id, 'succeeded');
      return id;
    }
  });
}
