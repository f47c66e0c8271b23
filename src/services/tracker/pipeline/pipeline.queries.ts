import { sql } from 'kysely';
import { jsonArrayFrom } from 'kysely/helpers/postgres';
import { kysely } from '../../../entities/kysely-schema.ts';
import type { Page } from '../../../platform/database/keyset-page.ts';
import { latestFirst } from '../tracker-page.queries.ts';

/** Pipelines that are not archived, with their stages that are not archived, in order. */
export function pipelinesQuery() {
  return kysely
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

/** A page of {@link pipelinesQuery}, newest first. */
export function pipelinePageQuery(page: Page) {
  return pipelinesQuery().$call(latestFirst(page, { sort: 'p.created_at', id: 'p.id' }));
}

/** Number, value and weighted value of a person's open prospects in a pipeline, by stage and currency. */
export function pipelineSummaryQuery(pipelineId: number, userId: string | null) {
  return kysely
    .selectFrom('admin_prospects')
    .where('pipeline_id', '=', pipelineId)
    .where('user_id', '=', userId)
    .where('status', '=', 'open')
    .where('deleted_at', 'is', null)
    .groupBy(['stage_id', 'currency'])
    .orderBy('stage_id')
    .orderBy('currency')
    .select([
      'stage_id',
      'currency',
      sql<number>`count(*)`.as('prospects'),
      sql<number>`coalesce(sum(value_minor), 0)::bigint`.as('value_minor'),
      sql<number>`coalesce(sum(round(value_minor * probability / 100.0)), 0)::bigint`.as('weighted_value_minor'),
    ]);
}
