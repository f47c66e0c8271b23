import { sql } from 'kysely';
import { z } from 'zod';
import { toHex } from '../../domain/audit/audit-export.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { publishedNotes } from '../../services/audit/checkpoint-file.ts';
import { exportFormats, exportWriters } from '../../services/audit/audit-export-format.ts';
import { originOfChain } from '../../services/audit/signed-note.ts';
import { consistencyProof } from '../../services/audit/audit-tree.queries.ts';
import { verifyChain } from '../../services/audit/audit-chain-verification.service.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { read } from '../../platform/database/read.ts';
import { describeExport, exportStream } from './audit-export.ts';
import { checkpointCovering, proofOf, publicKeys, signerOf } from '../../services/audit/inclusion-proof.service.ts';
import {
  auditFilters,
  chainOf,
  chainParam,
  chainScope,
  filteredEntries,
  listColumns,
  openRows,
  presentEntry,
  sealedOrigin,
} from '../../services/audit/audit-log.queries.ts';
import { AuditLogDetails, AuditLogView, CheckpointView, LatestCheckpoint, VerificationView } from './audit.schemas.ts';
import type { ApiDeps } from '../deps.ts';
import { numberPosition, pageOf, pageQuery, parseCursor, toPage } from '../../platform/database/keyset-page.ts';
import { reply, route } from '../http/route.ts';
import { idParams } from '../../platform/value-schemas.ts';

const getAuditLogs = route({
  operationId: 'getAuditLogs',
  method: 'get',
  path: '/admin/audit-logs',
  aliases: ['/api/v1/audit-logs'],
  tag: 'Audit',
  summary: 'Who did what, newest first',
  permission: 'audit:read',
  gate: 'none',
  query: z.strictObject({ ...pageQuery, ...auditFilters, ...chainParam }),
  responses: { 200: pageOf(AuditLogView) },
  problems: ['request.cursor-invalid', 'auth.forbidden'],
  handler: async ({ query: { limit, cursor, chain, ...filters }, actor, deps }) => {
    const chainId = chainOf(actor, chain);
    const before = seqOfCursor(cursor);
    const rows = await read(
      deps.db,
      chainScope(chainId),
      filteredEntries(chainId, filters)
        .$if(before !== null, (q) => q.where('seq', '<', before))
        .orderBy('seq', 'desc')
        .limit(limit + 1)
        .select(listColumns)
        .select(sealedOrigin.as('private')),
    ).then((page) => openRows(deps, chainId, page));
    return toPage(rows, limit, (row) => [String(row.seq), ''], presentEntry);
  },
});

const exportAuditLogs = route({
  operationId: 'exportAuditLogs',
  method: 'get',
  path: '/admin/audit-logs/export',
  tag: 'Audit',
  summary: 'All entries that pass the filters, oldest first, with their proof',
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
    const head = await unitOfWork(async (tx) => {
      tx.audit({
        event: 'audit.export',
        action: 'read',
        resource_type: 'audit_log',
        resource_id: chainId,
        new_values: describeExport(format, filters),
      });
    }).then(() => headSize(deps, chainId));
    const checkpoint = await checkpointCovering(deps, chainId, head);
    if (checkpoint === null) throw head === 0 ? notFound('audit entry') : chainDamaged();
    if (consistent_with !== undefined && consistent_with > checkpoint.size) throw notBeginning(checkpoint.size);
    const body = await exportStream({
      deps,
      signer: signerOf(deps),
      checkpoint,
      format,
      filters,
      consistentWith: consistent_with ?? null,
      exportedAt: new Date(deps.now()).toISOString(),
    });
    return reply(200, body, {
      'content-type': exportWriters[format].contentType,
      'content-disposition': `attachment; filename="audit-${chainId}-${checkpoint.size}.${format}"`,
      'cache-control': 'no-store',
    });
  },
});

const getAuditCheckpoints = route({
  operationId: 'getAuditCheckpoints',
  method: 'get',
  path: '/admin/audit-logs/checkpoints',
  tag: 'Audit',
  summary: 'Signed states of the chain, newest first',
  permission: 'audit:verify',
  gate: 'none',
  query: z.strictObject({ ...pageQuery, ...chainParam }),
  responses: { 200: pageOf(CheckpointView) },
  problems: ['request.cursor-invalid', 'auth.forbidden'],
  handler: async ({ query: { limit, cursor, chain }, actor, deps }) => {
    const chainId = chainOf(actor, chain);
    const before = seqOfCursor(cursor);
    const rows = await read(
      deps.db,
      chainScope(chainId),
      kysely
        .selectFrom('audit_checkpoints')
        .where('chain_id', '=', chainId)
        .$if(before !== null, (q) => q.where('size', '<', before))
        .orderBy('size', 'desc')
        .limit(limit + 1)
        .select(['chain_id', 'size', 'root_hash', 'note', 'created_at']),
    );
    return toPage(rows, limit, (row) => [String(row.size), ''], (row) => ({ ...row, root_hash: toHex(row.root_hash) }));
  },
});

const getLatestAuditCheckpoint = route({
  operationId: 'getLatestAuditCheckpoint',
  method: 'get',
  path: '/admin/audit-logs/checkpoints/latest',
  tag: 'Audit',
  summary: 'The chain as it stands now, signed',
  permission: 'audit:verify',
  gate: 'none',
  query: z.strictObject({
    ...chainParam,
    since: z.coerce.number().int().min(1).optional().describe('Size of an earlier checkpoint to prove'),
  }),
  responses: { 200: LatestCheckpoint },
  problems: ['audit.chain-damaged', 'auth.forbidden', 'request.invalid'],
  handler: async ({ query: { chain, since }, actor, deps }) => {
    const chainId = chainOf(actor, chain);
    const checkpoint = await checkpointCovering(deps, chainId, await headSize(deps, chainId));
    if (checkpoint === null) throw notFound('checkpoint');
    const { size, root_hash, note, created_at } = checkpoint;
    if (since !== undefined && since > size) throw notBeginning(size);
    const hashes = since === undefined ? null : await consistencyProof(deps.db, chainId, since, size);
    return {
      chain_id: chainId,
      size,
      root_hash: toHex(root_hash),
      note,
      created_at,
      public_keys: publicKeys(deps, chainId),
      consistency_proof: hashes === null ? null : { first: since, hashes: hashes.map(toHex) },
    };
  },
});

/** Chains that this process is verifying: one at a time each, because it costs seconds of a processor. */
const verifying = new Set<string>();

const verifyAuditLogs = route({
  operationId: 'verifyAuditLogs',
  method: 'get',
  path: '/admin/audit-logs/verify',
  tag: 'Audit',
  summary: 'Recompute the whole chain and compare it with its signed checkpoints',
  description: 'Takes seconds for a long chain. Checkpoints outside the database are compared where this server has them.',
  permission: 'audit:verify',
  gate: 'none',
  query: z.strictObject(chainParam),
  responses: { 200: VerificationView },
  problems: ['auth.forbidden', 'request.rate-limited'],
  handler: async ({ query: { chain }, actor, deps, unitOfWork }) => {
    const chainId = chainOf(actor, chain);
    if (verifying.has(chainId)) {
      const detail = 'This chain is being verified already.';
      throw new Problem({ code: 'request.rate-limited', detail, retryAfterSeconds: 10 });
    }
    verifying.add(chainId);
    try {
      const { env } = deps;
      const startedAt = performance.now();
      const report = await verifyChain(env.DATABASE_URL, chainId, {
        verifiers: signerOf(deps).verifiers(originOfChain(chainId)),
        notes: env.AUDIT_CHECKPOINT_DIR === undefined ? [] : await publishedNotes(env.AUDIT_CHECKPOINT_DIR, chainId),
        columns: true,
      });
      const { valid, size, first_bad_seq, root_hash, chain_hash } = report;
      await unitOfWork(async (tx) => {
        const resource = { resource_type: 'audit_log', resource_id: chainId };
        tx.audit({ event: 'audit.verify', action: 'read', ...resource, new_values: { valid, size, first_bad_seq } });
      });
      return {
        ...report,
        root_hash: toHex(root_hash),
        chain_hash: toHex(chain_hash),
        duration_ms: Math.round(performance.now() - startedAt),
      };
    } finally {
      verifying.delete(chainId);
    }
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
    const rows = await read(
      deps.db,
      chainScope(chainId),
      kysely
        .selectFrom('audit_logs')
        .where('chain_id', '=', chainId)
        .where('id', '=', params.id)
        .select([...listColumns, 'old_values', 'new_values'])
        .select([
          sql<string>`entry::text`.as('entry_text'),
          sql<string | null>`private::text`.as('private'),
          sql<string[] | null>`(select s.permissions from audit_permission_sets s
            where s.chain_id = audit_logs.chain_id and s.digest = entry #>> '{actor,permissions_digest}')`.as('permissions'),
        ]),
    );
    const [row] = await openRows(deps, chainId, rows);
    if (row === undefined) throw notFound('audit entry');
    return {
      ...presentEntry(row),
      permissions: row.permissions ?? [],
      old_values: row.old_values,
      new_values: row.new_values,
      entry: row.entry_text,
      private: row.private,
      proof: await proofOf(deps, chainId, row.seq),
    };
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

async function headSize({ db }: Pick<ApiDeps, 'db'>, chainId: string): Promise<number> {
  const heads = kysely.selectFrom('audit_heads').where('chain_id', '=', chainId).select('size');
  const [head] = await read(db, chainScope(chainId), heads);
  return head?.size ?? 0;
}

/** @throws Problem `request.cursor-invalid` */
function seqOfCursor(cursor: string | undefined): number | null {
  const seq = parseCursor(cursor, numberPosition)?.[0];
  return seq === undefined ? null : Number(seq);
}

function chainDamaged(): Problem {
  return new Problem({
    code: 'audit.chain-damaged',
    detail: 'The chain does not verify and was never signed, so nothing in it can be proved. See /admin/audit-logs/verify.',
  });
}

function notBeginning(size: number): Problem {
  return new Problem({ code: 'request.invalid', detail: `The chain has ${size} entries; an earlier checkpoint has fewer.` });
}
