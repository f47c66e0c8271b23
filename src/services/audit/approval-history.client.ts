import { WorkflowNotFoundError } from '@temporalio/client';
import type { Client } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import { z } from 'zod';
import type { ComparedVerdict, DecisionRecord } from '../../domain/audit/audit-retention.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { approvalWorkflowType } from '../../workflows/approval/approval.contract.ts';

type History = Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['fetchHistory']>>;
type HistoryEvent = NonNullable<History['events']>[number];

/** What the audit calls the approval workflow's updates, by their names. */
const verdictOfUpdate: Readonly<Record<string, ComparedVerdict>> = {
  approve: 'approve',
  reject: 'reject',
  breakGlass: 'break-glass',
};

/** What is read of a message: who decided. */
const messageForm = z.object({ actor: z.object({ user_id: z.string() }) });

/**
 * Ids of a tenant's approval workflows that have run since a time, as Temporal's visibility knows them. Those of our
 * own task queue only: other installations may share the namespace.
 */
export async function approvalWorkflowsSince(
  { temporal }: Pick<ProcessDeps, 'temporal'>,
  tenantId: string,
  since: Date,
): Promise<string[]> {
  const { client, taskQueue } = temporal;
  const ids: string[] = [];
  const filter =
    `WorkflowType = '${approvalWorkflowType}' AND TenantId = '${tenantId}' AND TaskQueue = '${taskQueue}' ` +
    `AND (ExecutionStatus = 'Running' OR CloseTime >= '${since.toISOString()}')`;
  for await (const { workflowId } of client.workflow.list({ query: filter })) ids.push(workflowId);
  return ids;
}

/**
 * The decisions that a workflow's history holds: updates that were accepted and answered with success.
 *
 * @returns null when Temporal does not keep the history any more
 */
export async function decisionsInHistory(
  { temporal: { client } }: Pick<ProcessDeps, 'temporal'>,
  workflowId: string,
): Promise<DecisionRecord[] | null> {
  const events = await historyOf(client, workflowId);
  if (events === null) return null;
  const succeeded = new Set(
    events
      .map((event) => event.workflowExecutionUpdateCompletedEventAttributes)
      .filter((completed) => completed?.outcome?.success != null)
      .map((completed) => completed?.meta?.updateId),
  );
  const decisions: DecisionRecord[] = [];
  for (const event of events) {
    const request = event.workflowExecutionUpdateAcceptedEventAttributes?.acceptedRequest;
    const verdict = verdictOfUpdate[request?.input?.name ?? ''];
    const payload = request?.input?.args?.payloads?.[0];
    if (verdict === undefined || payload === undefined || !succeeded.has(request?.meta?.updateId)) continue;
    const message = messageForm.safeParse(await decoded(client, payload));
    if (!message.success) continue;
    decisions.push({ workflow_id: workflowId, verdict, user_id: message.data.actor.user_id, at_ms: timeOf(event) });
  }
  return decisions;
}

async function historyOf(client: Client, workflowId: string): Promise<HistoryEvent[] | null> {
  try {
    return (await client.workflow.getHandle(workflowId).fetchHistory()).events ?? [];
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}

async function decoded(client: Client, payload: Payload): Promise<unknown> {
  const { payloadConverter, payloadCodecs } = client.options.loadedDataConverter;
  let payloads = [payload];
  for (const codec of payloadCodecs) payloads = await codec.decode(payloads);
  return payloads[0] === undefined ? null : payloadConverter.fromPayload(payloads[0]);
}

function timeOf({ eventTime }: HistoryEvent): number {
  return Number(eventTime?.seconds ?? 0) * 1000 + Math.floor((eventTime?.nanos ?? 0) / 1_000_000);
}
