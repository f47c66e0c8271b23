import { z } from 'zod';
import { chainStates } from '../../domain/audit/audit-chain.ts';
import { anchorSources, verificationOutcomes } from '../../domain/audit/audit-retention.ts';
import { timestamp, uuid } from '../../platform/value-schemas.ts';

/** What one verification of a chain has found. */
export const VerificationRecordBody = z
  .object({
    id: uuid,
    chain_id: uuid,
    verified_at: timestamp,
    size: z.int().describe('Entries of the chain at that time'),
    outcome: z
      .enum(verificationOutcomes)
      .describe('`decisions_differ`: the chain is intact, but Temporal has other decisions'),
    state: z.enum(chainStates).nullable().describe('Null in results of releases that did not ask for an anchor'),
    anchored_size: z.int().nullable().describe('Entries covered by the newest checkpoint from outside that agrees'),
    first_bad_seq: z.int().nullable().describe('The first entry that is surely or possibly affected'),
    decisions_compared: z.int().describe('Decisions found in Temporal histories'),
    histories_gone: z.int().describe('Histories that Temporal no longer retains'),
    findings: z.array(z.object({ kind: z.string(), seq: z.int(), detail: z.string() })),
    differences: z.array(
      z.object({
        workflow_id: z.string(),
        verdict: z.string(),
        user_id: z.string(),
        at_ms: z.int(),
        missing_in: z.enum(['audit', 'temporal']),
      }),
    ),
    duration_ms: z.int(),
    workflow_id: z.string().nullable(),
  })
  .meta({ id: 'AuditVerificationRecord' });

/** Rows of a chain that were archived and dropped. */
export const AuditSegmentBody = z
  .object({
    chain_id: uuid,
    from_seq: z.int().describe('First entry of the segment'),
    to_seq: z.int().describe('Last entry of the segment'),
    root_hash: z.string().describe('Root of the tree up to the last entry, SHA-256 in hex'),
    note: z.string().describe('Signed note that covers the last entry (C2SP tlog-checkpoint)'),
    archive_name: z.string().describe('File below AUDIT_ARCHIVE_DIR'),
    archive_digest: z.string().describe('SHA-256 of the file in hex'),
    witness: z.enum(anchorSources).describe('Where the checkpoint was read that covers it'),
    recorded_until: timestamp,
    dropped_at: timestamp,
  })
  .meta({ id: 'AuditSegment' });
