import { sql } from 'kysely';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import type { Position } from '../../platform/database/keyset-page.ts';

/** The columns of a flag that make up its definition. */
export const flagDefinitionColumns = [
  'description',
  'value_type',
  'variants',
  'enabled',
  'on_variant',
  'off_variant',
  'rollout_percentage',
  'rules',
  'off_is_safe',
] as const;

/** The columns of a flag in answers. */
export const flagColumns = [
  'id',
  'key',
  'environment',
  ...flagDefinitionColumns,
  'updated_by',
  'created_at',
  'updated_at',
  'version',
] as const;

/** Which flag: a key means one thing in one environment. */
export interface FlagPlace {
  readonly key: string;
  readonly environment: EnvironmentName;
}

/** A page of flags by key, of one environment or of all, with one row more than `limit`. */
export function flagsByKeyQuery(
  environment: EnvironmentName | undefined,
  { after, limit }: { readonly after: Position | null; readonly limit: number },
) {
  return kysely
    .selectFrom('admin_feature_flags')
    .where((eb) => eb.and({ environment }))
    .$call((q) => (after === null ? q : q.where(sql<boolean>`(key, id) > (${after[0]}, ${after[1]})`)))
    .orderBy('key')
    .orderBy('id')
    .limit(limit + 1)
    .select(flagColumns);
}

/** One flag in one environment. */
export function flagQuery({ key, environment }: FlagPlace) {
  return kysely
    .selectFrom('admin_feature_flags')
    .where('key', '=', key)
    .where('environment', '=', environment)
    .select(flagColumns);
}

/** Every version of a flag, in one environment or in all, for a page. */
export function flagHistoryQuery(key: string, environment: EnvironmentName | undefined) {
  return kysely
    .selectFrom('admin_flag_history')
    .where((eb) => eb.and({ key, environment }))
    .select(['id', 'key', 'environment', 'version', 'change', 'definition', 'changed_by', 'reason'])
    .select(['approval_id', 'created_at']);
}
