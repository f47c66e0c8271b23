import { timestamp } from './column-types.ts';
import { defineEntity, p, tenantPolicies } from './tenant-columns.ts';

/** It may still be carried out, it was, or it never will be. */
export type CommandState = 'open' | 'done' | 'void';

/**
 * A command: a request that changes something, under the Idempotency-Key of its caller or one that was drawn for it. The
 * transaction that makes the change takes the row from `open` to `done`; whoever wants to say that nothing was changed takes
 * it to `void` first (ADR 23). A repetition gets the stored answer for a day.
 */
export const IdempotencyKeyEntity = defineEntity({
  name: 'IdempotencyKey',
  tableName: 'idempotency_keys',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    tenant_id: p.uuid().primary(),
    principal: p.text().primary(),
    key: p.text().primary(),
    fingerprint: p.blob(),
    /** Drawn anew for each attempt; the id of the row, the workflow and the update that the command makes. */
    command_id: p.uuid().defaultRaw('gen_random_uuid()'),
    state: p.text().$type<CommandState>().default('open'),
    /** When an open command ends, by the clock of the database. */
    not_after: timestamp().defaultRaw('now()'),
    /** Of the HTTP answer; null where `response_sealed` is the result of a workflow, which is presented anew. */
    status: p.integer().nullable(),
    response_sealed: p.text().nullable(),
    created_at: timestamp().defaultRaw('now()'),
    expires_at: timestamp(),
  },
});
