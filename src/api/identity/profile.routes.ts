import { z } from 'zod';
import { notifyOwner } from '../../services/identity/account-notification.service.ts';
import { ownPreferences, ownProfile } from '../../services/identity/profile.queries.ts';
import {
  changePassword as savePassword,
  hashNewPassword,
  updatePreferences as savePreferences,
} from '../../services/identity/profile.service.ts';
import { confirmAddress, sendAddressCode } from '../../services/identity/pending-address.service.ts';
import { factorOwner } from '../../services/identity/sign-in/second-factor.service.ts';
import { notFound } from '../../platform/problem.ts';
import { passwordInput } from '../../platform/value-schemas.ts';
import { reply, route } from '../http/route.ts';
import { preferencesUpdate, preferencesView, profileView } from './profile.schemas.ts';

const getProfile = route({
  operationId: 'getProfile',
  method: 'get',
  path: '/users/me',
  aliases: ['/api/v1/users/me'],
  tag: 'profile',
  summary: 'The signed-in user, with tenant, roles and permissions',
  permission: 'authenticated',
  gate: 'none',
  responses: { 200: profileView },
  handler: async ({ actor, deps, scope }) => {
    const { roles, permissions } = actor;
    return { ...(await ownProfile(deps.db, scope)), roles, permissions };
  },
});

const getPreferences = route({
  operationId: 'getPreferences',
  method: 'get',
  path: '/users/me/preferences',
  aliases: ['/api/v1/users/me/preferences'],
  tag: 'profile',
  summary: 'Preferences of the signed-in user',
  permission: 'authenticated',
  gate: 'none',
  responses: { 200: preferencesView },
  handler: ({ deps, scope }) => ownPreferences(deps.db, scope),
});

const updatePreferences = route({
  operationId: 'updatePreferences',
  method: 'put',
  path: '/users/me/preferences',
  aliases: ['/api/v1/users/me/preferences'],
  tag: 'profile',
  summary: 'Change preferences; omitted fields are unchanged',
  permission: 'authenticated',
  gate: 'none',
  body: preferencesUpdate,
  responses: { 200: preferencesView },
  handler: async ({ actor: { user_id }, body, change }) => {
    if (user_id === null) throw notFound('user');
    return change((tx) => savePreferences(tx, user_id, body));
  },
});

const changePassword = route({
  operationId: 'changePassword',
  method: 'put',
  path: '/users/me/password',
  aliases: ['/api/v1/users/me/password'],
  tag: 'profile',
  summary: 'Change the caller’s password and end all other sessions',
  permission: 'authenticated',
  gate: 'none',
  body: z.strictObject({ current_password: passwordInput, new_password: z.string().min(1).max(128) }),
  responses: { 204: null },
  problems: ['auth.invalid-credentials', 'request.invalid'],
  handler: async ({ actor, body, change, deps }) => {
    const { user_id } = actor;
    if (user_id === null) throw notFound('user');
    const owner = { ...actor, user_id };
    const password_hash = await hashNewPassword(deps, owner, body);
    return change(async (tx) => {
      await savePassword(tx, user_id, password_hash);
      tx.after(() => notifyOwner(deps, owner, 'password-changed'));
      return reply(204);
    });
  },
});

const requestAddressCode = route({
  operationId: 'requestAddressCode',
  method: 'post',
  path: '/users/me/address/code',
  aliases: ['/api/v1/users/me/address/code'],
  tag: 'profile',
  summary: 'Mail a code to the new address that somebody else has entered for the caller',
  permission: 'authenticated',
  gate: 'none',
  idempotency: false,
  responses: { 202: z.object({ sent_to: z.string().describe('The masked address') }).meta({ id: 'AddressCode' }) },
  problems: ['resource.conflict', 'request.rate-limited'],
  handler: ({ actor, deps }) => sendAddressCode(deps, factorOwner(actor)),
});

const confirmOwnAddress = route({
  operationId: 'confirmAddress',
  method: 'post',
  path: '/users/me/address/confirm',
  aliases: ['/api/v1/users/me/address/confirm'],
  tag: 'profile',
  summary: 'Confirm the new address with the code that was mailed to it',
  description: 'Until then codes, links and identity providers use the old address.',
  permission: 'authenticated',
  gate: 'none',
  idempotency: false,
  body: z.strictObject({ code: z.string().regex(/^\d{6}$/, 'must be six digits') }),
  responses: { 200: z.object({ email: z.string() }).meta({ id: 'ConfirmedAddress' }) },
  problems: ['resource.conflict', 'mfa.code-refused', 'mfa.locked'],
  handler: ({ actor, body, deps }) => confirmAddress(deps, factorOwner(actor), body.code),
});

export const profileRoutes = [
  getProfile,
  getPreferences,
  updatePreferences,
  changePassword,
  requestAddressCode,
  confirmOwnAddress,
];
