import { setTimeout } from 'node:timers/promises';
import { WithStartWorkflowOperation } from '@temporalio/client';
import { actorRef } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { addressesOf } from '../../domain/integration/integration.ts';
import type { IntegrationConfig } from '../../domain/integration/integration.ts';
import { OutboundFailedError, OutboundRefusedError } from '../../platform/outbound/outbound-http.ts';
import type { OutboundHttp } from '../../platform/outbound/outbound-http.ts';
import { Problem } from '../../platform/problem.ts';
import { integrationSweepWorkflowType } from '../../workflows/integration/integration-sweep.contract.ts';
import {
  cancelSyncUpdate,
  integrationSyncStartOptions,
  integrationSyncWorkflowId,
  integrationSyncWorkflowType,
  syncDefaults,
  syncOpenedUpdate,
} from '../../workflows/integration/integration-sync.contract.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';

type Deps = Pick<ProcessDeps, 'temporal' | 'log'>;

/**
 * Refuses a configuration that leads to an address which this system may not speak to, whatever the protocol. It is no
 * promise: every call looks again.
 *
 * @throws Problem `request.invalid` (422) with a pointer for every such address.
 */
export async function assertPermittedAddresses(
  outbound: Pick<OutboundHttp, 'check' | 'addressesOf'>,
  config: IntegrationConfig,
): Promise<void> {
  const looks =
    config.kind === 'postgres_source'
      ? [{ pointer: '/config/host', look: () => checkDatabase(outbound, config) }]
      : addressesOf(config).map(({ pointer, url }) => ({ pointer, look: () => outbound.check(url) }));
  const errors: { pointer: string; detail: string }[] = [];
  for (const { pointer, look } of looks) {
    try {
      await look();
    } catch (error) {
      if (!(error instanceof OutboundRefusedError) && !(error instanceof OutboundFailedError)) throw error;
      errors.push({ pointer, detail: error.message });
    }
  }
  if (errors.length === 0) return;
  throw new Problem({ code: 'request.invalid', detail: 'Give addresses that the public Internet can reach.', errors });
}

async function checkDatabase(
  outbound: Pick<OutboundHttp, 'addressesOf'>,
  { host, port, tls }: Extract<IntegrationConfig, { kind: 'postgres_source' }>,
): Promise<void> {
  const { isExempt } = await outbound.addressesOf(host, port);
  if (tls === 'disable' && !isExempt) throw new OutboundRefusedError('scheme', 'Connections over the Internet need TLS.');
}

/** A workflow that closes needs a moment until its id is free for the next one. */
const closingPauseMs = 100;
const closingAttempts = 10;

/**
 * Starts the sync of an integration, or joins the one that runs.
 *
 * @returns the id of the committed job.
 */
export async function startSync({ temporal }: Deps, actor: Actor, integrationId: string): Promise<string> {
  const input = { actor: actorRef(actor), integration_id: integrationId, trigger: 'manual' as const, ...syncDefaults };
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await temporal.call((client) =>
        client.workflow.executeUpdateWithStart(syncOpenedUpdate, {
          startWorkflowOperation: new WithStartWorkflowOperation(integrationSyncWorkflowType, {
            ...integrationSyncStartOptions(input),
            taskQueue: temporal.taskQueue,
            workflowIdConflictPolicy: 'USE_EXISTING',
          }),
        }),
      );
    } catch (error) {
      const isClosing = error instanceof Problem && error.code === 'integration.sync-ended';
      if (!isClosing || attempt === closingAttempts) throw error;
      await setTimeout(closingPauseMs);
    }
  }
}

/** Stops a sync and waits until it has ended. @throws Problem `integration.sync-ended` when it has ended before. */
export async function cancelSync({ temporal }: Deps, actor: Actor, integrationId: string, jobId: string): Promise<void> {
  const workflowId = integrationSyncWorkflowId(actor.tenant_id, integrationId);
  try {
    await temporal.call((client) =>
      client.workflow.getHandle(workflowId).executeUpdate(cancelSyncUpdate, { args: [{ job_id: jobId }] }),
    );
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'resource.not-found') throw error;
    throw new Problem({ code: 'integration.sync-ended', detail: 'This sync has ended.', cause: error });
  }
}

/** Has the Schedule of an integration brought up to its row now; where this does not arrive, the sweep does it. */
export async function followSchedule({ temporal, log }: Deps, integrationId: string): Promise<void> {
  try {
    await temporal.call((client) =>
      client.workflow.start(integrationSweepWorkflowType, {
        workflowId: `integration-sweep-${integrationId}`,
        taskQueue: temporal.taskQueue,
        workflowIdConflictPolicy: 'USE_EXISTING',
        args: [],
        staticSummary: `Schedule of integration ${integrationId}`,
      }),
    );
  } catch (error) {
    log.warn({ err: error, integration_id: integrationId }, 'a Schedule could not be brought up; the sweep will');
  }
}
