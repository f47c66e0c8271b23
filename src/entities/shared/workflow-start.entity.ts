import type { JsonObject } from '../../domain/shared/canonical.ts';
import { jsonb, timestamp } from './column-types.ts';
import { defineEntity, p, tenantPolicies } from './tenant-columns.ts';

/**
 * A workflow that a committed change needs and that is not known to run yet. Written in the transaction of the change and
 * deleted when the start has been answered, so that no row is left without its workflow.
 */
export const WorkflowStartEntity = defineEntity({
  name: 'WorkflowStart',
  tableName: 'workflow_starts',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    id: p.uuid().primary().defaultRaw('gen_random_uuid()'),
    tenant_id: p.uuid(),
    /** Which workflow; the client file of the workflow knows how it is started. */
    kind: p.text(),
    /** Ids only. */
    input: jsonb<JsonObject>(),
    attempts: p.integer().default(0),
    /** When it is started, or tried again. */
    due_at: timestamp(),
    created_at: timestamp().defaultRaw('now()'),
  },
});
