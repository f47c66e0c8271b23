import { sql } from 'kysely';
import { environmentNames } from '../../domain/shared/environment.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { toPage } from '../../platform/database/keyset-page.ts';
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

/**
 * A page of flags by key, of one environment or of all: a key is in one page with all of its environments (U-23).
 *
 * @param limit keys of a page; the rows of one key more are read. {@link flagPage} makes the answer of the rows.
 */
export function flagsByKeyQuery(
  environment: EnvironmentName | undefined,
  { after, limit }: { readonly after: Position | null; readonly limit: number },
) {
  const flags = () => kysely.selectFrom('admin_feature_flags').where((eb) => eb.and({ environment }));
  const keys = flags()
    .$call((q) => (after === null ? q : q.where('key', '>', after[0])))
    .select('key')
    .distinct()
    .orderBy('key')
    .limit(limit + 1);
  return flags()
    .where('key', 'in', keys)
    .orderBy('key')
    .orderBy(sql`array_position(${environmentNames}::text[], environment)`)
    .select(flagColumns);
}

/** The page of `limit` keys out of the rows of {@link flagsByKeyQuery}. */
export function flagPage<Row extends { readonly key: string; readonly id: string }>(rows: readonly Row[], limit: number) {
  const keys = new Set([...new Set(rows.map(({ key }) => key))].slice(0, limit));
  const shown = rows.filter(({ key }) => keys.has(key));
  // All rows of a key are shown or none, so the rows decide whether there are more.
  const next = shown.length < rows.length ? shown.length : Infinity;
  return toPage(rows, next, (row) => [row.key, row.id], (row) => row);
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
