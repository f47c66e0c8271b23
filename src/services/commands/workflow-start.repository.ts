import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { defaultTenantId, systemActor } from '../../domain/shared/actor.ts';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { jsonb } from '../../platform/database/jsonb.ts';
import { writeInfrastructure } from '../../platform/database/read.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';

/** How long the process that has committed the change may take for the start itself. */
const ownAttemptSeconds = 5;

/** What a committed change needs and is not known to have got yet: a workflow that is started, or told of the change. */
export interface WorkflowStart<Kind extends string = string> {
  readonly id: string;
  readonly tenant_id: string;
  readonly kind: Kind;
  /** Ids only: no secret, and nothing that is said of a person. */
  readonly input: JsonObject;
}

/** Writes down, in the transaction of a change, what has to be started for it. */
export function putWorkflowStart<Kind extends string>(tx: Tx, kind: Kind, input: JsonObject): WorkflowStart<Kind> {
  const start = { id: randomUUID() as string, tenant_id: tx.actor.tenant_id, kind, input };
  tx.defer(
    tx.sql.insertInto('workflow_starts').values({
      ...start,
      input: jsonb(input),
      due_at: sql<string>`clock_timestamp() + make_interval(secs => ${ownAttemptSeconds})`,
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
