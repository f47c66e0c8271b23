import { z } from 'zod';
import { runGatedAction } from '../../services/actions/run-action.ts';
import { userAssignRole, userReviewRole, userRevokeRole } from '../../services/identity/role/role-assignment.action.ts';
import { pageOf, pageQuery, toPage } from '../../platform/database/keyset-page.ts';
import { rightsAt, roleAssignments } from '../../services/identity/role/role-assignment-history.queries.ts';
import { reply, route } from '../http/route.ts';
import { idParams, timestampInput, uuid } from '../../platform/value-schemas.ts';
import { ApprovalBody } from '../approval/approval.schemas.ts';
import { assignmentView, ledgerEntry, userRights } from './role-assignment.schemas.ts';
import { roleGrant } from './user.schemas.ts';

const assignmentParams = z.object({ id: uuid, assignmentId: uuid });

function assignPayload({ params, body }: { params: { id: string }; body: object }) {
  return { user_id: params.id, ...body };
}

function revokePayload({ params }: { params: z.output<typeof assignmentParams> }) {
  return { user_id: params.id, assignment_id: params.assignmentId };
}

function reviewPayload({ params, body }: { params: z.output<typeof assignmentParams>; body: object }) {
  return { ...revokePayload({ params }), ...body };
}

const assignUserRole = route({
  operationId: 'assignUserRole',
  method: 'post',
  path: '/admin/users/:id/roles',
  tag: 'role_assignment',
  summary: 'Assign a role to a user, optionally with an end',
  permission: 'role:assign',
  gate: { action: userAssignRole.name, payload: assignPayload },
  params: idParams,
  body: roleGrant,
  responses: { 201: assignmentView, 202: ApprovalBody },
  problems: ['resource.not-found', 'resource.conflict', 'role.grant-exceeds-own', 'role.own-rights'],
  handler: (context) => {
    const change = userAssignRole.prepare(assignPayload(context));
    return context.change(async (tx) => reply(201, (await runGatedAction(tx, context, change))['assignment']));
  },
});

const revokeUserRole = route({
  operationId: 'revokeUserRole',
  method: 'delete',
  path: '/admin/users/:id/roles/:assignmentId',
  tag: 'role_assignment',
  summary: 'Remove a role from a user; the ledger retains the row',
  permission: 'role:assign',
  gate: { action: userRevokeRole.name, payload: revokePayload },
  params: assignmentParams,
  responses: { 202: ApprovalBody, 204: null },
  problems: ['resource.not-found', 'user.last-super-admin', 'user.exceeds-own', 'role.own-rights'],
  handler: (context) => {
    const change = userRevokeRole.prepare(revokePayload(context));
    return context.change(async (tx) => {
      await runGatedAction(tx, context, change);
      return reply(204);
    });
  },
});

const reviewUserRole = route({
  operationId: 'reviewUserRole',
  method: 'put',
  path: '/admin/users/:id/roles/:assignmentId/review',
  tag: 'role_assignment',
  summary: 'Confirm a role assignment before its review is due, and set the next review',
  permission: 'role:assign',
  gate: { action: userReviewRole.name, payload: reviewPayload },
  params: assignmentParams,
  body: z.strictObject({
    review_due_at: timestampInput
      .refine((next) => Date.parse(next) > Date.now(), 'must be in the future')
      .nullable()
      .describe('Null for no further review'),
  }),
  responses: { 200: assignmentView, 202: ApprovalBody },
  problems: ['resource.not-found', 'resource.conflict', 'user.exceeds-own', 'role.own-rights'],
  handler: (context) => {
    const change = userReviewRole.prepare(reviewPayload(context));
    return context.change(async (tx) => (await runGatedAction(tx, context, change))['assignment']);
  },
});

const getRoleAssignmentHistory = route({
  operationId: 'getRoleAssignmentHistory',
  method: 'get',
  path: '/admin/role-assignments/history',
  tag: 'role_assignment',
  summary: 'The ledger of role assignments, newest first',
  permission: 'role:read',
  gate: 'none',
  query: z.strictObject({
    ...pageQuery,
    role_id: uuid.optional(),
    user_id: uuid.optional(),
    from: timestampInput.optional().describe('Assigned at or after this time'),
    to: timestampInput.optional().describe('Assigned before this time'),
    at: timestampInput.optional().describe('In force at this time'),
  }),
  responses: { 200: pageOf(ledgerEntry) },
  handler: async ({ query, deps, scope }) => {
    const rows = await roleAssignments(deps.db, scope, query);
    return toPage(rows, query.limit, (row) => [row.assigned_at, row.id], (row) => row);
  },
});

const getUserRights = route({
  operationId: 'getUserRights',
  method: 'get',
  path: '/admin/users/:id/rights',
  tag: 'role_assignment',
  summary: 'Roles and permissions of a user at a given time, who assigned them and under which request',
  permission: 'role:read',
  gate: 'none',
  params: idParams,
  query: z.strictObject({ at: timestampInput.optional().describe('Defaults to now') }),
  responses: { 200: userRights },
  problems: ['resource.not-found'],
  handler: ({ params, query, actor, deps }) =>
    rightsAt(deps.db, actor, params.id, query.at ?? new Date(deps.now()).toISOString()),
});

export const roleAssignmentRoutes = [
  assignUserRole,
  revokeUserRole,
  reviewUserRole,
  getRoleAssignmentHistory,
  getUserRights,
];
