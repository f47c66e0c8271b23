import { randomUUID } from 'node:crypto';
import { Context } from '@temporalio/activity';
import { commandUnitOfWork } from '../../services/commands/command.repository.ts';
import { putRefresh } from '../../services/commands/workflow-start.repository.ts';
import {
  endSyncJob,
  openSyncJob,
  recordSyncCancel,
  syncPosition,
  writeSyncPage,
} from '../../services/integration/integration-sync.repository.ts';
import type { SyncPosition } from '../../services/integration/integration-sync.repository.ts';
import {
  claimReading,
  endReading,
  forgiveStrikes,
  recordStrike,
} from '../../services/integration/integration-quarantine.service.ts';
import { processMissingRecords } from '../../services/integration/missing-records.service.ts';
import { integrationSecretPlace } from '../../services/integration/integration.repository.ts';
import { actorOfRef } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { strikeReasons } from '../../domain/integration/integration.ts';
import type { SyncFault } from '../../domain/integration/integration-sync.ts';
import { asActivity } from '../../platform/temporal/application-failure.ts';
import { GuestEndedError } from '../../platform/guest/guest-process.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import { integrationSyncWorkflowId } from '../../workflows/integration/integration-sync.contract.ts';
import type { IntegrationSyncActivities, SyncRef } from '../../workflows/integration/integration-sync.contract.ts';
import type { ActivityDeps } from '../deps.ts';
import { withHeartbeat } from './heartbeat.ts';
import { RemoteError } from './remote-fault.ts';
import { withRemoteFaults } from './remote-source.ts';
import { createSourceReader } from './source-reader.ts';
import type { SourceReader } from './source-reader.ts';
import { createNotify } from '../../services/notification/notification-delivery.client.ts';
import type { Notify } from '../../services/notification/notification-delivery.client.ts';

type Deps = Pick<ActivityDeps, 'db' | 'env' | 'keyring' | 'log' | 'outbound' | 'temporal'>;

/** One call works for about this long, so that the history shows progress and a cancellation takes effect. */
const callMs = 60_000;

/** The activities of `integrationSyncWorkflow`. */
export function createIntegrationSyncActivities(deps: Deps): IntegrationSyncActivities {
  const notify = createNotify(deps);
  const reader = createSourceReader(deps);
  const instanceId = randomUUID();
  return {
    openSync: (input) =>
      asActivity(() => commandUnitOfWork(deps, actingFor(input), input.command_id, (tx) => openSyncJob(tx, input))),
    acceptSyncCancel: (input) =>
      asActivity(() =>
        commandUnitOfWork(deps, actingFor(input), input.command_id, async (tx) => {
          await recordSyncCancel(tx, input);
          putRefresh(tx, input.command_id, 'sync-refresh', { integration_id: input.integration_id, job_id: input.job_id });
        }),
      ),
    pullRecords: (ref) =>
      asActivity(() =>
        withHeartbeat(() => withRemoteFaults(() => pull({ deps, reader, instanceId, ref, actor: actingFor(ref) }))),
      ),
    endSync: ({ end, ...ref }) =>
      asActivity(() => unitOfWork(deps.db, actingFor(ref), (tx) => endSyncJob(tx, ref.job_id, end))),
    announceSyncFailure: (failure) => asActivity(() => notifyFailure(deps, notify, failure)),
  };
}

function actingFor({ actor, integration_id }: Pick<SyncRef, 'actor' | 'integration_id'>): Actor {
  return actorOfRef(actor, integrationSyncWorkflowId(actor.tenant_id, integration_id));
}

/** What a turn works with. */
interface Turn {
  readonly deps: Deps;
  readonly reader: SourceReader;
  /** Names this process in claims. */
  readonly instanceId: string;
  readonly ref: SyncRef;
  readonly actor: Actor;
}

/**
 * Reads for one turn, under a claim of this process. When what the source sent has ended the process that read it, this is a
 * strike; nothing else is: not our shutdown, not a machine without memory, and not the end of a whole worker, which may have
 * had another reason.
 */
async function pull(turn: Turn): Promise<{ page_count: number; is_finished: boolean }> {
  const { deps, ref, actor, instanceId } = turn;
  const begun = await unitOfWork(deps.db, actor, async (tx) => {
    const position = await syncPosition(tx, ref.job_id);
    if (position === null || position.quarantined_at !== null) return { position, isSuspect: false };
    return { position, isSuspect: await claimReading(tx, ref.integration_id, instanceId) };
  });
  if (begun.position === null) return { page_count: 0, is_finished: true };
  if (begun.position.quarantined_at !== null) throw quarantined();
  try {
    return await pullPages(turn, begun.position, begun.isSuspect);
  } catch (error) {
    if (!(error instanceof GuestEndedError)) throw error;
    const reason = strikeReasons.find((one) => one === error.end);
    // Anything else says nothing of the source, and is tried again like every fault of ours.
    if (reason === undefined) throw error;
    const isQuarantined = await unitOfWork(deps.db, actor, (tx) => recordStrike(tx, ref.integration_id, reason));
    throw isQuarantined ? quarantined() : new RemoteError('reader_ended', `What the source sends has ended its reader (${reason}).`);
  } finally {
    await unitOfWork(deps.db, actor, (tx) => endReading(tx, ref.integration_id, instanceId));
  }
}

function quarantined(): RemoteError {
  return new RemoteError('quarantined', 'What the source sends has ended its reader twice. It is not read until somebody acts.');
}

/** Fetches pages from the position in the row. Each page is written in one transaction with the position after it. */
async function pullPages(
  { deps, reader, ref, actor }: Turn,
  begun: SyncPosition,
  isSuspect: boolean,
): Promise<{ page_count: number; is_finished: boolean }> {
  const started = Date.now();
  const { cancellationSignal: signal } = Context.current();
  const secret = deps.keyring.open(begun.secret_ciphertext, integrationSecretPlace(begun.integration_id));
  const opened = { tenant_id: actor.tenant_id, config: begun.config, secret, isSuspect, signal };
  return reader.read(opened, async (source, isAwaited) => {
    let position = begun;
    do {
      const { cursor, page_count, strikes } = position;
      if (page_count > 0 && cursor === null) {
        while (await unitOfWork(deps.db, actor, (tx) => processMissingRecords(tx, ref.job_id))) signal.throwIfAborted();
        return { page_count, is_finished: true };
      }
      const page = await source.pull(cursor);
      if (page.next_cursor !== null && page.next_cursor === cursor) {
        throw new RemoteError('unexpected', 'The cursor of the next page is that of the present one.');
      }
      // A sync that was cancelled meanwhile writes nothing more.
      signal.throwIfAborted();
      const next = await unitOfWork(deps.db, actor, async (tx) => {
        const isWritten = await writeSyncPage(tx, ref.job_id, page_count, page);
        if (isWritten && strikes > 0) await forgiveStrikes(tx, ref.integration_id);
        return syncPosition(tx, ref.job_id);
      });
      if (next === null) return { page_count: page_count + 1, is_finished: true };
      position = next;
    } while (Date.now() - started < callMs && !isAwaited());
    return { page_count: position.page_count, is_finished: false };
  });
}

/** Notifies the channels and, unless the sync was scheduled, the person who asked for it. */
async function notifyFailure(
  { env }: Deps,
  notify: Notify,
  { actor, integration_id, job_id, error_code, error_detail }: SyncRef & { error_code: SyncFault; error_detail: string },
): Promise<void> {
  const url = new URL(`/admin/integrations/${integration_id}/sync-jobs/${job_id}`, env.PUBLIC_URL).href;
  const failure = {
    event_key: `integration/${integration_id}/sync/${job_id}`,
    text: `The sync of integration ${integration_id} has failed: ${error_detail}\n\n${url}`,
    data: { integration_id, job_id, error_code },
  };
  const requesters = actor.user_id === null ? [] : [actor.user_id];
  const subject = 'Records of an integration could not be fetched';
  await notify(actor, { ...failure, event: 'integration.sync-failed', subject }, requesters);
  if (error_code !== 'quarantined') return;
  const event_key = `integration/${integration_id}/quarantined/${job_id}`;
  await notify(actor, { ...failure, event: 'integration.quarantined', event_key, subject: 'An integration was quarantined' }, []);
}
