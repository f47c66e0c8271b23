import { z } from 'zod';
import { timestamp, uuid } from '../../platform/value-schemas.ts';
import { integrationConfig, integrationEnvironment } from '../../services/integration/integration.payload.ts';
import { integrationKinds, maskedSecret, strikeReasons, syncStatuses, syncTriggers } from '../../domain/integration/integration.ts';
import { rotationStatuses } from '../../domain/integration/key-rotation.ts';

const version = z.int().describe('Send as ETag in If-Match');

/** An integration as the API shows it, to whomever: without its secret (S2-58). */
export const IntegrationBody = z
  .object({
    id: uuid,
    name: z.string(),
    kind: z.enum(integrationKinds),
    environment: integrationEnvironment,
    config: integrationConfig,
    secret: z.literal(maskedSecret).describe('A mask of fixed length; `…/reveal-secret` shows the value'),
    secret_fingerprint: z.string().describe('Keyed hash: equal for equal secrets, and reveals nothing else'),
    secret_changed_at: timestamp,
    key_id: z.string().nullable().describe('Id of the key in the remote service'),
    webhook_url: z.url().nullable().describe('Address to which a webhook source sends; null for other kinds'),
    is_enabled: z.boolean(),
    sync_every_seconds: z.int().nullable().describe('Seconds between scheduled syncs; null: only on request'),
    last_sync_status: z.enum(syncStatuses).nullable(),
    last_sync_at: timestamp.nullable(),
    strikes: z.int().describe('How often in a row its source has ended the process that read it; 0 after a page that was stored'),
    last_strike_at: timestamp.nullable(),
    last_strike_reason: z.enum(strikeReasons).nullable().describe('How that process ended'),
    quarantined_at: timestamp
      .nullable()
      .describe('Since when it is not read, because of two strikes; a new configuration or `…/release` ends it'),
    created_by: uuid.nullable(),
    created_at: timestamp,
    updated_at: timestamp,
    version,
  })
  .meta({ id: 'Integration' });

type IntegrationRow = Omit<z.input<typeof IntegrationBody>, 'secret' | 'webhook_url'>;

/** Presents a row: with a masked secret and the URL that a webhook source sends to. */
export function presentIntegration(row: IntegrationRow, publicUrl: string): z.input<typeof IntegrationBody> {
  const url = new URL(`/integrations/${row.id}/webhook`, publicUrl).href;
  return { ...row, secret: maskedSecret, webhook_url: row.kind === 'webhook_source' ? url : null };
}

/** The secret itself, with its fingerprint and key id. */
export const RevealedSecretBody = z
  .object({
    secret: z.string(),
    secret_fingerprint: z.string(),
    secret_changed_at: timestamp,
    key_id: z.string().nullable(),
  })
  .meta({ id: 'RevealedSecret' });

/** Where a secret was found. */
export const SecretUsesBody = z
  .object({
    uses: z.array(
      z.object({
        integration_id: uuid,
        rotation_id: uuid.nullable().describe('Null: the integration uses it now'),
      }),
    ),
  })
  .meta({ id: 'SecretUses' });

/** A record of the remote system as it was last fetched or received. */
export const IntegrationRecordBody = z
  .object({
    id: uuid,
    external_id: z.string(),
    payload: z.record(z.string(), z.unknown()).describe('Members whose names look like secrets are hidden'),
    payload_digest: z.string().describe('Hex SHA-256 of the canonical payload'),
    sync_job_id: uuid.nullable().describe('The sync that wrote it; null when it came by webhook'),
    missing_since: timestamp
      .nullable()
      .describe('Since when the remote system no longer has it; the next complete sync removes it'),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'IntegrationRecord' });

const count = (what: string) => z.int().min(0).describe(what);

/** A sync: the operation that a caller follows to its final status. */
export const SyncJobBody = z
  .object({
    id: uuid,
    integration_id: uuid,
    trigger: z.enum(syncTriggers),
    requested_by: uuid.nullable(),
    status: z.enum(syncStatuses).describe('All statuses except `running` are final'),
    created_count: count('New records'),
    updated_count: count('Changed records'),
    unchanged_count: count('Unchanged records'),
    failed_count: count('Records that could not be stored'),
    missing_count: count('Records found missing in the remote system for the first time'),
    removed_count: count('Records that were missing in the previous complete sync as well, and are removed'),
    page_count: count('Pages that are written'),
    failures: z.array(
      z.object({
        external_id: z.string().nullable(),
        place: count('Place on its page, from 0'),
        reason: z.string(),
      }),
    ),
    error_code: z.string().nullable(),
    error_detail: z.string().nullable(),
    created_at: timestamp,
    ended_at: timestamp.nullable(),
  })
  .meta({ id: 'SyncJob' });

/** A key rotation, step by step. */
export const KeyRotationBody = z
  .object({
    id: uuid,
    integration_id: uuid,
    requested_by: uuid.nullable(),
    approval_id: uuid.nullable(),
    reason: z.string().nullable(),
    status: z.enum(rotationStatuses).describe('`completed`, `aborted` and `failed` are final'),
    grace_seconds: count('Seconds for which the old key works beside the new one'),
    old_key_id: z.string(),
    old_fingerprint: z.string(),
    new_key_id: z.string().nullable(),
    new_fingerprint: z.string().nullable(),
    verified_at: timestamp.nullable().describe('When a live call with the new key was accepted'),
    switched_at: timestamp.nullable(),
    grace_until: timestamp.nullable(),
    revoke_attempts: count('Failed attempts to revoke'),
    next_attempt_at: timestamp.nullable(),
    refused_at: timestamp.nullable().describe('When a call with the old key was refused: the proof that it is revoked'),
    attempt_error_code: z.string().nullable().describe('Error of the last attempt of the current step'),
    attempt_error_detail: z.string().nullable(),
    error_code: z.string().nullable().describe('Why the rotation failed'),
    error_detail: z.string().nullable(),
    created_at: timestamp,
    updated_at: timestamp,
    ended_at: timestamp.nullable(),
  })
  .meta({ id: 'KeyRotation' });
