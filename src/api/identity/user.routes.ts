import { z } from 'zod';
import { runGatedAction } from '../../services/actions/run-action.ts';
import { hashAccountPassword } from '../../services/identity/account-password.service.ts';
import { userCreate } from '../../services/identity/user-create.action.ts';
import { userUpdate } from '../../services/identity/user-update.action.ts';
import { userDelete } from '../../services/identity/user-delete.action.ts';
import { listUsers, userById } from '../../services/identity/user.queries.ts';
import { newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import type { ReadSource, ReadScope } from '../../platform/database/read.ts';
import { ApprovalBody } from '../approval/approval.schemas.ts';
import { expectedVersion, versionEtag } from '../../platform/row-version.ts';
import { idParams, reasonText, uuid } from '../../platform/value-schemas.ts';
import type { SignInDeps } from '../../platform/process-deps.ts';
import { reply, route } from '../http/route.ts';
import { userChange, userCreation, userView } from './user.schemas.ts';

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
    status: z.enum(['active', 'inactive', 'deleted']).optional().describe('When omitted: all except deleted accounts'),
    role: z.string().max(63).optional().describe('Code of a role that the user holds now'),
  }),
  responses: { 200: pageOf(userView) },
  handler: async ({ query, deps, scope }) => newestPage(await listUsers(deps.db, scope, query), query.limit),
});

/** The account as it stands, with its entity tag. */
async function presentUser(db: ReadSource, scope: ReadScope, id: string, status: 200 | 201 = 200) {
  const user = await userById(db, scope, id);
  return reply(status, user, { etag: versionEtag(user.version) });
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
  handler: ({ params, deps, scope }) => presentUser(deps.db, scope, params.id),
});

/** The result of `user.create`. */
const createdUser = z.object({ user_id: uuid });

/** What `user.create` makes of a password; it never leaves the API. */
async function withPasswordHash(deps: Pick<SignInDeps, 'passwords'>, account: object, body: z.output<typeof userCreation>) {
  const { password } = body;
  const password_hash = password === undefined ? null : await hashAccountPassword(deps, password, body, '/password');
  return { ...account, password_hash };
}

const createUser = route({
  operationId: 'createUser',
  method: 'post',
  path: '/admin/users',
  tag: 'user',
  summary: 'Create an account, optionally with roles',
  description:
    'Without a password the user signs in through an identity provider. Assigning roles also requires role:assign.',
  permission: 'user:create',
  gate: {
    action: userCreate.name,
    payload: ({ body: { password: _password, ...account } }) => account,
    complete: (deps, payload, { body }) => withPasswordHash(deps, payload as object, body),
  },
  body: userCreation,
  responses: { 201: userView, 202: ApprovalBody },
  problems: ['resource.conflict', 'role.grant-exceeds-own', 'request.invalid', 'resource.not-found'],
  handler: async (context) => {
    const { body, deps, scope } = context;
    const { password: _password, ...account } = body;
    const change = userCreate.prepare(await withPasswordHash(deps, account, body));
    return context.change(async (tx) => {
      const { user_id } = createdUser.parse(await runGatedAction(tx, context, change));
      return presentUser(tx, scope, user_id, 201);
    });
  },
});

const updateUser = route({
  operationId: 'updateUser',
  method: 'put',
  path: '/admin/users/:id',
  tag: 'user',
  summary: 'Change an account; omitted fields are unchanged',
  description:
    'Deactivating it ends its sessions within a second and cancels its open approval requests. Another address or number ' +
    'ends its sessions too. For a user who may decide, address, number and status are changed by two persons: 202.',
  permission: 'user:update',
  gate: {
    action: userUpdate.name,
    payload: ({ params, body }, { ifMatch }) => ({ user_id: params.id, version: expectedVersion(ifMatch), ...body }),
  },
  requiresIfMatch: true,
  params: idParams,
  body: userChange,
  responses: { 200: userView, 202: ApprovalBody },
  problems: [
    'resource.not-found',
    'resource.conflict',
    'resource.version-mismatch',
    'user.exceeds-own',
    'user.last-super-admin',
    'role.own-rights',
  ],
  handler: async (context) => {
    const { params, body, request, scope } = context;
    const change = userUpdate.prepare({ user_id: params.id, version: expectedVersion(request.ifMatch), ...body });
    return context.change(async (tx) => {
      await runGatedAction(tx, context, change);
      return presentUser(tx, scope, params.id);
    });
  },
});

const deleteUser = route({
  operationId: 'deleteUser',
  method: 'delete',
  path: '/admin/users/:id',
  tag: 'user',
  summary: 'Delete an account; its row is retained for the audit',
  description:
    'If the user owns resources, `transfer_to` must name the new owner; the 409 response lists what is owned.',
  permission: 'user:delete',
  gate: {
    action: userDelete.name,
    payload: ({ params, query }, { ifMatch }) => ({ user_id: params.id, version: expectedVersion(ifMatch), ...query }),
  },
  requiresIfMatch: true,
  params: idParams,
  query: z.strictObject({
    transfer_to: uuid.optional().describe('User who becomes the owner of what this user owns'),
    reason: reasonText.optional(),
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
    const { params, query, request } = context;
    const change = userDelete.prepare({ user_id: params.id, version: expectedVersion(request.ifMatch), ...query });
    return context.change(async (tx) => {
      await runGatedAction(tx, context, change);
      return reply(204);
    });
  },
});

export const userRoutes = [getUsers, getUserById, createUser, updateUser, deleteUser];
