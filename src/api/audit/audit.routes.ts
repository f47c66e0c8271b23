import { z } from 'zod';
import { toHex } from '../../domain/audit/audit-export.ts';
import { pageOf, pageQuery, toPage } from '../../platform/database/keyset-page.ts';
import { read } from '../../platform/database/read.ts';
import { idParams } from '../../platform/value-schemas.ts';
import { chainScope } from '../../services/audit/audit-chain.queries.ts';
import { checkpointsQuery } from '../../services/audit/audit-checkpoint.queries.ts';
import { exportFormats, exportWriters } from '../../services/audit/audit-export-format.ts';
import { exportEntries } from '../../services/audit/audit-export.service.ts';
import { chainOf, findEntry, listEntries, presentEntry } from '../../services/audit/audit-log.queries.ts';
import { inclusionProofOf, signedState } from '../../services/audit/audit-proof.service.ts';
import { verifyOnRequest } from '../../services/audit/audit-verification.service.ts';
import { createNotify } from '../../services/notification/notification-delivery.client.ts';
import { reply, route } from '../http/route.ts';
import {
  AuditLogDetails,
  AuditLogView,
  CheckpointView,
  LatestCheckpoint,
  VerificationView,
  auditFilters,
  chainParam,
  numberOfCursor,
} from './audit.schemas.ts';

const getAuditLogs = route({
  operationId: 'getAuditLogs',
  method: 'get',
  path: '/admin/audit-logs',
  aliases: ['/api/v1/audit-logs'],
  tag: 'Audit',
  summary: 'Audit entries, newest first',
  permission: 'audit:read',
  gate: 'none',
  query: z.strictObject({ ...pageQuery, ...auditFilters, ...chainParam }),
  responses: { 200: pageOf(AuditLogView) },
  problems: ['request.cursor-invalid', 'auth.forbidden'],
  handler: async ({ query: { limit, cursor, chain, ...filters }, actor, deps }) => {
    const rows = await listEntries(deps, chainOf(actor, chain), filters, { before: numberOfCursor(cursor), limit });
    return toPage(rows, limit, (row) => [String(row.seq), ''], presentEntry);
  },
});

const exportAuditLogs = route({
  operationId: 'exportAuditLogs',
  method: 'get',
  path: '/admin/audit-logs/export',
  tag: 'Audit',
  summary: 'Export all entries that match the filters, oldest first, with their proof',
  description:
    'Streamed. The last record is a signed manifest; `npm run audit:verify FILE` checks the file without a database. ' +
    'The export is itself an entry, and part of what it exports.',
  permission: 'audit:export',
  gate: 'none',
  query: z.strictObject({
    ...auditFilters,
    ...chainParam,
    format: z.enum(exportFormats).default('csv'),
    consistent_with: z.coerce.number().int().min(1).optional().describe('Size of an earlier checkpoint to prove'),
  }),
  responses: { 200: { contentTypes: ['text/csv', 'application/jsonl'], description: 'The entries and their proof' } },
  problems: ['audit.chain-damaged', 'auth.forbidden', 'request.invalid'],
  handler: async ({ query: { chain, format, consistent_with, ...filters }, actor, deps, unitOfWork }) => {
    const chainId = chainOf(actor, chain);
    const consistentWith = consistent_with ?? null;
    const { text, size } = await exportEntries(deps, unitOfWork, chainId, { format, filters, consistentWith });
    return reply(200, text, {
      'content-type': exportWriters[format].contentType,
      'content-disposition': `attachment; filename="audit-${chainId}-${size}.${format}"`,
      'cache-control': 'no-store',
    });
  },
});

const getAuditCheckpoints = route({
  operationId: 'getAuditCheckpoints',
  method: 'get',
  path: '/admin/audit-logs/checkpoints',
  tag: 'Audit',
  summary: 'Signed checkpoints of the chain, newest first',
  permission: 'audit:verify',
  gate: 'none',
  query: z.strictObject({ ...pageQuery, ...chainParam }),
  responses: { 200: pageOf(CheckpointView) },
  problems: ['request.cursor-invalid', 'auth.forbidden'],
  handler: async ({ query: { limit, cursor, chain }, actor, deps }) => {
    const chainId = chainOf(actor, chain);
    const page = checkpointsQuery(chainId, numberOfCursor(cursor)).limit(limit + 1);
    const rows = await read(deps.db, chainScope(chainId), page);
    return toPage(rows, limit, (row) => [String(row.size), ''], (row) => ({ ...row, root_hash: toHex(row.root_hash) }));
  },
});

const getLatestAuditCheckpoint = route({
  operationId: 'getLatestAuditCheckpoint',
  method: 'get',
  path: '/admin/audit-logs/checkpoints/latest',
  tag: 'Audit',
  summary: 'Signed checkpoint of the chain as it is now',
  permission: 'audit:verify',
  gate: 'none',
  query: z.strictObject({
    ...chainParam,
    since: z.coerce.number().int().min(1).optional().describe('Size of an earlier checkpoint to prove'),
  }),
  responses: { 200: LatestCheckpoint },
  problems: ['audit.chain-damaged', 'auth.forbidden', 'request.invalid'],
  handler: ({ query: { chain, since }, actor, deps }) => signedState(deps, chainOf(actor, chain), since),
});

const verifyAuditLogs = route({
  operationId: 'verifyAuditLogs',
  method: 'get',
  path: '/admin/audit-logs/verify',
  tag: 'Audit',
  summary: 'Recompute the whole chain and compare it with its signed checkpoints',
  description:
    'Takes seconds for a long chain. Only a checkpoint from outside the database anchors the chain: without one that ' +
    'this server can read, a chain that was cut off or rewritten as a whole looks like any other, and is `unanchored`.',
  permission: 'audit:verify',
  gate: 'none',
  query: z.strictObject(chainParam),
  responses: { 200: VerificationView },
  problems: ['auth.forbidden', 'request.rate-limited'],
  handler: async ({ query: { chain }, actor, deps, unitOfWork }) => {
    const tools = { ...deps, notify: createNotify(deps) };
    const report = await verifyOnRequest(tools, unitOfWork, chainOf(actor, chain));
    return { ...report, valid: report.state === 'anchored', root_hash: toHex(report.root_hash), chain_hash: toHex(report.chain_hash) };
  },
});

const getAuditLogDetails = route({
  operationId: 'getAuditLogDetails',
  method: 'get',
  path: '/admin/audit-logs/:id',
  tag: 'Audit',
  summary: 'One entry with old and new values and the proof that it is in the chain',
  permission: 'audit:read',
  gate: 'none',
  params: idParams,
  query: z.strictObject(chainParam),
  responses: { 200: AuditLogDetails },
  problems: ['resource.not-found', 'auth.forbidden'],
  handler: async ({ params, query: { chain }, actor, deps }) => {
    const chainId = chainOf(actor, chain);
    const row = await findEntry(deps, chainId, params.id);
    const { permissions, old_values, new_values, entry_text: entry } = row;
    const proof = await inclusionProofOf(deps, chainId, row.seq);
    return { ...presentEntry(row), permissions: permissions ?? [], old_values, new_values, entry, private: row.private, proof };
  },
});

/** Literal paths come before the pattern. */
export const auditRoutes = [
  getAuditLogs,
  exportAuditLogs,
  getAuditCheckpoints,
  getLatestAuditCheckpoint,
  verifyAuditLogs,
  getAuditLogDetails,
];
