import { Context } from '@temporalio/activity';
import { commandUnitOfWork } from '../../services/commands/command.repository.ts';
import {
  auditSyncCancel,
  endSyncJob,
  openSyncJob,
  syncPosition,
  writeSyncPage,
} from '../../services/integration/integration-sync.repository.ts';
import { processMissingRecords } from '../../services/integration/missing-records.service.ts';
import { integrationSecretPlace } from '../../services/integration/integration.repository.ts';
import { actorInWorkflow } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import type { SyncFault } from '../../domain/integration/integration-sync.ts';
import { asActivity } from '../../platform/temporal/application-failure.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import { integrationSyncWorkflowId } from '../../workflows/integration/integration-sync.contract.ts';
import type { IntegrationSyncActivities, SyncRef } from '../../workflows/integration/integration-sync.contract.ts';
import type { ActivityDeps } from '../deps.ts';
import { withHeartbeat } from './heartbeat.ts';
import { connectRemote } from './remote-connection.ts';
import { RemoteError, withRemoteFaults } from './remote-source.ts';
import { createNotify } from '../../services/notification/notification-delivery.client.ts';
import type { Notify } from '../../services/notification/notification-delivery.client.ts';

type Deps = Pick<ActivityDeps, 'db' | 'env' | 'keyring' | 'outbound' | 'temporal'>;

/** One call works for about this long, so that the history shows progress and a cancellation takes effect. */
const callMs = 60_000;

/** The activities of `integrationSyncWorkflow`. */
export function createIntegrationSyncActivities(deps: Deps): IntegrationSyncActivities {
  const notify = createNotify(deps);
  return {
    openSync: (input) =>
      asActivity(() => commandUnitOfWork(deps, actingFor(input), input.command_id, (tx) => openSyncJob(tx, input))),
    acceptSyncCancel: (input) =>
      asActivity(() => commandUnitOfWork(deps, actingFor(input), input.command_id, async (tx) => auditSyncCancel(tx, input))),
    pullRecords: (ref) => asActivity(() => withHeartbeat(() => withRemoteFaults(() => pull(deps, ref)))),
    endSync: ({ end, ...ref }) =>
      asActivity(() => unitOfWork(deps.db, actingFor(ref), (tx) => endSyncJob(tx, ref.job_id, end))),
    announceSyncFailure: (failure) => asActivity(() => notifyFailure(deps, notify, failure)),
  };
}

function actingFor({ actor, integration_id }: Pick<SyncRef, 'actor' | 'integration_id'>): Actor {
  return actorInWorkflow(actor, integrationSyncWorkflowId(actor.tenant_id, integration_id));
}

/** Fetches pages from the position in the row. Each page is written in one transaction with the position after it. */
async function pull(deps: Deps, ref: SyncRef): Promise<{ page_count: number; is_finished: boolean }> {
  const actor = actingFor(ref);
  const started = Date.now();
  let position = await unitOfWork(deps.db, actor, (tx) => syncPosition(tx, ref.job_id));
  if (position === null) return { page_count: 0, is_finished: true };
  const secret = deps.keyring.open(position.secret_ciphertext, integrationSecretPlace(position.integration_id));
  const source = connectRemote(deps.outbound, position.config, secret);
  while (Date.now() - started < callMs) {
    const { cursor, page_count } = position;
    if (page_count > 0 && cursor === null) {
      while (await unitOfWork(deps.db, actor, (tx) => processMissingRecords(tx, ref.job_id))) {
        Context.current().cancellationSignal.throwIfAborted();
      }
      return { page_count, is_finished: true };
    }
    const page = await source.pull(cursor);
    if (page.next_cursor !== null && page.next_cursor === cursor) {
      throw new RemoteError('unexpected', 'The cursor of the next page is that of the present one.');
    }
    // A sync that was cancelled meanwhile writes nothing more.
    Context.current().cancellationSignal.throwIfAborted();
    const next = await unitOfWork(deps.db, actor, async (tx) => {
      await writeSyncPage(tx, ref.job_id, page_count, page);
      return syncPosition(tx, ref.job_id);
    });
    if (next === null) return { page_count: page_count + 1, is_finished: true };
    position = next;
  }
  return { page_count: position.page_count, is_finished: false };
}

/** Notifies the channels and, unless the sync was scheduled, the person who asked for it. */
async function notifyFailure(
  { env }: Deps,
  notify: Notify,
  { actor, integration_id, job_id, error_code, error_detail }: SyncRef & { error_code: SyncFault; error_detail: string },
): Promise<void> {
  const url = new URL(`/admin/integrations/${integration_id}/sync-jobs/${job_id}`, env.PUBLIC_URL).href;
  await notify(
    actor,
    {
      event: 'integration.sync-failed',
      event_key: `integration/${integration_id}/sync/${job_id}`,
      subject: 'Records of an integration could not be fetched',
      text: `The sync of integration ${integration_id} has failed: ${error_detail}\n\n${url}`,
      data: { integration_id, job_id, error_code },
    },
    actor.user_id === null ? [] : [actor.user_id],
  );
}
