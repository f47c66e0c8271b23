import { query } from '../../entities/kysely-schema.ts';

/** Living prospects of a person with the name and the patience of their stage. */
export function prospectsQuery(userId: string) {
  return query
    .selectFrom('admin_prospects as p')
    .innerJoin('admin_pipeline_stages as s', 's.id', 'p.stage_id')
    .where('p.user_id', '=', userId)
    .where('p.deleted_at', 'is', null)
    .select(['p.id', 'p.user_id', 'p.pipeline_id', 'p.stage_id', 's.name as stage_name', 's.rotting_days'])
    .select(['p.name', 'p.company', 'p.email', 'p.phone', 'p.source', 'p.value_minor', 'p.currency', 'p.probability'])
    .select(['p.next_activity_at', 'p.status', 'p.lost_reason', 'p.stage_entered_at'])
    .select(['p.created_at', 'p.updated_at', 'p.version']);
}
