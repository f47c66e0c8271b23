import type { JsonObject } from '../../domain/shared/canonical.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import type { IntegrationConfig, IntegrationKind, SyncStatus, SyncTrigger } from '../../domain/integration/integration.ts';
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

/** A remote system that the portal is connected with (S2-48). */
export const IntegrationEntity = defineEntity({
  name: 'Integration',
  tableName: 'admin_integrations',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    name: p.text(),
    kind: p.text().$type<IntegrationKind>(),
    /** What the integration serves; decides how strongly its key rotation is guarded. */
    environment: p.text().$type<EnvironmentName>(),
    config: jsonb<IntegrationConfig>(),
    secret_ciphertext: p.text().hidden().lazy(),
    /** Keyed: tells equal secrets without showing one. */
    secret_fingerprint: p.text(),
    secret_changed_at: timestamp().defaultRaw('now()'),
    /** The remote service's own name of the key, by which it is revoked; null while nobody has told. */
    key_id: p.text().nullable(),
    is_enabled: p.boolean().default(true),
    /** Null: only by hand. */
    sync_every_seconds: p.integer().nullable(),
    /** The Temporal Schedule is behind the row; the sweep brings it up. */
    is_schedule_due: p.boolean().default(false),
    last_sync_status: p.text().nullable().$type<SyncStatus>(),
    last_sync_at: timestamp().nullable(),
    created_by: p.uuid().nullable(),
    deleted_at: timestamp().nullable(),
    ...versionedColumns,
  },
});

/** One sync: the operation that a caller follows, and the place from which a new worker goes on. */
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
    /** Records that this pass was the first to miss, and those that it removed because the one before had missed them. */
    missing_count: p.integer().default(0),
    removed_count: p.integer().default(0),
    page_count: p.integer().default(0),
    /** Where the next page begins; written with the page before it. */
    cursor: p.text().nullable(),
    /** The first records that could not be taken. */
    failures: jsonb<readonly RecordFailure[]>().defaultRaw("'[]'"),
    error_code: p.text().nullable(),
    error_detail: p.text().nullable(),
    ended_at: timestamp().nullable(),
    ...updatedAt,
  },
});

/** What is known of a remote record: its newest payload. */
export const IntegrationRecordEntity = defineEntity({
  name: 'IntegrationRecord',
  tableName: 'integration_records',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    integration_id: p.uuid(),
    external_id: p.text(),
    /** Hex SHA-256 of the payload's canonical JSON: tells an update from a repetition. */
    payload_digest: p.text().columnType('char(64)'),
    payload: jsonb<JsonObject>(),
    /** The sync that wrote it last; null when it came by webhook. */
    sync_job_id: p.uuid().nullable(),
    /** The sync that saw it last, changed or not; null when it came by webhook. */
    seen_job_id: p.uuid().nullable(),
    /** Since when the remote system does not have it any more; null while it has. */
    missing_since: timestamp().nullable(),
    ...updatedAt,
  },
});

/** A webhook message that was accepted; the same id is not accepted again. Kept for a day. */
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
    /** Until the switch. */
    new_secret_ciphertext: p.text().nullable().hidden().lazy(),
    /** From the switch until the old key is known to be refused. */
    old_secret_ciphertext: p.text().nullable().hidden().lazy(),
    /** Set before the remote service is asked for a key: from then on there may be one that we do not know of. */
    creation_started_at: timestamp().nullable(),
    verified_at: timestamp().nullable(),
    switched_at: timestamp().nullable(),
    grace_until: timestamp().nullable(),
    revoke_attempts: p.integer().default(0),
    next_attempt_at: timestamp().nullable(),
    /** When a call with the old key was refused: the proof. */
    refused_at: timestamp().nullable(),
    /** What went wrong with the last try of the present step; null once a try has succeeded. */
    attempt_error_code: p.text().nullable(),
    attempt_error_detail: p.text().nullable(),
    /** Why the rotation was given up; null when a person called it off. */
    error_code: p.text().nullable(),
    error_detail: p.text().nullable(),
    ended_at: timestamp().nullable(),
    ...updatedAt,
  },
});
