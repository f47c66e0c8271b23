import type { Stage } from '../../../domain/tracker/tracker-pipeline.ts';
import { AdminPipelineEntity } from '../../../entities/tracker/pipeline.entity.ts';
import { lockOne } from '../../../platform/database/entity-row.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';

/** The columns of a stage that are displayed. */
export const stageColumns = [
  'id',
  'pipeline_id',
  'name',
  'position',
  'probability',
  'rotting_days',
  'required_fields',
] as const;

/** A stage with its name. */
export interface NamedStage extends Stage {
  readonly name: string;
  readonly position: number;
}

/**
 * Loads and locks a pipeline that is not archived. Its stages are changed under the same lock.
 *
 * @throws Problem `resource.not-found`.
 */
export const lockPipeline = (tx: Tx, id: number) =>
  lockOne(tx, AdminPipelineEntity, { id, archived_at: null }, 'pipeline');

/**
 * Holds a pipeline until the transaction ends, so that neither it nor a stage of it is archived while a prospect comes in. Those
 * who bring prospects do not wait for each other. Stages are read afterwards: what was read before may be archived by now.
 *
 * @returns whether the pipeline is there and not archived.
 */
export async function holdPipeline(tx: Tx, id: number): Promise<boolean> {
  const pipeline = await tx.sql
    .selectFrom('admin_pipelines')
    .where('id', '=', id)
    .where('archived_at', 'is', null)
    .select('id')
    .forShare()
    .executeTakeFirst();
  return pipeline !== undefined;
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
