import { changesBetween } from '../../domain/approval/change-detail.ts';
import type { FlagDefinition } from '../../domain/flag/flag.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadScope, ReadSource } from '../../platform/database/read.ts';
import type { ChangeBasis, ChangeText } from '../actions/action.ts';
import { flagDefinitionColumns } from './flag.queries.ts';
import type { FlagPlace } from './flag.queries.ts';

/** The version that a change of a flag was built on, and the one that is there. */
export function flagBasis({ key, environment, version }: FlagPlace & { readonly version: number | null }): ChangeBasis {
  return {
    base_version: version,
    judged_by: 'version',
    query: kysely
      .selectFrom('admin_feature_flags')
      .where('key', '=', key)
      .where('environment', '=', environment)
      .select('version'),
  };
}

/**
 * What approvers read of a change of a flag: every field that differs from the flag as it is.
 *
 * @param change makes the new definition of the present one.
 */
export async function flagChangeText(
  db: ReadSource,
  scope: ReadScope,
  { key, environment }: FlagPlace,
  description: string,
  change: (before: FlagDefinition | null) => FlagDefinition | null,
): Promise<ChangeText> {
  const [before] = await read(
    db,
    scope,
    kysely
      .selectFrom('admin_feature_flags')
      .where('key', '=', key)
      .where('environment', '=', environment)
      .select(flagDefinitionColumns),
  );
  const after = change(before ?? null);
  return { description, changes: after === null ? [] : changesBetween(before ?? null, after) };
}
