import { z } from 'zod';
import { chainStates } from '../../domain/audit/audit-chain.ts';
import { auditActions, auditAreas, auditOutcomes } from '../../domain/audit/audit-entry.ts';
import { numberPosition, parseCursor } from '../../platform/database/keyset-page.ts';
import { timestamp, timestampInput, uuid } from '../../platform/value-schemas.ts';

/** What lists and exports of audit entries can be narrowed by (S2-29, S2-74). */
export const auditFilters = {
  user_id: uuid.optional().describe('User who acted'),
  event: z.string().max(100).optional().describe('The exact event, e.g. `flag.toggle`'),
  action: z.enum(auditActions).optional().describe('The kind of operation'),
  resource_type: z.string().max(100).optional(),
  resource_id: z.string().max(512).optional(),
  outcome: z.enum(auditOutcomes).optional(),
  request_id: z.string().max(100).optional(),
  from: timestampInput.optional().describe('At or after this time'),
  to: timestampInput.optional().describe('Before this time'),
};

/** Which chain is looked at; the platform's own is for the staff of the tenant that runs the platform. */
export const chainParam = {
  chain: z.enum(['tenant', 'platform']).default('tenant').describe('`platform`: entries that belong to no tenant'),
};

const hex = z.string().describe('SHA-256 in hex');

/** An entry in lists. */
export const AuditLogView = z
  .object({
    id: uuid,
    seq: z.int().describe('Place in the chain; gap-free, from 1'),
    tenant_id: uuid.nullable(),
    occurred_at: timestamp,
    recorded_at: timestamp.describe('When the database added it to the chain'),
    actor_kind: z.enum(['user', 'service', 'system']),
    user_id: uuid.nullable(),
    roles: z.array(z.string()),
    permissions_digest: hex,
    area: z.enum(auditAreas),
    event: z.string(),
    action: z.enum(auditActions),
    resource_type: z.string(),
    resource_id: z.string().nullable(),
    outcome: z.enum(auditOutcomes),
    reason: z.string().nullable().describe('Problem code of a refusal or failure'),
    session_id: z.string().nullable(),
    request_id: z.string().nullable(),
    trace_id: z.string().nullable(),
    workflow_id: z.string().nullable(),
    ip: z.string().nullable(),
    user_agent: z.string().nullable(),
    entry_hash: hex,
    chain_hash: hex,
  })
  .meta({ id: 'AuditLog' });

const AuditProof = z
  .object({
    leaf_index: z.int(),
    tree_size: z.int(),
    hashes: z.array(hex).describe('Inclusion proof, from the leaf up (RFC 6962)'),
    checkpoint: z.string().describe('Signed note (C2SP tlog-checkpoint)'),
    public_keys: z.array(z.string()),
  })
  .meta({ id: 'AuditProof' });

/** An entry with everything that is stored of it. */
export const AuditLogDetails = AuditLogView.extend({
  permissions: z.array(z.string()).describe('Permissions of the actor at the time'),
  old_values: z.unknown(),
  new_values: z.unknown(),
  entry: z.string().describe('The text that is hashed (RFC 8785)'),
  private: z.string().nullable().describe('The text that `private_digest` of the entry commits to'),
  proof: AuditProof.nullable().describe('Null where the chain is damaged and no checkpoint covers the entry'),
}).meta({ id: 'AuditLogDetails' });

/** A signed state of a chain. */
export const CheckpointView = z
  .object({
    chain_id: uuid,
    size: z.int(),
    root_hash: hex,
    note: z.string().describe('Signed note (C2SP tlog-checkpoint)'),
    created_at: timestamp,
  })
  .meta({ id: 'AuditCheckpoint' });

/** The newest signed state with what it takes to check it. */
export const LatestCheckpoint = CheckpointView.extend({
  public_keys: z.array(z.string()).describe('Verifier keys (C2SP signed-note), the active one first'),
  consistency_proof: z
    .object({ first: z.int(), hashes: z.array(hex) })
    .nullable()
    .describe('Proof that the checkpoint of size `since` is the beginning of this one'),
}).meta({ id: 'LatestAuditCheckpoint' });

/** The result of verifying a chain. */
export const VerificationView = z
  .object({
    chain_id: uuid,
    state: z
      .enum(chainStates)
      .describe(
        '`anchored`: agrees with a checkpoint from outside the database; `unanchored`: consistent with itself only; ' +
          '`damaged`: not what was written or signed',
      ),
    valid: z.boolean().describe('True for `anchored` only'),
    reason: z.string().nullable().describe('Why it is `unanchored`'),
    anchored_size: z.int().nullable().describe('Entries that the newest checkpoint from outside covers with which the chain agrees'),
    archive: z
      .object({
        to_seq: z.int().describe('Last entry of the archive'),
        archive_name: z.string().describe('File below AUDIT_ARCHIVE_DIR'),
        archive_digest: hex,
      })
      .nullable()
      .describe('Where the last of the entries are that were archived and dropped'),
    size: z.int(),
    root_hash: hex,
    chain_hash: hex,
    checkpoints_checked: z.int(),
    first_bad_seq: z.int().nullable(),
    findings: z.array(
      z.object({
        kind: z.enum(['entry', 'private', 'sequence', 'link', 'checkpoint', 'head']),
        seq: z.int(),
        detail: z.string(),
      }),
    ),
    duration_ms: z.int(),
  })
  .meta({ id: 'AuditVerification' });

/**
 * The number after which a page of a numbered list begins; null for the first page.
 *
 * @throws Problem `request.cursor-invalid`
 */
export function numberOfCursor(cursor: string | undefined): number | null {
  const number = parseCursor(cursor, numberPosition)?.[0];
  return number === undefined ? null : Number(number);
}
