import { sql } from 'kysely';
import { z } from 'zod';
import { erasableKinds, personErase } from '../../services/identity/person-erase.action.ts';
import { runGatedAction } from '../../services/actions/run-action.ts';
import { verificationOutcomes, witnessKinds } from '../../domain/audit/audit-retention.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { read } from '../../platform/database/read.ts';
import { ApprovalBody } from '../approval/approval.schemas.ts';
import { chainOf, chainParam, chainScope } from '../../services/audit/audit-log.queries.ts';
import { newestFirst, numberPosition, pageOf, pageQuery, parseCursor, toPage } from '../../platform/database/keyset-page.ts';
import { reply, route } from '../http/route.ts';
import { idParams, timestamp } from '../../platform/value-schemas.ts';

const VerificationRecord = z
  .object({
    id: z.uuid(),
    chain_id: z.uuid(),
    verified_at: timestamp,
    size: z.int().describe('Entries of the chain at that time'),
    outcome: z
      .enum(verificationOutcomes)
      .describe('`decisions_differ`: the chain is whole, but Temporal knows other decisions'),
    first_bad_seq: z.int().nullable().describe('The first entry that is surely or possibly affected'),
    decisions_compared: z.int().describe('Decisions found in Temporal histories'),
    histories_gone: z.int().describe('Histories that Temporal does not keep any more'),
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

const getAuditVerifications = route({
  operationId: 'getAuditVerifications',
  method: 'get',
  path: '/admin/audit-verifications',
  tag: 'Audit',
  summary: 'What the regular verifications of the chain have found, newest first',
  permission: 'audit:verify',
  gate: 'none',
  query: z.strictObject({ ...pageQuery, ...chainParam }),
  responses: { 200: pageOf(VerificationRecord) },
  problems: ['request.cursor-invalid', 'auth.forbidden'],
  handler: async ({ query: { limit, cursor, chain }, actor, deps }) => {
    const chainId = chainOf(actor, chain);
    const rows = await read(
      deps.db,
      chainScope(chainId),
      kysely
        .selectFrom('audit_verifications')
        .where('chain_id', '=', chainId)
        .$call(newestFirst({ limit, cursor }, { time: 'verified_at', id: 'id' }))
        .selectAll(),
    );
    return toPage(rows, limit, (row) => [row.verified_at, row.id], (row) => row);
  },
});

const Segment = z
  .object({
    chain_id: z.uuid(),
    from_seq: z.int().describe('First entry of the segment'),
    to_seq: z.int().describe('Last entry of the segment'),
    root_hash: z.string().describe('Root of the tree up to the last entry, SHA-256 in hex'),
    note: z.string().describe('Signed note at the last entry (C2SP tlog-checkpoint)'),
    archive_name: z.string().describe('File below AUDIT_ARCHIVE_DIR'),
    archive_digest: z.string().describe('SHA-256 of the file in hex'),
    witness: z.enum(witnessKinds).describe('Who had a checkpoint that covers it'),
    recorded_until: timestamp,
    dropped_at: timestamp,
  })
  .meta({ id: 'AuditSegment' });

const getAuditSegments = route({
  operationId: 'getAuditSegments',
  method: 'get',
  path: '/admin/audit-segments',
  tag: 'Audit',
  summary: 'Segments that were archived and dropped, newest first',
  permission: 'audit:verify',
  gate: 'none',
  query: z.strictObject({ ...pageQuery, ...chainParam }),
  responses: { 200: pageOf(Segment) },
  problems: ['request.cursor-invalid', 'auth.forbidden'],
  handler: async ({ query: { limit, cursor, chain }, actor, deps }) => {
    const chainId = chainOf(actor, chain);
    const before = Number(parseCursor(cursor, numberPosition)?.[0] ?? Number.MAX_SAFE_INTEGER);
    const rows = await read(
      deps.db,
      chainScope(chainId),
      kysely
        .selectFrom('audit_segments')
        .where('chain_id', '=', chainId)
        .where('to_seq', '<', before)
        .orderBy('to_seq', 'desc')
        .limit(limit + 1)
        .select(['chain_id', 'from_seq', 'to_seq', 'note', 'archive_name', 'witness', 'recorded_until', 'dropped_at'])
        .select([
          sql<string>`encode(root_hash, 'hex')`.as('root_hash'),
          sql<string>`encode(archive_digest, 'hex')`.as('archive_digest'),
        ]),
    );
    return toPage(rows, limit, (row) => [String(row.to_seq), ''], (row) => row);
  },
});

const erasePerson = route({
  operationId: 'erasePerson',
  method: 'post',
  path: '/admin/persons/:id/erase',
  tag: 'Audit',
  summary: 'Erase a deleted user or contact for good',
  description:
    'Destroys the key to what the audit log holds about the person. Entries stay and verify; nobody can read any more ' +
    'what they say about the person, in archives and exports without keys neither. There is no way back.',
  permission: 'user:delete',
  gate: { action: personErase.name, payload: ({ params, body }) => ({ person_id: params.id, ...body }) },
  params: idParams,
  body: z
    .strictObject({
      kind: z.enum(erasableKinds),
      reason: z.string().trim().min(1).max(500).describe('Why, for the record; name no person in it'),
    })
    .meta({ id: 'PersonErasure' }),
  responses: { 202: ApprovalBody, 204: null },
  problems: ['resource.not-found', 'resource.conflict'],
  handler: async (context) => {
    await runGatedAction(context, personErase.prepare({ person_id: context.params.id, ...context.body }));
    return reply(204);
  },
});

export const auditRetentionRoutes = [getAuditVerifications, getAuditSegments, erasePerson];
