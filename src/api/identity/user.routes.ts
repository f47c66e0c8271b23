import { z } from 'zod';
import { assignRole } from '../../services/identity/role-assignment.service.ts';
import { createUser as insertUser, updateUser as saveUser } from '../../services/identity/user-account.service.ts';
import { runGatedAction } from '../../services/actions/run-action.ts';
import { userDelete } from '../../services/identity/user-delete.action.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { ApprovalBody } from '../approval/approval.schemas.ts';
import { handOverOfClosed, wakeQueuesOf } from '../../services/assignment/assignment.client.ts';
import { expectedVersion, versionEtag } from '../../platform/row-version.ts';
import { hashInitialPassword } from '../../services/identity/initial-password.service.ts';
import { followClosedAccount } from '../../services/identity/offboarding.service.ts';
import { newestPage, pageOf, pageQuery, parseCursor, timePosition } from '../../platform/database/keyset-page.ts';
import { reply, route } from '../http/route.ts';
import type { HandlerContext } from '../http/route.ts';
import { email, idParams, moment, passwordInput, phoneNumber, timeZone } from '../../platform/value-schemas.ts';
import { presentUser, userList, userPage, userView, usersQuery } from './user.schemas.ts';

const profileText = z.string().trim().min(1).max(200);

/** What an administrator may write of an account. */
const accountFields = {
  full_name: z.string().trim().min(1).max(200),
  email: email.nullable().optional(),
  phone_number: phoneNumber.nullable().optional(),
  time_zone: timeZone.nullable().optional(),
  job_title: profileText.nullable().optional(),
  department: profileText.nullable().optional(),
  notes: z.string().max(2000).nullable().optional(),
};

/** A role in the body of a request; times are RFC 3339. */
export const roleGrant = z
  .strictObject({
    role_id: z.uuid(),
    valid_until: moment.nullable().default(null).describe('When the role ends by itself'),
    review_due_at: moment.nullable().default(null).describe('The role lapses here unless somebody confirms it'),
    reason: z.string().trim().min(1).max(500).nullable().default(null),
  })
  .refine(({ valid_until }) => valid_until === null || Date.parse(valid_until) > Date.now(), {
    message: 'must be in the future',
    path: ['valid_until'],
  })
  .refine(({ review_due_at }) => review_due_at === null || Date.parse(review_due_at) > Date.now(), {
    message: 'must be in the future',
    path: ['review_due_at'],
  })
  .meta({ id: 'RoleGrant' });

const getUsers = route({
  operationId: 'getUsers',
  method: 'get',
  path: '/admin/users',
  aliases: ['/api/admin/users'],
  tag: 'user',
  summary: 'Accounts of the tenant, newest first',
  permission: 'user:read',
  gate: 'none',
  query: z.strictObject({
    ...pageQuery,
    q: z.string().trim().min(1).max(100).optional().describe('Part of name, e-mail address or phone number'),
    status: z.enum(['active', 'inactive', 'deleted']).optional().describe('Without it: all but deleted ones'),
    role: z.string().max(63).optional().describe('Code of a role that is held now'),
  }),
  responses: { 200: pageOf(userView) },
  handler: async ({ query, read }) => {
    const { status, q, role, limit, cursor } = query;
    const rows = await read(userList({ status, q, role, limit, after: parseCursor(cursor, timePosition) }));
    return newestPage(rows, query.limit, presentUser);
  },
});

type Read = HandlerContext<unknown, unknown, unknown>['read'];

/** The account as it stands, with its entity tag. */
async function showUser(read: Read, id: string, status = 200, headers: Record<string, string> = {}) {
  const [row] = await read(usersQuery(userPage().where('u.id', '=', id)));
  if (row === undefined) throw notFound('user');
  return reply(status, presentUser(row), { etag: versionEtag(row.version), ...headers });
}

const getUserById = route({
  operationId: 'getUserById',
  method: 'get',
  path: '/admin/users/:id',
  aliases: ['/api/admin/users/:id'],
  tag: 'user',
  summary: 'One account',
  permission: 'user:read',
  gate: 'none',
  params: idParams,
  responses: { 200: userView },
  problems: ['resource.not-found'],
  handler: ({ params, read }) => showUser(read, params.id),
});

const createUser = route({
  operationId: 'createUser',
  method: 'post',
  path: '/admin/users',
  tag: 'user',
  summary: 'Create an account, with roles where wanted',
  description: 'Without a password the person signs in by an identity provider. Giving roles needs role:assign too.',
  permission: 'user:create',
  gate: 'mfa',
  body: z
    .strictObject({
      ...accountFields,
      password: passwordInput.optional().describe('Initial password'),
      roles: z.array(roleGrant).max(20).default([]),
    })
    .refine((body) => (body.email ?? body.phone_number ?? null) !== null, {
      message: 'Give an e-mail address, a phone number or both.',
      path: ['email'],
    })
    .meta({ id: 'UserCreation' }),
  responses: { 201: userView },
  problems: ['resource.conflict', 'role.grant-exceeds-own', 'request.invalid', 'resource.not-found'],
  handler: async ({ actor, body, deps, read, unitOfWork }) => {
    const { password, roles, ...account } = body;
    if (roles.length > 0 && !actor.permissions.includes('role:assign')) {
      throw new Problem({ code: 'auth.forbidden', detail: 'Giving roles needs the permission role:assign.' });
    }
    const password_hash =
      password === undefined ? null : await hashInitialPassword(deps, password, account, '/password');
    const id = await unitOfWork(async (tx) => {
      const user_id = await insertUser(tx, { ...account, password_hash });
      for (const grant of roles) await assignRole(tx, user_id, grant);
      return user_id;
    });
    return showUser(read, id, 201, { location: `/admin/users/${id}` });
  },
});

const updateUser = route({
  operationId: 'updateUser',
  method: 'put',
  path: '/admin/users/:id',
  tag: 'user',
  summary: 'Change an account; what is left out stays',
  description: 'Setting it inactive ends its sessions within a second and cancels the requests it has opened.',
  permission: 'user:update',
  gate: 'mfa',
  requiresIfMatch: true,
  params: idParams,
  body: z
    .strictObject({
      ...accountFields,
      full_name: accountFields.full_name.optional(),
      status: z.enum(['active', 'inactive']).optional(),
    })
    .refine((body) => Object.keys(body).length > 0, { message: 'Change something.' })
    .meta({ id: 'UserUpdate' }),
  responses: { 200: userView },
  problems: [
    'resource.not-found',
    'resource.conflict',
    'resource.version-mismatch',
    'user.exceeds-own',
    'user.last-super-admin',
    'role.own-rights',
  ],
  handler: async ({ params, body, actor, deps, request, read, unitOfWork }) => {
    const version = expectedVersion(request.ifMatch);
    await unitOfWork((tx) => saveUser(tx, params.id, version, body));
    if (body.status === 'inactive') {
      await followClosedAccount(deps, actor, params.id);
      await handOverOfClosed(deps, actor, params.id, null);
    }
    if (body.status === 'active') await wakeQueuesOf(deps, actor, params.id);
    return showUser(read, params.id);
  },
});

const deleteUser = route({
  operationId: 'deleteUser',
  method: 'delete',
  path: '/admin/users/:id',
  tag: 'user',
  summary: 'Delete an account; its row stays for the audit',
  description: 'A person who owns things needs somebody in `transfer_to` who gets them: the 409 lists what is owned.',
  permission: 'user:delete',
  gate: {
    action: userDelete.name,
    payload: ({ params, query }, { ifMatch }) => ({ user_id: params.id, version: expectedVersion(ifMatch), ...query }),
  },
  requiresIfMatch: true,
  params: idParams,
  query: z.strictObject({
    transfer_to: z.uuid().optional().describe('Who gets what the person owns'),
    reason: z.string().trim().min(1).max(500).optional(),
  }),
  responses: { 202: ApprovalBody, 204: null },
  problems: [
    'resource.not-found',
    'resource.version-mismatch',
    'user.owns-things',
    'user.exceeds-own',
    'user.last-super-admin',
    'role.own-rights',
  ],
  handler: async (context) => {
    const { params, query, actor, deps, request } = context;
    const change = userDelete.prepare({ user_id: params.id, version: expectedVersion(request.ifMatch), ...query });
    await runGatedAction(context, change);
    await handOverOfClosed(deps, actor, params.id, query.transfer_to ?? null);
    return reply(204);
  },
});

export const userRoutes = [getUsers, getUserById, createUser, updateUser, deleteUser];
