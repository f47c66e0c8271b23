import { z } from 'zod';
import { newestPage, pageOf, pageQuery, toPage } from '../../platform/database/keyset-page.ts';
import { startReassignment } from '../../services/assignment/assignment-batch-start.service.ts';
import { tellAfterCommit } from '../../services/commands/workflow-start.service.ts';
import { batchItemList, batchList, loadBatch } from '../../services/assignment/assignment-batch.queries.ts';
import { endBatchEarly } from '../../services/assignment/assignment-batch.service.ts';
import { previewReassignment } from '../../services/assignment/reassign.queries.ts';
import { assertAccess } from '../../services/assignment/resource-access.service.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import type { ReadSource } from '../../platform/database/read.ts';
import { reply, route } from '../http/route.ts';
import { batchItemView, batchView, reassignmentPreview } from './assignment-batch.schemas.ts';
import { uuid } from '../../platform/value-schemas.ts';

const batchesPath = '/api/admin/assignment-batches';
const batchPath = `${batchesPath}/:batch_id`;
const batchParams = z.object({ batch_id: uuid });
const userParams = z.object({ user_id: uuid });

/**
 * Reads a batch that the actor may see or end: one of a campaign belongs to those who manage the campaign, too.
 *
 * @throws Problem 404; `auth.forbidden`, alike for a batch that is not there.
 */
async function loadVisibleBatch(
  db: ReadSource,
  actor: Actor,
  batchId: string,
  permission: 'assignment:read' | 'assignment:manage' = 'assignment:read',
) {
  const batch = await loadBatch({ db }, actor, batchId).catch((error: unknown) => {
    if (actor.permissions.includes(permission)) throw error;
    return { campaign_id: null };
  });
  await assertAccess(db, actor, permission, batch.campaign_id === null ? null : { type: 'campaign', id: batch.campaign_id });
  return batch;
}

const getAssignmentBatches = route({
  operationId: 'getAssignmentBatches',
  method: 'get',
  path: batchesPath,
  tag: 'assignment',
  summary: 'Batches of auto-assignments and reassignments, newest first',
  description: 'Without the permission: those of campaigns of which the caller is a member.',
  permission: 'assignment:read',
  isJudgedByResource: true,
  gate: 'none',
  query: z.strictObject(pageQuery),
  responses: { 200: pageOf(batchView) },
  handler: async ({ actor, query: page, read }) => newestPage(await read(batchList(actor, page)), page.limit),
});

const getAssignmentBatch = route({
  operationId: 'getAssignmentBatch',
  method: 'get',
  path: batchPath,
  tag: 'assignment',
  summary: 'Progress of a batch',
  permission: 'assignment:read',
  isJudgedByResource: true,
  gate: 'none',
  params: batchParams,
  responses: { 200: batchView },
  problems: ['resource.not-found'],
  handler: ({ actor, deps, params }) => loadVisibleBatch(deps.db, actor, params.batch_id),
});

const getAssignmentBatchItems = route({
  operationId: 'getAssignmentBatchItems',
  method: 'get',
  path: `${batchPath}/items`,
  tag: 'assignment',
  summary: 'Result of each contact of a batch, in order',
  permission: 'assignment:read',
  isJudgedByResource: true,
  gate: 'none',
  params: batchParams,
  query: z.strictObject(pageQuery),
  responses: { 200: pageOf(batchItemView) },
  problems: ['resource.not-found'],
  handler: async ({ actor, deps, params: { batch_id }, query: page, read }) => {
    await loadVisibleBatch(deps.db, actor, batch_id);
    const rows = await read(batchItemList(batch_id, page));
    return toPage(rows, page.limit, (row) => [String(row.position), row.contact_id], (row) => row);
  },
});

const cancelAssignmentBatch = route({
  operationId: 'cancelAssignmentBatch',
  method: 'post',
  path: `${batchPath}/cancel`,
  tag: 'assignment',
  summary: 'End a batch early; its completed assignments remain',
  description: 'The contacts that are being assigned at this moment, up to 1,000, are the last ones.',
  permission: 'assignment:manage',
  isJudgedByResource: true,
  gate: 'none',
  params: batchParams,
  responses: { 202: batchView },
  problems: ['resource.not-found', 'assignment.batch-finished', 'service.unavailable'],
  handler: ({ actor, deps, params: { batch_id }, change }) =>
    change(async (tx) => {
      await loadVisibleBatch(tx, actor, batch_id, 'assignment:manage');
      await endBatchEarly(tx, batch_id);
      tellAfterCommit(deps, tx, 'assignment-batch-cancel', { batch_id });
      return loadBatch({ db: tx }, actor, batch_id);
    }),
});

const previewContactReassignment = route({
  operationId: 'previewHandOver',
  method: 'get',
  path: '/api/admin/users/:user_id/hand-over',
  tag: 'assignment',
  summary: 'Preview who would get the contacts of a user',
  permission: 'assignment:read',
  gate: 'none',
  params: userParams,
  query: z.strictObject({ to_user_id: uuid.optional().describe('When omitted: the pools of the campaigns') }),
  responses: { 200: reassignmentPreview },
  problems: ['resource.not-found'],
  handler: ({ actor, deps, params: { user_id }, query: { to_user_id = null } }) =>
    previewReassignment(deps, actor, user_id, to_user_id),
});

const reassignContacts = route({
  operationId: 'handOverContacts',
  method: 'post',
  path: '/api/admin/users/:user_id/hand-over',
  tag: 'assignment',
  summary: 'Reassign all contacts of a user; automatic when an account is deactivated',
  description:
    'Runs as a workflow; the response is the batch, or null when there is nothing to reassign. Without to_user_id ' +
    'each contact is auto-assigned to the pool of its campaign, or waits.',
  permission: 'assignment:manage',
  gate: 'none',
  params: userParams,
  body: z.strictObject({ to_user_id: uuid.nullable().default(null) }).meta({ id: 'HandOver' }),
  responses: { 202: z.object({ batch: batchView.nullable() }) },
  problems: ['resource.not-found', 'assignment.user-inactive', 'service.unavailable'],
  handler: ({ actor, body: { to_user_id }, deps, params: { user_id: from_user_id }, change }) =>
    change(async (tx) => {
      const batchId = await startReassignment(deps, tx, { from_user_id, to_user_id });
      if (batchId === null) return { batch: null };
      const batch = await loadBatch({ db: tx }, actor, batchId);
      return reply(202, { batch }, { location: `${batchesPath}/${batchId}` });
    }),
});

export const assignmentBatchRoutes = [
  getAssignmentBatches,
  getAssignmentBatch,
  getAssignmentBatchItems,
  cancelAssignmentBatch,
  previewContactReassignment,
  reassignContacts,
];
