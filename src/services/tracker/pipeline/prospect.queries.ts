import { sql } from 'kysely';
import { prospectInsight } from '../../../domain/tracker/tracker-pipeline.ts';
import type { ProspectStatus } from '../../../domain/tracker/tracker-pipeline.ts';
import { kysely } from '../../../entities/kysely-schema.ts';
import type { Page } from '../../../platform/database/keyset-page.ts';
import { containsPattern } from '../../../platform/database/like-pattern.ts';
import { latestFirst } from '../tracker-page.queries.ts';

/** Prospects of a person that are not removed, with the name and the limit of their stage. */
export function prospectsQuery(userId: string) {
  return kysely
    .selectFrom('admin_prospects as p')
    .innerJoin('admin_pipeline_stages as s', 's.id', 'p.stage_id')
    .where('p.user_id', '=', userId)
    .where('p.deleted_at', 'is', null)
    .select(['p.id', 'p.user_id', 'p.pipeline_id', 'p.stage_id', 's.name as stage_name', 's.rotting_days'])
    .select(['p.name', 'p.company', 'p.email', 'p.phone', 'p.source', 'p.value_minor', 'p.currency', 'p.probability'])
    .select(['p.next_activity_at', 'p.status', 'p.lost_reason', 'p.stage_entered_at'])
    .select(['p.created_at', 'p.updated_at', 'p.version']);
}

type ProspectQueryRow = Awaited<ReturnType<ReturnType<typeof prospectsQuery>['executeTakeFirstOrThrow']>>;

/** A prospect as it is displayed, with what is derived of it. @param now milliseconds since the epoch. */
export function presentProspect(row: ProspectQueryRow, now: number) {
  const { rotting_days, ...prospect } = row;
  return { ...prospect, ...prospectInsight(row, { rotting_days, entered_at: row.stage_entered_at }, now) };
}

/** What a list of prospects is narrowed by. */
interface ProspectFilter {
  /** Part of name, company or e-mail address. */
  readonly q?: string | undefined;
  readonly status?: ProspectStatus | undefined;
  readonly pipeline_id?: number | undefined;
  readonly stage_id?: number | undefined;
  readonly is_rotting?: boolean | undefined;
  /** RFC 3339; the next activity is before this time. */
  readonly due_before?: string | undefined;
}

/** A page of the prospects of a person, newest first. @param now milliseconds since the epoch. */
export function prospectPageQuery(userId: string, page: Page, filter: ProspectFilter, now: number) {
  const { q, status, pipeline_id, stage_id, is_rotting, due_before } = filter;
  let list = prospectsQuery(userId)
    .$call(latestFirst(page, { sort: 'p.created_at', id: 'p.id' }))
    .where((eb) => eb.and({ 'p.status': status, 'p.pipeline_id': pipeline_id, 'p.stage_id': stage_id }));
  if (q !== undefined) {
    const pattern = containsPattern(q);
    list = list.where((eb) =>
      eb.or([eb('p.name', 'ilike', pattern), eb('p.company', 'ilike', pattern), eb('p.email', 'ilike', pattern)]),
    );
  }
  if (due_before !== undefined) list = list.where('p.next_activity_at', '<', due_before);
  if (is_rotting !== undefined) list = list.where(rotting(now), '=', is_rotting);
  return list;
}

/** The rule of `prospectInsight` as a condition. */
function rotting(now: number) {
  return sql<boolean>`(p.status = 'open' and s.rotting_days is not null
    and p.stage_entered_at + make_interval(days => s.rotting_days) <= ${new Date(now).toISOString()}::timestamptz)`;
}

/** A page of the moves of a person's prospect, latest first. */
export function stageHistoryPageQuery(userId: string, prospectId: number, page: Page) {
  return kysely
    .selectFrom('admin_stage_history as h')
    .innerJoin('admin_prospects as p', 'p.id', 'h.prospect_id')
    .where('p.user_id', '=', userId)
    .where('h.prospect_id', '=', prospectId)
    .$call(latestFirst(page, { sort: 'h.created_at', id: 'h.id' }))
    .select(['h.id', 'h.from_stage_id', 'h.to_stage_id', 'h.from_status', 'h.to_status', 'h.reason'])
    .select(['h.seconds_in_stage', 'h.moved_by', 'h.created_at']);
}
