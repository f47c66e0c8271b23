import { jsonArrayFrom } from 'kysely/helpers/postgres';
import { query } from '../../entities/kysely-schema.ts';

/** The columns of a stage that are shown. */
export const stageColumns = [
  'id',
  'pipeline_id',
  'name',
  'position',
  'probability',
  'rotting_days',
  'required_fields',
] as const;

/** Living pipelines with their living stages in order. */
export function pipelinesQuery() {
  return query
    .selectFrom('admin_pipelines as p')
    .where('p.archived_at', 'is', null)
    .select(['p.id', 'p.name', 'p.is_default', 'p.created_at', 'p.updated_at', 'p.version'])
    .select((eb) =>
      jsonArrayFrom(
        eb
          .selectFrom('admin_pipeline_stages as s')
          .whereRef('s.pipeline_id', '=', 'p.id')
          .where('s.archived_at', 'is', null)
          .orderBy('s.position')
          .orderBy('s.id')
          .select(['s.id', 's.pipeline_id', 's.name', 's.position', 's.probability', 's.rotting_days', 's.required_fields']),
      ).as('stages'),
    );
}
