import { jsonb } from '../../../src/platform/database/jsonb.ts';
import { integrationDriver, restConfig } from '../../support/drivers/integration.ts';
import { eventually } from '../../support/eventually.ts';
import { fromNow, hour, uniqueName } from '../../support/factories/defaults.ts';
import { createAlertSilence } from '../../support/factories/health.ts';
import { createIntegration } from '../../support/factories/integration.ts';
import { createNotificationChannel, createNotificationDelivery } from '../../support/factories/notification.ts';
import { createQueue } from '../../support/factories/queue.ts';
import { insertRow } from '../../support/factories/row-insertion.ts';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { failJobs } from '../../support/servers/bullmq.ts';
import { byWorkflow, ifMatch, inTransaction } from './command-line.ts';
import type { Command, CommandLine, Example } from './command-line.ts';
import type { CommandStage } from './stage.ts';

const source = { kind: 'webhook_source', id_pointer: '/id' };

/** An operation on a job, which the API does in the engine by itself. */
function jobLine(operationId: string, verb: string, jobOf: (made: Awaited<ReturnType<CommandStage['queue']>>) => Promise<string>): Command {
  const prepare = async (stage: CommandStage): Promise<Example> => {
    const made = await stage.queue();
    return { path: `/admin/queues/${made.name}/jobs/${await jobOf(made)}/${verb}`, body: { reason: 'fixed' } };
  };
  return byWorkflow(operationId, prepare, { needsWorker: false });
}

/** An integration with a service whose paths begin with one letter, by which its trouble is chosen. */
function connected(stage: CommandStage, letter: string) {
  const config = restConfig(stage.service, {
    records_path: `/${letter}/records`,
    key_management: { path: `/${letter}/keys`, secret_pointer: '/key' },
  });
  return integrationDriver(stage.app, stage.admin).connected(stage.service, config);
}

/** A rotation that waits because its service makes no key. */
async function rotationOf(stage: CommandStage): Promise<{ id: string; path: string }> {
  const { id } = await connected(stage, 'w');
  stage.service.trouble(/^POST \/w\/keys/, ...Array.from({ length: 100 }, () => 503));
  const { body } = await stage.done(stage.admin, 'POST', `/admin/integrations/${id}/rotate-key`, { body: { environment: 'staging' } });
  const path = `/admin/integrations/${id}/rotations/${body.id}`;
  await eventually(
    () => stage.app.call('GET', path, { token: stage.admin.token }),
    (answer) => answer.body.attempt_error_code !== null,
  );
  return { id, path };
}

async function webhookChannel(stage: CommandStage): Promise<string> {
  const body = { kind: 'webhook', name: uniqueName('hook'), url: `${stage.service.url}/hook`, events: ['approval.opened'] };
  return (await stage.done(stage.admin, 'POST', '/admin/notifications/channels', { body })).body.id;
}

const channels = '/admin/notifications/channels';

/** Takes only what no line brings about, so that other lines send nothing to it. */
const quiet = { events: ['integration.sync-failed'] };

export const notificationLines: readonly CommandLine[] = [
  inTransaction('createNotificationChannel', async (stage) => {
    const body = { kind: 'webhook', name: uniqueName('hook'), url: `${stage.service.url}/hook`, events: ['approval.opened'] };
    return { path: channels, body, other: { body: { ...body, name: uniqueName('hook') } } };
  }),
  inTransaction('updateNotificationChannel', async ({ db }) => {
    const { id } = await createNotificationChannel(db, quiet);
    return { path: `${channels}/${id}`, body: { name: uniqueName('renamed') }, headers: ifMatch(1) };
  }),
  inTransaction('deleteNotificationChannel', async ({ db }) => ({ path: `${channels}/${(await createNotificationChannel(db, quiet)).id}` })),
  inTransaction('rotateNotificationSecret', async (stage) => {
    const path = `${channels}/${await webhookChannel(stage)}/rotate-secret`;
    return { path, body: { grace_hours: 1 }, other: { body: { grace_hours: 2 } } };
  }),
  byWorkflow('testNotificationChannel', async ({ db }) => {
    const { id } = await createNotificationChannel(db, quiet);
    const made = db.selectFrom('notification_deliveries').select('id').where('channel_id', '=', id).where('event', '=', 'notification.test');
    return { path: `${channels}/${id}/test`, effects: async () => (await made.execute()).length };
  }),
  byWorkflow('redeliverNotification', async ({ db }) => {
    const channel = await createNotificationChannel(db, quiet);
    const ended = { status: 'failed', last_error: 'refused', attempts: 1 } as const;
    const { id } = await createNotificationDelivery(db, { channel_id: channel.id, ...ended });
    const delivery = db.selectFrom('notification_deliveries').select('attempts').where('id', '=', id);
    const effects = async () => (await delivery.executeTakeFirstOrThrow()).attempts - ended.attempts;
    return { path: `/admin/notifications/deliveries/${id}/redeliver`, effects };
  }),
];

export const queueLines: readonly CommandLine[] = [
  inTransaction('registerQueue', async () => {
    const name = uniqueName('queue');
    const body = { name, provider: 'bullmq', source_name: name, environment: 'staging', description: 'mails' };
    return { path: '/admin/queues', body, other: { body: { ...body, description: 'letters' } } };
  }),
  inTransaction('unregisterQueue', async ({ db }) => ({ path: `/admin/queues/${(await createQueue(db)).name}` })),
  jobLine('retryFailedJob', 'retry', async ({ company, queue }) => (await failJobs(company, queue, ['boom']))[0] ?? ''),
  jobLine('promoteQueueJob', 'promote', async ({ queue }) => (await queue.add('later', {}, { delay: 3_600_000 })).id ?? ''),
  jobLine('removeQueueJob', 'remove', async ({ queue }) => (await queue.add('waiting', {})).id ?? ''),
  byWorkflow('pauseQueue', async (stage) => {
    const { name } = await stage.queue();
    return { path: `/admin/queues/${name}/pause`, body: { reason: 'a release', paused_until: fromNow(hour) } };
  }),
  byWorkflow('resumeQueue', async (stage) => {
    const { name } = await stage.queue();
    const body = { reason: 'a release', paused_until: fromNow(hour) };
    await stage.done(stage.admin, 'POST', `/admin/queues/${name}/pause`, { body });
    return { path: `/admin/queues/${name}/resume`, body: { reason: 'released' } };
  }),
  inTransaction('cleanQueue', async (stage) => {
    const { name } = await stage.queue();
    const body = { environment: 'staging', state: 'failed', older_than_seconds: 0, reason: 'too many' };
    return { path: `/admin/queues/${name}/clean`, body };
  }),
  byWorkflow(
    'startBulkRetry',
    async (stage) => {
      const { name, queue, company } = await stage.queue();
      await failJobs(company, queue, ['boom']);
      return { path: `/admin/queues/${name}/bulk-retries`, body: { reason: 'fixed' } };
    },
    { live: ['progress', 'state', 'finished_at'] },
  ),
  inTransaction('cancelBulkRetry', async ({ db }) => {
    const { id, name } = await createQueue(db);
    const plan = { error_classes: [], cap: 10, per_second: 1, max_new_failure_ratio: 1, min_samples: 1 };
    const event = await insertRow(db, 'admin_queue_events', {
      tenant_id: defaultTenantId,
      queue_id: id,
      kind: 'bulk_retry',
      state: 'running',
      details: jsonb(plan),
    });
    return { path: `/admin/queues/${name}/bulk-retries/${event.id}/cancel` };
  }),
];

export const integrationLines: readonly CommandLine[] = [
  inTransaction('createIntegration', async () => {
    return { path: '/admin/integrations', body: { name: uniqueName('integration'), environment: 'staging', config: source } };
  }),
  inTransaction('updateIntegration', async ({ db }) => {
    const { id } = await createIntegration(db);
    return { path: `/admin/integrations/${id}`, body: { name: uniqueName('renamed') }, headers: ifMatch(1) };
  }),
  inTransaction('updateIntegrationConfig', async ({ db }) => {
    const { id } = await createIntegration(db);
    const body = (id_pointer: string) => ({ config: { ...source, id_pointer } });
    return { path: `/admin/integrations/${id}/config`, body: body('/key'), headers: ifMatch(1), other: { body: body('/number') } };
  }),
  inTransaction('deleteIntegration', async ({ db }) => {
    return { path: `/admin/integrations/${(await createIntegration(db)).id}`, headers: ifMatch(1) };
  }),
  inTransaction('releaseIntegration', async ({ db }) => {
    const strikes = { strikes: 2, last_strike_at: fromNow(-hour), last_strike_reason: 'deadline', quarantined_at: fromNow(-hour) } as const;
    return { path: `/admin/integrations/${(await createIntegration(db, strikes)).id}/release` };
  }),
  { operationId: 'revealIntegrationSecret', kind: 'none', reason: 'a read by POST of a secret, which must not be kept' },
  { operationId: 'findIntegrationSecret', kind: 'none', reason: 'a read by POST of a secret, which must not be kept' },
  byWorkflow('triggerManualSync', async (stage) => ({ path: `/admin/integrations/${(await connected(stage, 'r')).id}/sync` }), {
    live: ['status', 'page_count', 'ended_at'],
  }),
  byWorkflow('cancelSyncJob', async (stage) => {
    const { id } = await connected(stage, 'v');
    stage.service.trouble(/^GET \/v\/records/, ...Array.from({ length: 100 }, () => 503));
    const { body } = await stage.done(stage.admin, 'POST', `/admin/integrations/${id}/sync`);
    return { path: `/admin/integrations/${id}/sync-jobs/${body.id}/cancel` };
  }),
  inTransaction('rotateAPIKey', async (stage) => {
    const { id } = await connected(stage, 'r');
    return { path: `/admin/integrations/${id}/rotate-key`, body: { environment: 'staging', reason: 'yearly' } };
  }),
  byWorkflow(
    'abortKeyRotation',
    async (stage) => {
      const { id, path } = await rotationOf(stage);
      const entries = stage.db.selectFrom('audit_logs').select('id').where('resource_id', '=', id);
      const given = entries.where('event', '=', 'integration.rotation-discarding');
      return { path: `${path}/abort`, effects: async () => (await given.execute()).length };
    },
    { live: ['attempt_error_code', 'attempt_error_detail', 'next_attempt_at', 'revoke_attempts', 'updated_at', 'status', 'ended_at'] },
  ),
  inTransaction('retryKeyRotation', async (stage) => ({ path: `${(await rotationOf(stage)).path}/retry` })),
  { operationId: 'receiveIntegrationMessage', kind: 'none', reason: 'public: a message has an id of its own, by which it is taken once' },
];

export const healthLines: readonly CommandLine[] = [
  inTransaction('configureSystemAlerts', async (stage) => {
    const { person } = await stage.tenant();
    const body = (name: string) => ({ thresholds: [{ name, metric: 'api.up', comparator: 'lt', threshold: 1 }] });
    return { person, path: '/admin/system-health/alerts', body: body('API'), headers: ifMatch(0), other: { body: body('Web') } };
  }),
  inTransaction('updateAlertSilence', async ({ db, admin }) => {
    const { id } = await createAlertSilence(db, { owner_id: admin.user_id });
    return { path: `/admin/alert-silences/${id}`, body: { reason: 'a longer release' }, headers: ifMatch(1) };
  }),
  inTransaction('deleteAlertSilence', async ({ db, admin }) => {
    return { path: `/admin/alert-silences/${(await createAlertSilence(db, { owner_id: admin.user_id })).id}` };
  }),
];
