import { WorkflowNotFoundError } from '@temporalio/client';
import type { Client } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import { z } from 'zod';
import { sql } from 'kysely';
import { comparedVerdicts } from '../../domain/audit/audit-retention.ts';
import type { ComparedVerdict, DecisionRecord } from '../../domain/audit/audit-retention.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { read } from '../../platform/database/read.ts';
import type { TemporalClient } from '../../platform/temporal/temporal-client.ts';
import { approvalWorkflowType } from '../../workflows/approval/approval.contract.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';

type History = Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['fetchHistory']>>;
type HistoryEvent = NonNullable<History['events']>[number];

/** Names of the approval workflow's updates by what the audit calls them. */
const verdictOfUpdate: Readonly<Record<string, ComparedVerdict>> = {
  approve: 'approve',
  reject: 'reject',
  breakGlass: 'break-glass',
};

/** What is read of a message: who decided. */
const messageForm = z.object({ actor: z.object({ user_id: z.string() }) });

/** The decisions that a tenant's chain holds since a moment. */
export async function decisionsInAudit(
  { db }: Pick<ProcessDeps, 'db'>,
  chainId: string,
  since: Date,
): Promise<DecisionRecord[]> {
  const rows = await read(
    db,
    { tenant_id: chainId, user_id: null },
    kysely
      .selectFrom('audit_logs')
      .where('chain_id', '=', chainId)
      .where('event', 'in', comparedVerdicts.map((verdict) => `approval.${verdict}`))
      .where('outcome', '=', 'success')
      .where('occurred_at', '>=', since.toISOString())
      .orderBy('seq')
      .select(['event', 'occurred_at'])
      .select([
        sql<string | null>`entry ->> 'workflow_id'`.as('workflow_id'),
        sql<string | null>`entry #>> '{actor,user_id}'`.as('user_id'),
      ]),
  );
  return rows.flatMap(({ event, occurred_at, workflow_id, user_id }) => {
    const verdict = comparedVerdicts.find((one) => event === `approval.${one}`);
    if (verdict === undefined || workflow_id === null || user_id === null) return [];
    return [{ workflow_id, verdict, user_id, at_ms: Date.parse(occurred_at) }];
  });
}

/**
 * Approval workflows of a tenant that were alive since a moment, as Temporal's visibility knows them. Those of our own
 * task queue: other installations may share the namespace.
 */
export async function approvalWorkflowsSince(
  { client, taskQueue }: Pick<TemporalClient, 'client' | 'taskQueue'>,
  tenantId: string,
  since: Date,
): Promise<string[]> {
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
export async function decisionsInHistory(client: Client, workflowId: string): Promise<DecisionRecord[] | null> {
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
