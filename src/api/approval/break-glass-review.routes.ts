import { z } from 'zod';
import { newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { idParams, proseText, uuid } from '../../platform/value-schemas.ts';
import { reviewsQuery } from '../../services/approval/break-glass-review.queries.ts';
import { closeBreakGlassReview } from '../../services/approval/break-glass-review.service.ts';
import { route } from '../http/route.ts';
import { BreakGlassReviewBody } from './approval.schemas.ts';

const tag = 'approval';

const getReviews = route({
  operationId: 'getBreakGlassReviews',
  method: 'get',
  path: '/admin/break-glass-reviews',
  tag,
  summary: 'Emergency changes with the results of their reviews, newest first',
  permission: 'approval:read',
  gate: 'none',
  query: z.strictObject({
    ...pageQuery,
    state: z.enum(['open', 'overdue', 'done']).optional(),
    user_id: uuid.optional(),
  }),
  responses: { 200: pageOf(BreakGlassReviewBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ query: { limit, cursor, state, user_id }, read }) => {
    const rows = await read(reviewsQuery({ state, user_id }, { limit, cursor }));
    return newestPage(rows, limit);
  },
});

const completeReview = route({
  operationId: 'completeBreakGlassReview',
  method: 'post',
  path: '/admin/break-glass-reviews/:id/complete',
  tag,
  summary: 'Record the result of the review of an emergency change',
  permission: 'approval:decide',
  gate: 'mfa',
  params: idParams,
  body: z.strictObject({
    verdict: z.enum(['justified', 'not_justified']),
    comment: proseText(1000),
  }),
  responses: { 200: BreakGlassReviewBody },
  problems: [
    'mfa.required',
    'resource.not-found',
    'approval.review-closed',
    'approval.own-request',
    'approval.not-independent',
    'tenant.naming-waits',
  ],
  handler: ({ body, params, change }) => change((tx) => closeBreakGlassReview(tx, params.id, body)),
});

/** The reviews of bypasses and emergency switch-offs. */
export const breakGlassReviewRoutes = [getReviews, completeReview];
