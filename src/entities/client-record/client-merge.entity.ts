import type { MergeField, MergeValues } from '../../domain/client-record/client-merge.ts';
import { jsonb, timestamp } from '../shared/column-types.ts';
import { defineEntity, p, tenantColumns, tenantPolicies, versionedColumns } from '../shared/tenant-columns.ts';

/** A client that was merged into another one, and what it takes to undo that. */
export const ClientMergeEntity = defineEntity({
  name: 'ClientMerge',
  tableName: 'client_merges',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    /** The one that stays. */
    client_id: p.uuid(),
    /** The one that is deleted by it. */
    merged_id: p.uuid(),
    /** The fields whose values the client took from the other. */
    taken_fields: p.array().$type<MergeField[]>(),
    /** What the client had in these fields. Personal data: cleared when it cannot be put back any more. */
    former_values: jsonb<Partial<MergeValues>>().nullable(),
    values_cleared_at: timestamp().nullable(),
    /** The ids of what referred to the merged client, by the name of the reference (`client-references.ts`). */
    moved: jsonb<Readonly<Record<string, readonly string[]>>>(),
    merged_by: p.uuid().nullable(),
    ...versionedColumns,
    undo_until: timestamp(),
    undone_at: timestamp().nullable(),
    undone_by: p.uuid().nullable(),
  },
});
