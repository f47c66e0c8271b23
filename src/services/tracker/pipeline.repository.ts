import type { Stage } from '../../domain/tracker/tracker-pipeline.ts';
import { notFound } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { stageColumns } from './pipeline.queries.ts';

/** A stage with its name. */
export interface NamedStage extends Stage {
  readonly name: string;
  readonly position: number;
}

/**
 * A pipeline that is not archived, locked until the transaction ends. Its stages are changed under the same lock.
 *
 * @throws Problem `resource.not-found` when the tenant has no such pipeline.
 */
export async function lockPipeline(tx: Tx, id: number) {
  const row = await tx.sql
    .selectFrom('admin_pipelines')
    .where('id', '=', id)
    .where('archived_at', 'is', null)
    .selectAll()
    .forUpdate()
    .executeTakeFirst();
  if (row === undefined) throw notFound('pipeline');
  return row;
}

/** The stages of a pipeline that are not archived, in order. */
export async function stagesOf(tx: Tx, pipelineId: number): Promise<NamedStage[]> {
  return tx.sql
    .selectFrom('admin_pipeline_stages')
    .where('pipeline_id', '=', pipelineId)
    .where('archived_at', 'is', null)
    .orderBy('position')
    .orderBy('id')
    .select(stageColumns)
    .execute();
}

/** A stage by its id, archived ones included. */
export async function findStage(
  tx: Tx,
  id: number,
): Promise<(NamedStage & { readonly archived_at: string | null }) | undefined> {
  return tx.sql
    .selectFrom('admin_pipeline_stages')
    .where('id', '=', id)
    .select([...stageColumns, 'archived_at'])
    .executeTakeFirst();
}
