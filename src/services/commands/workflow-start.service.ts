import { z } from 'zod';
import { actorRef, systemActor } from '../../domain/shared/actor.ts';
import type { ActorRef } from '../../domain/shared/actor.ts';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { Problem } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import type { AfterCommitDeps } from '../actions/action.ts';
import { getAction } from '../actions/registry.ts';
import { tellDeciders } from '../approval/safeguard-notification.service.ts';
import { refreshApproval } from '../approval/approval.client.ts';
import { putBatchStart, sendBatchCancellation, startAssignmentBatch } from '../assignment/assignment-batch.client.ts';
import type { BatchStart } from '../assignment/assignment-batch.client.ts';
import { sendQueueWake } from '../assignment/assignment-drain.client.ts';
import { sendDataRequestChanged } from '../client-record/data-request/client-data-request.client.ts';
import { refreshRollout } from '../config/config-rollout.client.ts';
import { finishTakeBack, sendNaming } from '../identity/administrator-naming/administrator-naming.service.ts';
import { followDeactivation } from '../identity/offboarding.service.ts';
import { sendSyncCancelled } from '../integration/integration-sync.client.ts';
import { sendRotationRetry } from '../integration/key-rotation.client.ts';
import { sendOnboardingChanged } from '../onboarding/onboarding-link.client.ts';
import { cancelBulkRetry } from '../queue/queue-bulk-retry.client.ts';
import { endResumedPause } from '../queue/queue-state.service.ts';
import { refreshFocusSession } from '../tracker/focus-session.client.ts';
import { claimWorkflowStarts, deleteWorkflowStart, putWorkflowStart } from './workflow-start.repository.ts';
import type { WorkflowRefresh, WorkflowStart } from './workflow-start.repository.ts';

type Deps = AfterCommitDeps;

/** What workers have besides. */
type WorkerDeps = Pick<ProcessDeps, 'db' | 'env' | 'log' | 'mailer' | 'now' | 'queues' | 'temporal'>;

/** What follows a change that an action has made, so that it can be repeated without the request. */
interface ActionFollowUp {
  readonly actor: ActorRef;
  readonly action: string;
  readonly payload: JsonObject;
  readonly result: JsonObject;
}

/** How each kind is started, at once and later. Every start may be repeated: it must not start anything twice. */
const starters: Readonly<Record<string, (deps: Deps, start: WorkflowStart, isRepetition: boolean) => Promise<void>>> = {
  action: async (deps, { id, input }, isRepetition) => {
    const { actor, action, payload, result } = input as unknown as ActionFollowUp;
    await getAction(action).prepare(payload).afterCommit(deps, { actor, result, change_id: id, isRepetition });
  },
  'assignment-batch': async (deps, { input }) => {
    await startAssignmentBatch(deps, input as unknown as BatchStart);
  },
  'assignment-batch-cancel': ({ temporal }, { tenant_id, input }) =>
    unlessEnded(sendBatchCancellation({ temporal }, tenant_id, idIn(input, 'batch_id'))),
  'bulk-retry-cancel': ({ temporal }, { tenant_id, input }) =>
    unlessEnded(
      cancelBulkRetry({ temporal }, tenant_id, { queue_id: idIn(input, 'queue_id'), bulk_id: z.string().optional().parse(input['bulk_id']) }),
    ),
  'client-data-request': ({ temporal }, { tenant_id, input }) =>
    sendDataRequestChanged({ temporal }, { tenant_id, request_id: idIn(input, 'request_id') }),
  'onboarding-link': ({ temporal }, { tenant_id, input }) =>
    sendOnboardingChanged({ temporal }, { tenant_id, link_id: idIn(input, 'link_id') }),
  'queue-wake': ({ temporal }, { tenant_id, input }) => sendQueueWake({ temporal }, tenant_id, idIn(input, 'campaign_id')),
  'account-news': (deps, { id, input }) => tellDeciders(deps, input, id, true),
  'safeguard-news': (deps, { id, input }) => tellDeciders(deps, input, id),
  'rotation-retry': ({ temporal }, { tenant_id, input }) =>
    unlessEnded(sendRotationRetry({ temporal }, { tenant_id, integration_id: idIn(input, 'integration_id') })),
};

/** What only workers do, because the process that has committed the change need not try at once. */
const workerStarters: Readonly<Record<string, (deps: WorkerDeps, start: WorkflowStart) => Promise<void>>> = {
  'administrator-naming': (deps, { input }) => sendNaming(deps, idIn(input, 'naming_id')),
  'administrator-taken-back': (deps, { input }) => finishTakeBack(deps, idIn(input, 'naming_id')),
  'approval-refresh': ({ temporal }, { tenant_id, input }) =>
    unlessEnded(refreshApproval({ temporal }, { tenant_id, approval_id: idIn(input, 'approval_id') }, z.int().parse(input['version']))),
  'focus-refresh': ({ temporal }, { tenant_id, input }) =>
    unlessEnded(refreshFocusSession({ temporal }, tenant_id, idIn(input, 'workflow_key'))),
  'queue-pause-refresh': (deps, { tenant_id, input }) =>
    unlessEnded(endResumedPause(deps, tenant_id, { queue_id: idIn(input, 'queue_id'), pause_id: idIn(input, 'pause_id') })),
  'user-deactivated': (deps, { id, tenant_id, input }) =>
    followDeactivation(deps, { actor: actorRef(systemActor(tenant_id)), user_id: idIn(input, 'user_id'), transfer_to: null, change_id: id }),
  'rollout-refresh': ({ temporal }, { tenant_id, input }) =>
    unlessEnded(refreshRollout({ temporal }, tenant_id, input as unknown as WorkflowRefresh['rollout-refresh'])),
  'sync-refresh': ({ temporal }, { tenant_id, input }) =>
    unlessEnded(sendSyncCancelled({ temporal }, tenant_id, { integration_id: idIn(input, 'integration_id'), job_id: idIn(input, 'job_id') })),
};

function idIn(input: JsonObject, name: string): string {
  return z.string().parse(input[name]);
}

/** A workflow that has ended needs not be told any more. */
async function unlessEnded(telling: Promise<void>): Promise<void> {
  try {
    await telling;
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'resource.not-found') throw error;
  }
}

/** Starts what follows an action, after the commit; until it is done every worker tries. */
export function followAction(
  deps: Deps,
  tx: Tx,
  change: Omit<ActionFollowUp, 'actor'>,
): void {
  const { action, payload, result } = change;
  if (getAction(action).isSecret) throw new Error(`The payload of ${action} must not be stored in the clear.`);
  follow(deps, tx, putWorkflowStart(tx, 'action', { actor: { ...actorRef(tx.actor) }, action, payload, result }));
}

/** Starts the workflow of an assignment batch that the transaction has stored, as {@link followAction} does. */
export function followAssignmentBatch(deps: Deps, tx: Tx, batch: BatchStart): void {
  follow(deps, tx, putBatchStart(tx, batch));
}

/** What workflows are told, each with the id that it is about. */
interface Telling {
  'assignment-batch-cancel': { batch_id: string };
  'bulk-retry-cancel': { queue_id: string; bulk_id: string };
  'client-data-request': { request_id: string };
  'onboarding-link': { link_id: string };
  'queue-wake': { campaign_id: string };
  'rotation-retry': { integration_id: string };
}

/** Has a workflow told of the change, as {@link followAction} does. */
export function tellAfterCommit<Kind extends keyof Telling>(
  deps: Deps,
  tx: Tx,
  kind: Kind,
  input: Telling[Kind],
): void {
  follow(deps, tx, putWorkflowStart(tx, kind, { ...input }));
}

function follow(deps: Deps, tx: Tx, start: WorkflowStart): void {
  tx.after(() => attempt(deps, start, () => starters[start.kind]?.(deps, start, false)));
}

/**
 * Starts what no process has started yet: the API had been killed after the commit, or Temporal was away.
 *
 * @returns how many were due.
 */
export async function startDueWorkflows(deps: WorkerDeps): Promise<number> {
  const due = await claimWorkflowStarts(deps, 100);
  const starterOf = (start: WorkflowStart) => () =>
    starters[start.kind]?.(deps, start, true) ?? workerStarters[start.kind]?.(deps, start);
  await Promise.all(due.map((start) => attempt(deps, start, starterOf(start))));
  return due.length;
}

async function attempt(deps: Deps, start: WorkflowStart, starter: () => Promise<void> | undefined): Promise<void> {
  try {
    const started = starter();
    if (started === undefined) throw new Error(`No process of this version starts ${start.kind}.`);
    await started;
    await deleteWorkflowStart(deps, start);
  } catch (error) {
    deps.log.warn({ err: error, kind: start.kind, start_id: start.id }, 'a workflow could not be started yet; workers try again');
  }
}
