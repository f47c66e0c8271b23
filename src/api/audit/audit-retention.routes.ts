import { z } from 'zod';
import { newestFirst, pageOf, pageQuery, toPage } from '../../platform/database/keyset-page.ts';
import { read } from '../../platform/database/read.ts';
import { idParams, reasonText } from '../../platform/value-schemas.ts';
import { runGatedAction } from '../../services/actions/run-action.ts';
import { chainScope } from '../../services/audit/audit-chain.queries.ts';
import { chainOf } from '../../services/audit/audit-log.queries.ts';
import { segmentsQuery, verificationsQuery } from '../../services/audit/audit-retention.queries.ts';
import { erasableKinds, personErase } from '../../services/identity/person-erase.action.ts';
import { ApprovalBody } from '../approval/approval.schemas.ts';
import { reply, route } from '../http/route.ts';
import { AuditSegmentBody, VerificationRecordBody } from './audit-retention.schemas.ts';
import { chainParam, numberOfCursor } from './audit.schemas.ts';

const getAuditVerifications = route({
  operationId: 'getAuditVerifications',
  method: 'get',
  path: '/admin/audit-verifications',
  tag: 'Audit',
  summary: 'Results of the verifications of the chain, newest first',
  permission: 'audit:verify',
  gate: 'none',
  query: z.strictObject({ ...pageQuery, ...chainParam }),
  responses: { 200: pageOf(VerificationRecordBody) },
  problems: ['request.cursor-invalid', 'auth.forbidden'],
  handler: async ({ query: { limit, cursor, chain }, actor, deps }) => {
    const chainId = chainOf(actor, chain);
    const page = verificationsQuery(chainId).$call(newestFirst({ limit, cursor }, { time: 'verified_at', id: 'id' }));
    const rows = await read(deps.db, chainScope(chainId), page);
    return toPage(rows, limit, (row) => [row.verified_at, row.id], (row) => row);
  },
});

const getAuditSegments = route({
  operationId: 'getAuditSegments',
  method: 'get',
  path: '/admin/audit-segments',
  tag: 'Audit',
  summary: 'Archived and dropped segments, newest first',
  permission: 'audit:verify',
  gate: 'none',
  query: z.strictObject({ ...pageQuery, ...chainParam }),
  responses: { 200: pageOf(AuditSegmentBody) },
  problems: ['request.cursor-invalid', 'auth.forbidden'],
  handler: async ({ query: { limit, cursor, chain }, actor, deps }) => {
    const chainId = chainOf(actor, chain);
    const page = segmentsQuery(chainId, numberOfCursor(cursor)).limit(limit + 1);
    const rows = await read(deps.db, chainScope(chainId), page);
    return toPage(rows, limit, (row) => [String(row.to_seq), ''], (row) => row);
  },
});

const erasePerson = route({
  operationId: 'erasePerson',
  method: 'post',
  path: '/admin/persons/:id/erase',
  tag: 'Audit',
  summary: 'Erase a deleted user or contact permanently',
  description:
    'Destroys the key to what the audit log holds about the person. Entries remain and verify, but what they say ' +
    'about the person cannot be read any more, nor can it in archives and in exports without keys. This cannot be ' +
    'undone.',
  permission: 'user:delete',
  gate: { action: personErase.name, payload: ({ params, body }) => ({ person_id: params.id, ...body }) },
  params: idParams,
  body: z
    .strictObject({
      kind: z.enum(erasableKinds),
      reason: reasonText.describe('Reason, for the record; must not name a person'),
    })
    .meta({ id: 'PersonErasure' }),
  responses: { 202: ApprovalBody, 204: null },
  problems: ['resource.not-found', 'resource.conflict'],
  handler: (context) =>
    context.change(async (tx) => {
      await runGatedAction(tx, context, personErase.prepare({ person_id: context.params.id, ...context.body }));
      return reply(204);
    }),
});

export const auditRetentionRoutes = [getAuditVerifications, getAuditSegments, erasePerson];
