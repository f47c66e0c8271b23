import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { defaultTenantId, systemActor } from '../../domain/shared/actor.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { jsonb } from '../../platform/database/jsonb.ts';
import { writeInfrastructure } from '../../platform/database/read.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';

/** How long the process that has committed the change may take for the start itself. */
const ownAttemptSeconds = 5;
/** Longer than any caller waits for the answer of a workflow. */
const answerSeconds = 12;

/** What a committed change needs and is not known to have got yet: a workflow that is started, or told of the change. */
export interface WorkflowStart<Kind extends string = string> {
  readonly id: string;
  readonly tenant_id: string;
  readonly kind: Kind;
  /** Ids only: no secret, and nothing that is said of a person. */
  readonly input: JsonObject;
}

/**
 * Writes down, in the transaction of a change, what has to be started for it.
 *
 * @param dueInSeconds from when workers look after it; 0 where the process that commits the change does not try itself.
 */
export function putWorkflowStart<Kind extends string>(
  tx: Tx,
  kind: Kind,
  input: JsonObject,
  dueInSeconds = ownAttemptSeconds,
): WorkflowStart<Kind> {
  return put(tx, { id: randomUUID(), tenant_id: tx.actor.tenant_id, kind, input }, dueInSeconds);
}

/** Which row each kind of workflow has to read again. */
export interface WorkflowRefresh {
  'approval-refresh': { approval_id: string; version: number };
  'focus-refresh': { workflow_key: string };
  'queue-pause-refresh': { queue_id: string; pause_id: string };
  'rollout-refresh': { environment: EnvironmentName; deployment_id: string; step: number };
  'rotation-retry': { integration_id: string };
  'sync-refresh': { integration_id: string; job_id: string };
}

/**
 * Writes down, in the transaction in which an activity carries a command out, that its workflow has to read the row again. When API,
 * worker and Temporal are lost within one task, the update is gone and the change is made. Whoever has got the workflow's answer
 * removes it ({@link forgetRefresh}); otherwise a worker tells the workflow.
 *
 * @param commandId undefined for what a timer does: its workflow repeats that by itself.
 */
export function putRefresh<Kind extends keyof WorkflowRefresh>(
  tx: Tx,
  commandId: string | undefined,
  kind: Kind,
  input: WorkflowRefresh[Kind],
): void {
  if (commandId === undefined) return;
  put(tx, { id: commandId, tenant_id: tx.actor.tenant_id, kind, input: { ...input } }, answerSeconds);
}

/** The workflow has answered the command, so it knows. A refresh that stays is sent in vain, so nobody waits for this. */
export function forgetRefresh(deps: Pick<ProcessDeps, 'db'>, tenant_id: string, commandId: string): void {
  void deleteWorkflowStart(deps, { tenant_id, id: commandId }).catch(() => undefined);
}

function put<Start extends WorkflowStart>(tx: Tx, start: Start, dueInSeconds: number): Start {
  tx.defer(
    tx.sql.insertInto('workflow_starts').values({
      ...start,
      input: jsonb(start.input),
      due_at: sql<string>`clock_timestamp() + make_interval(secs => ${dueInSeconds})`,
    }),
  );
  return start;
}

/** Removes what has been started. */
export async function deleteWorkflowStart(
  { db }: Pick<ProcessDeps, 'db'>,
  { tenant_id, id }: Pick<WorkflowStart, 'tenant_id' | 'id'>,
): Promise<void> {
  await writeInfrastructure(
    db,
    { tenant_id, user_id: null },
    kysely.deleteFrom('workflow_starts').where('tenant_id', '=', tenant_id).where('id', '=', id),
  );
}

/** Takes what is due, of all tenants; another process does not get it before it is due again. */
export async function claimWorkflowStarts({ db }: Pick<ProcessDeps, 'db'>, limit: number): Promise<WorkflowStart[]> {
  const claim = sql<WorkflowStart>`select id, tenant_id, kind, input from workflow_starts_claim(${limit})`;
  return writeInfrastructure(db, systemActor(defaultTenantId), { compile: () => claim.compile(kysely) });
}
