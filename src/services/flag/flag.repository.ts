import type { JsonObject } from '../../domain/shared/canonical.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { definitionOf } from '../../domain/flag/flag.ts';
import type { FlagDefinition } from '../../domain/flag/flag.ts';
import { threeWayDiff } from '../../domain/shared/three-way-diff.ts';
import type { FlagChange } from '../../entities/flag/flag.entity.ts';
import type { ProblemCode } from '../../domain/shared/problem-codes.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import type { ActionRequest, Authority } from '../actions/action.ts';
import { jsonb } from '../../platform/database/jsonb.ts';
import { flagDefinitionColumns } from './flag.queries.ts';
import type { FlagPlace } from './flag.queries.ts';

/** A flag as it is stored, locked until the transaction ends. */
export interface StoredFlag extends FlagPlace {
  readonly id: string;
  readonly version: number;
  readonly definition: FlagDefinition;
}

/** @throws Problem `resource.not-found` when there is no such flag in the caller's tenant. */
export async function lockFlag(tx: Tx, { key, environment }: FlagPlace): Promise<StoredFlag> {
  const row = await tx.sql
    .selectFrom('admin_feature_flags')
    .where('key', '=', key)
    .where('environment', '=', environment)
    .select(['id', 'version', ...flagDefinitionColumns])
    .forUpdate()
    .executeTakeFirst();
  if (row === undefined) throw notFound('feature flag');
  const { id, version, ...definition } = row;
  return { key, environment, id, version, definition };
}

/**
 * Refuses a change that was built on another version than the present one, with the three-way difference between the
 * definition it was built on, the present one, and the proposed one.
 *
 * @throws Problem with the given code and the members `current_version` and `differences`.
 */
export async function assertFlagVersion(
  tx: Tx,
  flag: StoredFlag,
  change: { version: number; proposed: FlagDefinition; code: ProblemCode },
): Promise<void> {
  if (flag.version === change.version) return;
  const base = await tx.sql
    .selectFrom('admin_flag_history')
    .where('flag_id', '=', flag.id)
    .where('version', '=', change.version)
    .select('definition')
    .executeTakeFirst();
  // Without such a version everything that differs from the present definition is shown.
  const from = base === undefined ? flag.definition : definitionOf(base.definition, null);
  throw new Problem({
    code: change.code,
    detail:
      `The flag is at version ${flag.version}, the change is based on version ${change.version}. Check the ` +
      'differences and repeat it.',
    members: {
      base_version: change.version,
      current_version: flag.version,
      differences: threeWayDiff(from, flag.definition, change.proposed),
    },
  });
}

/** How a change is recorded in history and audit. */
interface FlagChangeNote {
  readonly change: FlagChange;
  readonly event: string;
  readonly reason: string | null;
  readonly authority: Authority;
}

/** Inserts a flag at version 1 with its history, its audit entry and the invalidation of caches. */
export async function insertFlag(
  tx: Tx,
  place: FlagPlace,
  definition: FlagDefinition,
  note: FlagChangeNote,
): Promise<StoredFlag> {
  const { id } = await tx.sql
    .insertInto('admin_feature_flags')
    .values({
      tenant_id: tx.actor.tenant_id,
      key: place.key,
      environment: place.environment,
      ...columnsOf(definition),
      updated_by: tx.actor.user_id,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  const flag = { ...place, id, version: 1, definition };
  recordChange(tx, flag, null, note);
  return flag;
}

/** Writes the next version of a locked flag with its history, its audit entry and the invalidation of caches. */
export function saveFlag(
  tx: Tx,
  flag: StoredFlag,
  definition: FlagDefinition,
  note: FlagChangeNote,
): StoredFlag {
  const next = { ...flag, version: flag.version + 1, definition };
  // The row is locked, so there is nothing to wait for: change and history go with the audit entry and the commit.
  tx.defer(
    tx.sql
      .updateTable('admin_feature_flags')
      .set({
        ...columnsOf(definition),
        updated_by: tx.actor.user_id,
        updated_at: new Date().toISOString(),
        version: next.version,
      })
      .where('id', '=', flag.id),
  );
  recordChange(tx, next, flag.definition, note);
  return next;
}

/** The result of a flag action: what its undo is built of. */
export function flagResult(flag: StoredFlag, previous: FlagDefinition | null): JsonObject {
  return {
    key: flag.key,
    environment: flag.environment,
    version: flag.version,
    previous,
  };
}

/**
 * The change that restores what a flag action has replaced; it is stale as soon as somebody else changes the flag.
 */
export function restoreFlag({ key, environment }: FlagPlace, { version, previous }: JsonObject): ActionRequest {
  const reason = `Undo of version ${Number(version)}`;
  return {
    action: 'flag.update',
    payload: { key, environment, version: version ?? null, definition: previous ?? null, reason },
  };
}

/** The invalidation event of a change of an environment's flags. */
export function flagInvalidation(tenantId: string, environment: EnvironmentName): { kind: string; key: string } {
  return { kind: 'flags', key: `${tenantId}/${environment}` };
}

function recordChange(tx: Tx, flag: StoredFlag, before: FlagDefinition | null, note: FlagChangeNote): void {
  tx.defer(
    tx.sql.insertInto('admin_flag_history').values({
      tenant_id: tx.actor.tenant_id,
      flag_id: flag.id,
      key: flag.key,
      environment: flag.environment,
      version: flag.version,
      change: note.change,
      definition: jsonb(flag.definition),
      changed_by: tx.actor.user_id,
      reason: note.reason,
      approval_id: note.authority.kind === 'approval' ? note.authority.approval_id : null,
    }),
  );
  const about = { key: flag.key, environment: flag.environment };
  tx.audit({
    event: note.event,
    action: before === null ? 'create' : 'update',
    resource_type: 'feature_flag',
    resource_id: flag.id,
    old_values: before === null ? undefined : { ...about, version: flag.version - 1, ...before },
    new_values: { ...about, version: flag.version, ...flag.definition, reason: note.reason, authority: note.authority },
  });
  tx.invalidate(flagInvalidation(tx.actor.tenant_id, flag.environment));
}

function columnsOf(definition: FlagDefinition) {
  return { ...definition, variants: jsonb(definition.variants), rules: jsonb(definition.rules) };
}
