import type { ChainState } from '../../domain/audit/audit-chain.ts';
import type { AnchorSource, VerificationOutcome, WitnessKind } from '../../domain/audit/audit-retention.ts';
import { timestamp } from '../shared/column-types.ts';
import { currentTenantSql, defineEntity, p, tenantColumns, tenantPolicies } from '../shared/tenant-columns.ts';

/** The policies of a table that belongs to a chain, as those of the log itself. */
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

/** One verification of a chain; the newest is the state of the audit. Append-only. */
export const AuditVerificationEntity = defineEntity({
  name: 'AuditVerification',
  tableName: 'audit_verifications',
  rowLevelSecurity: 'force',
  policies: chainPolicies,
  properties: {
    chain_id: p.uuid().primary(),
    id: p.uuid().primary().defaultRaw('gen_random_uuid()'),
    verified_at: timestamp().defaultRaw('now()'),
    size: p.bigint('number'),
    outcome: p.text().$type<VerificationOutcome>(),
    first_bad_seq: p.bigint('number').nullable(),
    state: p.text().$type<ChainState>().nullable(),
    anchored_size: p.bigint('number').nullable(),
    findings: p.json().columnType('json').defaultRaw("'[]'"),
    decisions_compared: p.integer().default(0),
    histories_gone: p.integer().default(0),
    differences: p.json().columnType('json').defaultRaw("'[]'"),
    duration_ms: p.integer().default(0),
    workflow_id: p.text().nullable(),
  },
});

/**
 * The delivery of one checkpoint to one witness. A failed one is followed a minute later by one of the newest
 * checkpoint.
 */
export const AuditWitnessDeliveryEntity = defineEntity({
  name: 'AuditWitnessDelivery',
  tableName: 'audit_witness_deliveries',
  rowLevelSecurity: 'force',
  policies: chainPolicies,
  properties: {
    chain_id: p.uuid().primary(),
    witness: p.text().primary().$type<WitnessKind>(),
    size: p.bigint('number').primary(),
    status: p.text().$type<'delivered' | 'failed'>(),
    attempts: p.integer().default(1),
    error: p.text().nullable(),
    first_tried_at: timestamp().defaultRaw('now()'),
    delivered_at: timestamp().nullable(),
  },
});

/** Rows of a chain that were archived and dropped, with what the verification of later rows needs. Append-only. */
export const AuditSegmentEntity = defineEntity({
  name: 'AuditSegment',
  tableName: 'audit_segments',
  rowLevelSecurity: 'force',
  policies: chainPolicies,
  properties: {
    chain_id: p.uuid().primary(),
    to_seq: p.bigint('number').primary(),
    from_seq: p.bigint('number'),
    root_hash: p.blob(),
    chain_hash: p.blob(),
    frontier: p.array().columnType('bytea[]').$type<Uint8Array[]>(),
    note: p.text(),
    archive_name: p.text(),
    archive_digest: p.blob(),
    witness: p.text().$type<AnchorSource>(),
    recorded_until: timestamp(),
    dropped_at: timestamp().defaultRaw('now()'),
  },
});

/** How long entries are kept: one row, which the application can only read. */
export const AuditRetentionSettingsEntity = defineEntity({
  name: 'AuditRetentionSettings',
  tableName: 'audit_retention_settings',
  properties: {
    id: p.smallint().primary().autoincrement(false).default(1),
    keep_days: p.integer().default(365),
    changed_at: timestamp().defaultRaw('now()'),
    changed_by: p.text().defaultRaw('session_user'),
  },
});

/** The key that opens what the log holds about a person. Without it the rows still verify but cannot be read. */
export const AuditPersonKeyEntity = defineEntity({
  name: 'AuditPersonKey',
  tableName: 'audit_person_keys',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    person_id: p.uuid(),
    key_ciphertext: p.text().nullable(),
    destroyed_at: timestamp().nullable(),
    destroyed_by: p.uuid().nullable(),
  },
});
