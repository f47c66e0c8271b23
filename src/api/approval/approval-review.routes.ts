import { sql } from 'kysely';
import { z } from 'zod';
import { closeForcedReview } from '../../services/approval/break-glass-review.service.ts';
import { query } from '../../entities/kysely-schema.ts';
import { newestFirst, newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { route } from '../http/route.ts';
import { idParams, timestamp } from '../../platform/value-schemas.ts';

const tag = 'approval';

const ReviewBody = z
  .object({
    id: z.uuid(),
    kind: z.enum(['bypass', 'emergency_off']),
    approval_id: z.uuid().nullable(),
    subject: z.string(),
    user_id: z.uuid().describe('Who acted'),
    reason: z.string(),
    due_at: timestamp,
    verdict: z.enum(['justified', 'not_justified']).nullable(),
    comment: z.string().nullable(),
    reviewed_by: z.uuid().nullable(),
    reviewed_at: timestamp.nullable(),
    created_at: timestamp,
  })
  .meta({ id: 'BreakGlassReview' });

const getReviews = route({
  operationId: 'getBreakGlassReviews',
  method: 'get',
  path: '/admin/break-glass-reviews',
  tag,
  summary: 'Emergency changes and what their review found, newest first',
  permission: 'approval:read',
  gate: 'none',
  query: z.strictObject({
    ...pageQuery,
    state: z.enum(['open', 'overdue', 'done']).optional(),
    user_id: z.uuid().optional(),
  }),
  responses: { 200: pageOf(ReviewBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ query: { limit, cursor, state, user_id }, read }) => {
    const rows = await read(
      query
        .selectFrom('admin_break_glass_reviews')
        .$if(state === 'done', (q) => q.where('reviewed_at', 'is not', null))
        .$if(state === 'open' || state === 'overdue', (q) => q.where('reviewed_at', 'is', null))
        .$if(state === 'overdue', (q) => q.where('due_at', '<=', sql<string>`now()`))
        .$if(user_id !== undefined, (q) => q.where('user_id', '=', user_id ?? ''))
        .$call(newestFirst({ limit, cursor }))
        .selectAll(),
    );
    return newestPage(rows, limit);
  },
});

const completeReview = route({
  operationId: 'completeBreakGlassReview',
  method: 'post',
  path: '/admin/break-glass-reviews/:id/complete',
  tag,
  summary: 'Say what the review of an emergency found',
  permission: 'approval:decide',
  gate: 'mfa',
  params: idParams,
  body: z.strictObject({
    verdict: z.enum(['justified', 'not_justified']),
    comment: z.string().trim().min(1).max(1000),
  }),
  responses: { 200: ReviewBody },
  problems: ['mfa.required', 'resource.not-found', 'approval.review-closed', 'approval.own-request'],
  handler: ({ body, params, unitOfWork }) => unitOfWork((tx) => closeForcedReview(tx, params.id, body)),
});

/** The reviews that a bypass or an emergency switch-off owes. */
export const approvalReviewRoutes = [getReviews, completeReview];
