import type { JsonObject } from '../../domain/shared/canonical.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import type { IntegrationConfig, IntegrationKind, StrikeReason, SyncStatus, SyncTrigger } from '../../domain/integration/integration.ts';
import type { RecordFailure } from '../../domain/integration/integration-records.ts';
import { jsonb, timestamp } from '../shared/column-types.ts';
import {
  defineEntity,
  p,
  tenantColumns,
  tenantPolicies,
  updatedAt,
  versionedColumns,
} from '../shared/tenant-columns.ts';
import type { RotationStatus } from '../../domain/integration/key-rotation.ts';

/** A remote system that a tenant is connected with (S2-48). */
export const IntegrationEntity = defineEntity({
  name: 'Integration',
  tableName: 'admin_integrations',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    name: p.text(),
    kind: p.text().$type<IntegrationKind>(),
    /** The environment that the integration serves; the gate of its key rotation depends on it. */
    environment: p.text().$type<EnvironmentName>(),
    config: jsonb<IntegrationConfig>(),
    secret_ciphertext: p.text().hidden().lazy(),
    /** A keyed hash: equal for equal secrets, and reveals nothing else. */
    secret_fingerprint: p.text(),
    secret_changed_at: timestamp().defaultRaw('now()'),
    /** The remote service's id of the key, by which it is revoked; null while unknown. */
    key_id: p.text().nullable(),
    is_enabled: p.boolean().default(true),
    /** Null: only by hand. */
    sync_every_seconds: p.integer().nullable(),
    /** The Temporal Schedule does not match the row yet; the sweep updates it. */
    is_schedule_due: p.boolean().default(false),
    last_sync_status: p.text().nullable().$type<SyncStatus>(),
    last_sync_at: timestamp().nullable(),
    /** How often in a row its source has ended the process that read it. */
    strikes: p.integer().default(0),
    last_strike_at: timestamp().nullable(),
    last_strike_reason: p.text().nullable().$type<StrikeReason>(),
    /** Since when it is not read, because of its strikes. */
    quarantined_at: timestamp().nullable(),
    /** The process that reads it at present, or that ended while it did. */
    running_by: p.uuid().nullable(),
    running_since: timestamp().nullable(),
    created_by: p.uuid().nullable(),
    deleted_at: timestamp().nullable(),
    ...versionedColumns,
  },
});

/** One sync: the operation that a caller follows, and the position from which another worker continues. */
export const SyncJobEntity = defineEntity({
  name: 'SyncJob',
  tableName: 'admin_sync_jobs',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    integration_id: p.uuid(),
    trigger: p.text().$type<SyncTrigger>(),
    requested_by: p.uuid().nullable(),
    status: p.text().default('running').$type<SyncStatus>(),
    created_count: p.integer().default(0),
    updated_count: p.integer().default(0),
    unchanged_count: p.integer().default(0),
    failed_count: p.integer().default(0),
    /** Records that this pass was the first to miss, and those that it removed because an earlier pass had missed them. */
    missing_count: p.integer().default(0),
    removed_count: p.integer().default(0),
    page_count: p.integer().default(0),
    /** The cursor of the next page; written together with the page before it. */
    cursor: p.text().nullable(),
    /** The first records that could not be stored. */
    failures: jsonb<readonly RecordFailure[]>().defaultRaw("'[]'"),
    error_code: p.text().nullable(),
    error_detail: p.text().nullable(),
    /** From then on it writes nothing more and does not end as succeeded. */
    cancel_requested_at: timestamp().nullable(),
    ended_at: timestamp().nullable(),
    ...versionedColumns,
  },
});

/** A remote record with its newest payload. */
export const IntegrationRecordEntity = defineEntity({
  name: 'IntegrationRecord',
  tableName: 'integration_records',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    integration_id: p.uuid(),
    external_id: p.text(),
    /** Hex SHA-256 of the payload's canonical JSON; tells whether the payload has changed. */
    payload_digest: p.text().columnType('char(64)'),
    payload: jsonb<JsonObject>(),
    /** The sync that changed it last; null when it came by webhook. */
    sync_job_id: p.uuid().nullable(),
    /** The sync that saw it last, changed or not; null when it came by webhook. */
    seen_job_id: p.uuid().nullable(),
    /** When a sync first missed it; null while the remote system has it. */
    missing_since: timestamp().nullable(),
    ...updatedAt,
  },
});

/** The id of an accepted webhook message, which is not accepted a second time. Kept for a day. */
export const IntegrationMessageEntity = defineEntity({
  name: 'IntegrationMessage',
  tableName: 'integration_messages',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    integration_id: p.uuid(),
    message_id: p.text(),
  },
});

/** One exchange of an integration's key, step by step (S2-21). */
export const KeyRotationEntity = defineEntity({
  name: 'KeyRotation',
  tableName: 'admin_key_rotations',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    integration_id: p.uuid(),
    requested_by: p.uuid().nullable(),
    approval_id: p.uuid().nullable(),
    reason: p.text().nullable(),
    status: p.text().default('requested').$type<RotationStatus>(),
    grace_seconds: p.integer(),
    old_key_id: p.text(),
    old_fingerprint: p.text(),
    new_key_id: p.text().nullable(),
    new_fingerprint: p.text().nullable(),
    /** Set from the creation of the key until the switch. */
    new_secret_ciphertext: p.text().nullable().hidden().lazy(),
    /** From the switch until the old key is proven to be refused. */
    old_secret_ciphertext: p.text().nullable().hidden().lazy(),
    /** Set before the remote service is asked for a key: from then on a key may exist that is not stored here. */
    creation_started_at: timestamp().nullable(),
    verified_at: timestamp().nullable(),
    switched_at: timestamp().nullable(),
    grace_until: timestamp().nullable(),
    revoke_attempts: p.integer().default(0),
    next_attempt_at: timestamp().nullable(),
    /** When a call with the old key was refused: the proof. */
    refused_at: timestamp().nullable(),
    /** Why the last attempt of the present step failed; null once an attempt has succeeded. */
    attempt_error_code: p.text().nullable(),
    attempt_error_detail: p.text().nullable(),
    /** Why the rotation was given up; null when a person aborted it. */
    error_code: p.text().nullable(),
    error_detail: p.text().nullable(),
    ended_at: timestamp().nullable(),
    ...updatedAt,
  },
});
