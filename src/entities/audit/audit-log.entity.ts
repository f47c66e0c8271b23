import type { AuditAction, AuditArea, AuditOutcome } from '../../domain/audit/audit-entry.ts';
import { timestamp } from '../shared/column-types.ts';
import { currentTenantSql, defineEntity, p } from '../shared/tenant-columns.ts';

/** The policies of a table that belongs to a chain: a chain id is the tenant's id, or that of the platform's chain. */
const chainPolicies = [
  {
    name: 'tenant_isolation',
    type: 'restrictive' as const,
    roles: ['castellan_app'],
    using: `chain_id = ${currentTenantSql}`,
    check: `chain_id = ${currentTenantSql}`,
  },
  { name: 'app_access', type: 'permissive' as const, roles: ['castellan_app'], using: 'true', check: 'true' },
];

/**
 * One row of an audit chain (S4-4, X-7). Read only: rows come from the SQL function `audit_append`, which fills the
 * columns from `id` to `request_id` from `entry`. They exist to be filtered by; what is displayed comes from `entry`
 * itself. The columns from `reason` on are virtual, which MikroORM's introspection also calls "stored".
 */
export const AuditLogEntity = defineEntity({
  name: 'AuditLog',
  tableName: 'audit_logs',
  rowLevelSecurity: 'force',
  policies: chainPolicies,
  properties: {
    chain_id: p.uuid().primary(),
    seq: p.bigint('number').primary(),
    recorded_at: timestamp(),
    entry: p.json().columnType('json'),
    private: p.json().columnType('json').nullable(),
    entry_hash: p.blob(),
    chain_hash: p.blob(),
    id: p.uuid(),
    tenant_id: p.uuid().nullable(),
    occurred_at: timestamp(),
    user_id: p.uuid().nullable(),
    area: p.text().$type<AuditArea>(),
    event: p.text(),
    action: p.text().$type<AuditAction>(),
    resource_type: p.text(),
    resource_id: p.text().nullable(),
    outcome: p.text().$type<AuditOutcome>(),
    request_id: p.text().nullable(),
    reason: p.text().nullable().generated("(entry ->> 'reason'::text) stored"),
    session_id: p.text().nullable().generated("(entry ->> 'session_id'::text) stored"),
    trace_id: p.text().nullable().generated("(entry ->> 'trace_id'::text) stored"),
    workflow_id: p.text().nullable().generated("(entry ->> 'workflow_id'::text) stored"),
    ip: p.text().nullable().generated("(private ->> 'ip'::text) stored"),
    user_agent: p.text().nullable().generated("(private ->> 'user_agent'::text) stored"),
    old_values: p.json().columnType('json').nullable().generated("(private -> 'old_values'::text) stored"),
    new_values: p.json().columnType('json').nullable().generated("(private -> 'new_values'::text) stored"),
  },
});

/** The end of each chain, locked while a row is appended. Written by `audit_append` only. */
export const AuditHeadEntity = defineEntity({
  name: 'AuditHead',
  tableName: 'audit_heads',
  rowLevelSecurity: 'force',
  policies: chainPolicies,
  properties: { chain_id: p.uuid().primary(), size: p.bigint('number'), chain_hash: p.blob() },
});

/** The lists of effective permissions that entries of a chain name by their digest. */
export const AuditPermissionSetEntity = defineEntity({
  name: 'AuditPermissionSet',
  tableName: 'audit_permission_sets',
  rowLevelSecurity: 'force',
  policies: chainPolicies,
  properties: {
    chain_id: p.uuid().primary(),
    digest: p.text().primary(),
    permissions: p.json().columnType('json').$type<string[]>(),
  },
});

/** A signed state of a chain (C2SP tlog-checkpoint) and what is needed to go on from it. */
export const AuditCheckpointEntity = defineEntity({
  name: 'AuditCheckpoint',
  tableName: 'audit_checkpoints',
  rowLevelSecurity: 'force',
  policies: chainPolicies,
  properties: {
    chain_id: p.uuid().primary(),
    size: p.bigint('number').primary(),
    root_hash: p.blob(),
    chain_hash: p.blob(),
    note: p.text(),
    frontier: p.array().columnType('bytea[]').$type<Uint8Array[]>(),
    created_at: timestamp().defaultRaw('now()'),
  },
});

/** Roots of complete subtrees of 256, 65,536, … leaves: enough to prove any entry with a few short reads. */
export const AuditTreeNodeEntity = defineEntity({
  name: 'AuditTreeNode',
  tableName: 'audit_tree_nodes',
  rowLevelSecurity: 'force',
  policies: chainPolicies,
  properties: {
    chain_id: p.uuid().primary(),
    level: p.smallint().primary(),
    index: p.bigint('number').primary(),
    hash: p.blob(),
  },
});
