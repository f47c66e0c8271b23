import { sql } from 'kysely';
import type { Insertable, Selectable } from 'kysely';
import { isRefused, decideMove, refusalText } from '../../../domain/tracker/tracker-pipeline.ts';
import type { MoveRefusal, ProspectStatus } from '../../../domain/tracker/tracker-pipeline.ts';
import type { CastellanSchema } from '../../../entities/kysely-schema.ts';
import { now } from '../../../entities/shared/column-types.ts';
import { AdminProspectEntity } from '../../../entities/tracker/prospect.entity.ts';
import { lockOne, toRow } from '../../../platform/database/entity-row.ts';
import { unknownReference } from '../../../platform/input-issues.ts';
import { Problem, notFound } from '../../../platform/problem.ts';
import { assertVersion, expectedVersion } from '../../../platform/row-version.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { clearProspect } from '../own-prospect.repository.ts';
import { defaultPipelineId } from './pipeline.service.ts';
import { findStage, holdPipeline, stagesOf } from './pipeline.repository.ts';
import type { NamedStage } from './pipeline.repository.ts';

/** The columns of a prospect that audit entries show. */
const prospectColumns = [
  'id',
  'tenant_id',
  'user_id',
  'pipeline_id',
  'stage_id',
  'stage_entered_at',
  'name',
  'company',
  'email',
  'phone',
  'source',
  'value_minor',
  'currency',
  'probability',
  'next_activity_at',
  'status',
  'lost_reason',
  'deleted_at',
  'created_at',
  'updated_at',
  'version',
] as const;

type ProspectRow = Pick<Selectable<CastellanSchema['admin_prospects']>, (typeof prospectColumns)[number]>;

/** What a person writes about a prospect; stage and status change by moving. */
type ProspectFields = Partial<
  Pick<
    Insertable<CastellanSchema['admin_prospects']>,
    | 'name'
    | 'company'
    | 'email'
    | 'phone'
    | 'source'
    | 'value_minor'
    | 'currency'
    | 'probability'
    | 'next_activity_at'
  >
>;

/** A prospect as it is asked for. */
interface NewProspect extends ProspectFields {
  readonly name: string;
  readonly stage_id?: number | undefined;
}

/**
 * Creates a prospect in its stage, by default the first one of the default pipeline.
 *
 * @throws Problem `prospect.move-refused` when the stage requires fields that are missing; the database refuses a second
 *   prospect with the same e-mail address, whatever its case.
 */
export async function createProspect(tx: Tx, userId: string, { stage_id, ...fields }: NewProspect): Promise<{ id: number }> {
  const stage = stage_id === undefined ? await firstStage(tx) : await activeStage(tx, stage_id);
  assertRequiredFields(fields, stage);
  const prospect = tx.em.create(AdminProspectEntity, {
    probability: stage.probability,
    company: null,
    email: null,
    phone: null,
    source: null,
    value_minor: null,
    currency: null,
    next_activity_at: null,
    ...fields,
    status: 'open',
    lost_reason: null,
    deleted_at: null,
    user_id: userId,
    pipeline_id: stage.pipeline_id,
    stage_id: stage.id,
    stage_entered_at: now(),
  });
  await tx.flush();
  const row = toRow(prospect, prospectColumns);
  await appendHistory(tx, row, null);
  tx.audit({
    event: 'prospect.create',
    action: 'create',
    resource_type: 'prospect',
    resource_id: String(row.id),
    new_values: row,
  });
  return row;
}

/** A prospect of a person, on the version that the caller has read. */
interface ProspectTarget {
  readonly user_id: string;
  readonly id: number;
  /** The If-Match header; null accepts every version. */
  readonly ifMatch: string | null;
}

/**
 * Changes fields of a prospect; what is left out stays.
 *
 * @throws Problem `request.invalid` when a value would be left without its currency; `resource.version-mismatch`,
 *   `resource.not-found`.
 */
export async function updateProspect(tx: Tx, target: ProspectTarget, fields: ProspectFields): Promise<void> {
  const prospect = await lockVersion(tx, target);
  const before = toRow(prospect, prospectColumns);
  const { value_minor, currency } = { ...before, ...fields };
  if (value_minor !== null && currency === null) {
    throw new Problem({
      code: 'request.invalid',
      detail: 'A value needs its currency.',
      errors: [{ pointer: '/currency', detail: 'must be given with value_minor' }],
    });
  }
  tx.em.assign(prospect, fields);
  tx.audit({
    event: 'prospect.update',
    action: 'update',
    resource_type: 'prospect',
    resource_id: String(before.id),
    old_values: before,
    new_values: fields,
  });
}

/** A move as it is asked for; what is null stays. */
interface MoveRequest {
  readonly stage_id: number | null;
  readonly status: ProspectStatus | null;
  readonly lost_reason: string | null;
}

/**
 * Moves a prospect to a stage or a status and appends to its history (S0-75).
 *
 * @throws Problem `prospect.move-refused` with the kind of the refusal, and the fields that are missing;
 *   `resource.version-mismatch`, `resource.not-found`.
 */
export async function moveProspect(tx: Tx, target: ProspectTarget, request: MoveRequest): Promise<void> {
  const prospect = await lockVersion(tx, target);
  const before = toRow(prospect, prospectColumns);
  const current = await findStage(tx, before.stage_id);
  if (current === undefined) throw notFound('stage');
  const stage = request.stage_id === null ? null : await activeStage(tx, request.stage_id);
  const answer = decideMove(before, current, { stage, status: request.status, lost_reason: request.lost_reason });
  if (isRefused(answer)) throw moveRefused(answer, refusedMembers[answer.kind] ?? []);
  const changesStage = answer.stage_id !== before.stage_id;
  tx.em.assign(prospect, { ...answer, ...(changesStage ? { stage_entered_at: now() } : {}) });
  await tx.flush();
  const row = toRow(prospect, prospectColumns);
  await appendHistory(tx, row, before);
  tx.audit({
    event: 'prospect.move',
    action: 'update',
    resource_type: 'prospect',
    resource_id: String(row.id),
    old_values: { stage_id: before.stage_id, status: before.status, probability: before.probability },
    new_values: answer,
  });
}

/**
 * Removes a prospect by a mark; its history stays, and what refers to it does not any more (S0-11).
 *
 * @throws Problem `resource.not-found` when the person has no such prospect.
 */
export async function deleteProspect(tx: Tx, userId: string, id: number): Promise<void> {
  const prospect = await lockProspect(tx, userId, id);
  const before = toRow(prospect, prospectColumns);
  tx.em.assign(prospect, { deleted_at: now() });
  clearProspect(tx, id);
  tx.audit({
    event: 'prospect.delete',
    action: 'delete',
    resource_type: 'prospect',
    resource_id: String(before.id),
    old_values: before,
  });
}

/** Loads and locks a prospect of a person. @throws Problem `resource.not-found` when there is none. */
const lockProspect = (tx: Tx, userId: string, id: number) =>
  lockOne(tx, AdminProspectEntity, { id, user_id: userId, deleted_at: null }, 'prospect');

/** {@link lockProspect}, refused when the caller has read another version. */
async function lockVersion(tx: Tx, { user_id, id, ifMatch }: ProspectTarget) {
  const prospect = await lockProspect(tx, user_id, id);
  return ifMatch === null ? prospect : assertVersion(prospect, expectedVersion(ifMatch));
}

/** The first stage of the default pipeline, held until the transaction ends. */
async function firstStage(tx: Tx): Promise<NamedStage> {
  const pipelineId = await defaultPipelineId(tx);
  // Archived since it was found: another one is the default by now.
  if (!(await holdPipeline(tx, pipelineId))) return firstStage(tx);
  const [first] = await stagesOf(tx, pipelineId);
  if (first === undefined) throw notFound('stage');
  return first;
}

/** A stage that is asked for, held until the transaction ends. @throws Problem `request.invalid` when there is none, or it is archived. */
async function activeStage(tx: Tx, id: number): Promise<NamedStage> {
  const found = await findStage(tx, id);
  const stage = found !== undefined && (await holdPipeline(tx, found.pipeline_id)) ? await findStage(tx, id) : undefined;
  if (stage === undefined || stage.archived_at !== null) throw unknownReference('/stage_id', 'stage');
  return stage;
}

function assertRequiredFields(fields: ProspectFields, stage: NamedStage): void {
  const missing = stage.required_fields.filter((field) => (fields[field] ?? '') === '');
  if (missing.length === 0) return;
  throw moveRefused({ kind: 'missing-fields', fields: missing }, missing);
}

/** The members of a move that a refusal is about; what the stage requires of the prospect is none of them. */
const refusedMembers: Readonly<Partial<Record<MoveRefusal['kind'], readonly string[]>>> = {
  'other-pipeline': ['stage_id'],
  'reason-missing': ['lost_reason'],
  'reason-without-loss': ['lost_reason'],
  'unchanged': ['stage_id'],
};

/** @param fields the members of the request that the refusal is about. */
function moveRefused(refusal: MoveRefusal, fields: readonly string[]): Problem {
  const { kind, ...members } = refusal;
  const detail = refusalText(refusal);
  const errors = fields.map((field) => ({ pointer: `/${field}`, detail }));
  return new Problem({ code: 'prospect.move-refused', detail, errors, members: { reason: kind, ...members } });
}

async function appendHistory(tx: Tx, row: ProspectRow, before: ProspectRow | null): Promise<void> {
  await tx.sql
    .insertInto('admin_stage_history')
    .values({
      tenant_id: row.tenant_id,
      prospect_id: row.id,
      from_stage_id: before?.stage_id ?? null,
      to_stage_id: row.stage_id,
      from_status: before?.status ?? null,
      to_status: row.status,
      reason: row.lost_reason,
      seconds_in_stage:
        before === null ? null : sql<number>`greatest(floor(extract(epoch from now() - ${before.stage_entered_at}::timestamptz)), 0)::bigint`,
      moved_by: tx.actor.user_id,
    })
    .execute();
}
