import { sql } from 'kysely';
import type { Insertable, RawBuilder, Selectable, Updateable } from 'kysely';
import { isRefused, decideMove, refusalText } from '../../../domain/tracker/tracker-pipeline.ts';
import type { ProspectStatus } from '../../../domain/tracker/tracker-pipeline.ts';
import type { CastellanSchema } from '../../../entities/kysely-schema.ts';
import { Problem, notFound } from '../../../platform/problem.ts';
import { assertVersion, expectedVersion } from '../../../platform/row-version.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { defaultPipelineId } from './pipeline.service.ts';
import { findStage, stagesOf } from './pipeline.repository.ts';
import type { NamedStage } from './pipeline.repository.ts';

/** A row of the table of prospects. */
type ProspectRow = Selectable<CastellanSchema['admin_prospects']>;

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
export async function createProspect(tx: Tx, userId: string, { stage_id, ...fields }: NewProspect): Promise<ProspectRow> {
  const stage = stage_id === undefined ? await firstStage(tx) : await activeStage(tx, stage_id);
  assertRequiredFields(fields, stage);
  const row = await tx.sql
    .insertInto('admin_prospects')
    .values({
      probability: stage.probability,
      ...fields,
      tenant_id: tx.actor.tenant_id,
      user_id: userId,
      pipeline_id: stage.pipeline_id,
      stage_id: stage.id,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
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
export async function updateProspect(tx: Tx, target: ProspectTarget, fields: ProspectFields): Promise<ProspectRow> {
  const before = await lockVersion(tx, target);
  const { value_minor, currency } = { ...before, ...fields };
  if (value_minor !== null && currency === null) {
    throw new Problem({
      code: 'request.invalid',
      detail: 'A value needs its currency.',
      errors: [{ pointer: '/currency', detail: 'must be given with value_minor' }],
    });
  }
  const row = await save(tx, before, fields);
  tx.audit({
    event: 'prospect.update',
    action: 'update',
    resource_type: 'prospect',
    resource_id: String(row.id),
    old_values: before,
    new_values: fields,
  });
  return row;
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
export async function moveProspect(tx: Tx, target: ProspectTarget, request: MoveRequest): Promise<ProspectRow> {
  const before = await lockVersion(tx, target);
  const current = await findStage(tx, before.stage_id);
  if (current === undefined) throw notFound('stage');
  const stage = request.stage_id === null ? null : await activeStage(tx, request.stage_id);
  const answer = decideMove(before, current, { stage, status: request.status, lost_reason: request.lost_reason });
  if (isRefused(answer)) {
    const { kind, ...members } = answer;
    throw new Problem({ code: 'prospect.move-refused', detail: refusalText(answer), members: { reason: kind, ...members } });
  }
  const changesStage = answer.stage_id !== before.stage_id;
  const row = await save(tx, before, {
    ...answer,
    ...(changesStage ? { stage_entered_at: sql<string>`now()` } : {}),
  });
  await appendHistory(tx, row, before);
  tx.audit({
    event: 'prospect.move',
    action: 'update',
    resource_type: 'prospect',
    resource_id: String(row.id),
    old_values: { stage_id: before.stage_id, status: before.status, probability: before.probability },
    new_values: answer,
  });
  return row;
}

/**
 * Removes a prospect by a mark; its history stays.
 *
 * @throws Problem `resource.not-found` when the person has no such prospect.
 */
export async function deleteProspect(tx: Tx, userId: string, id: number): Promise<void> {
  const before = await lockProspect(tx, userId, id);
  await save(tx, before, { deleted_at: sql<string>`now()` });
  tx.audit({
    event: 'prospect.delete',
    action: 'delete',
    resource_type: 'prospect',
    resource_id: String(before.id),
    old_values: before,
  });
}

/** A prospect of a person, locked until the transaction ends. @throws Problem `resource.not-found` when there is none. */
async function lockProspect(tx: Tx, userId: string, id: number): Promise<ProspectRow> {
  const row = await tx.sql
    .selectFrom('admin_prospects')
    .where('id', '=', id)
    .where('user_id', '=', userId)
    .where('deleted_at', 'is', null)
    .selectAll()
    .forUpdate()
    .executeTakeFirst();
  if (row === undefined) throw notFound('prospect');
  return row;
}

/** {@link lockProspect}, refused when the caller has read another version. */
async function lockVersion(tx: Tx, { user_id, id, ifMatch }: ProspectTarget): Promise<ProspectRow> {
  const row = await lockProspect(tx, user_id, id);
  return ifMatch === null ? row : assertVersion(row, expectedVersion(ifMatch));
}

/** The first stage of the default pipeline. */
async function firstStage(tx: Tx): Promise<NamedStage> {
  const [first] = await stagesOf(tx, await defaultPipelineId(tx));
  if (first === undefined) throw notFound('stage');
  return first;
}

type Changes = Omit<Updateable<CastellanSchema['admin_prospects']>, 'stage_entered_at' | 'deleted_at'> & {
  readonly stage_entered_at?: RawBuilder<string>;
  readonly deleted_at?: RawBuilder<string>;
};

async function save(tx: Tx, before: ProspectRow, changes: Changes): Promise<ProspectRow> {
  return tx.sql
    .updateTable('admin_prospects')
    .set({ ...changes, updated_at: sql<string>`now()`, version: before.version + 1 })
    .where('id', '=', before.id)
    .returningAll()
    .executeTakeFirstOrThrow();
}

async function activeStage(tx: Tx, id: number): Promise<NamedStage> {
  const stage = await findStage(tx, id);
  if (stage === undefined || stage.archived_at !== null) throw notFound('stage');
  return stage;
}

function assertRequiredFields(fields: ProspectFields, stage: NamedStage): void {
  const missing = stage.required_fields.filter((field) => (fields[field] ?? '') === '');
  if (missing.length === 0) return;
  const refusal = { kind: 'missing-fields', fields: missing } as const;
  throw new Problem({
    code: 'prospect.move-refused',
    detail: refusalText(refusal),
    members: { reason: refusal.kind, fields: missing },
  });
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
