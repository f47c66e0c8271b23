import { sql } from 'kysely';
import { z } from 'zod';
import { revokeSessions } from '../../services/identity/revoke-sessions.service.ts';
import { allPermissions } from '../../domain/identity/permissions.ts';
import { prepared } from '../../entities/prepared-query.ts';
import { query } from '../../entities/kysely-schema.ts';
import { passwordFaults } from '../../platform/security/password.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { notifyOwner } from '../../services/identity/account-notification.service.ts';
import { reply, route } from '../http/route.ts';
import { passwordInput, timestamp, timeZone } from '../../platform/value-schemas.ts';

const profile = z
  .object({
    id: z.uuid(),
    tenant_id: z.uuid(),
    tenant_name: z.string(),
    email: z.string().nullable(),
    phone_number: z.string().nullable(),
    full_name: z.string(),
    role: z.enum(['sysadmin', 'admin', 'user']),
    roles: z.array(z.string()),
    permissions: z.array(z.enum(allPermissions as [string, ...string[]])),
    time_zone: z.string(),
    currency: z.string(),
    last_sign_in_at: timestamp.nullable(),
    created_at: timestamp,
  })
  .meta({ id: 'Profile' });

const preferences = z
  .object({
    language: z.string(),
    theme: z.enum(['system', 'light', 'dark']),
    week_start: z.enum(['monday', 'saturday', 'sunday']),
    email_notifications: z.boolean(),
    time_zone: z.string().nullable().describe('Null follows the tenant'),
  })
  .meta({ id: 'Preferences' });

const getProfile = route({
  operationId: 'getProfile',
  method: 'get',
  path: '/users/me',
  aliases: ['/api/v1/users/me'],
  tag: 'profile',
  summary: 'The signed-in person, with tenant, roles and permissions',
  permission: 'authenticated',
  gate: 'none',
  responses: { 200: profile },
  handler: async ({ actor, read: find }) => {
    const [row] = await find(
      query
        .selectFrom('users as u')
        .innerJoin('tenants as t', 't.id', 'u.tenant_id')
        .where('u.id', '=', actor.user_id)
        .select(['u.id', 'u.tenant_id', 't.name as tenant_name', 'u.email', 'u.phone_number', 'u.full_name', 'u.role'])
        .select(['t.currency', 'u.last_sign_in_at', 'u.created_at'])
        .select((eb) => eb.fn.coalesce('u.time_zone', 't.time_zone').as('time_zone')),
    );
    if (row === undefined) throw notFound('user');
    return { ...row, roles: actor.roles, permissions: actor.permissions };
  },
});

const preferencesStatement = prepared<{ user_id: string | null }>()((param) =>
  query
    .selectFrom('users as u')
    .leftJoin('user_preferences as p', 'p.user_id', 'u.id')
    .where('u.id', '=', param('user_id'))
    .select('u.time_zone')
    .select((eb) => [
      eb.fn.coalesce('p.language', sql.lit('en')).as('language'),
      eb.fn.coalesce('p.theme', sql.lit('system')).as('theme'),
      eb.fn.coalesce('p.week_start', sql.lit('monday')).as('week_start'),
      eb.fn.coalesce('p.email_notifications', sql.lit(true)).as('email_notifications'),
    ]),
);

const getPreferences = route({
  operationId: 'getPreferences',
  method: 'get',
  path: '/users/me/preferences',
  aliases: ['/api/v1/users/me/preferences'],
  tag: 'profile',
  summary: 'How the signed-in person wants the product to behave',
  permission: 'authenticated',
  gate: 'none',
  responses: { 200: preferences },
  handler: async ({ actor, read: find }) => (await find(preferencesStatement({ user_id: actor.user_id })))[0],
});

const updatePreferences = route({
  operationId: 'updatePreferences',
  method: 'put',
  path: '/users/me/preferences',
  aliases: ['/api/v1/users/me/preferences'],
  tag: 'profile',
  summary: 'Change preferences; what is left out stays',
  permission: 'authenticated',
  gate: 'none',
  body: z
    .strictObject({
      language: z.string().regex(/^[a-z]{2}(-[A-Z]{2})?$/, 'must be a language tag such as en or pt-BR').optional(),
      theme: z.enum(['system', 'light', 'dark']).optional(),
      week_start: z.enum(['monday', 'saturday', 'sunday']).optional(),
      email_notifications: z.boolean().optional(),
      time_zone: timeZone.nullable().optional(),
    })
    .meta({ id: 'PreferencesUpdate' }),
  responses: { 200: preferences },
  handler: ({ actor, body, unitOfWork }) => {
    const { time_zone, ...changes } = body;
    const { user_id, tenant_id } = actor;
    if (user_id === null) throw notFound('user');
    return unitOfWork(async (tx) => {
      // Nothing is asked of the changes: they go with the reading of what they made.
      if (Object.keys(changes).length > 0) {
        tx.send(
          tx.sql
            .insertInto('user_preferences')
            .values({ tenant_id, user_id, ...changes })
            .onConflict((conflict) =>
              conflict
                .columns(['tenant_id', 'user_id'])
                .doUpdateSet({ ...changes, updated_at: sql<string>`now()`, version: sql<number>`user_preferences.version + 1` }),
            ),
        );
      }
      if (time_zone !== undefined) {
        tx.send(tx.sql.updateTable('users').set({ time_zone, updated_at: sql<string>`now()` }).where('id', '=', user_id));
      }
      tx.audit({
        event: 'preferences.update',
        action: 'update',
        resource_type: 'user',
        resource_id: user_id,
        new_values: body,
      });
      const { rows } = await tx.sql.executeQuery(preferencesStatement({ user_id }).compile());
      return rows[0];
    });
  },
});

const changePassword = route({
  operationId: 'changePassword',
  method: 'put',
  path: '/users/me/password',
  aliases: ['/api/v1/users/me/password'],
  tag: 'profile',
  summary: 'Change the own password; ends all other sessions',
  permission: 'authenticated',
  gate: 'none',
  body: z.strictObject({ current_password: passwordInput, new_password: z.string().min(1).max(128) }),
  responses: { 204: null },
  problems: ['auth.invalid-credentials', 'request.invalid'],
  handler: async ({ actor, body, read: find, unitOfWork, deps }) => {
    const { user_id } = actor;
    if (user_id === null) throw notFound('user');
    await deps.rateLimits.signInAccount.take(`password:${user_id}`);
    const [user] = await find(
      query.selectFrom('users').where('id', '=', user_id).select(['password_hash', 'email', 'phone_number', 'full_name']),
    );
    if (!(await deps.passwords.verify(user?.password_hash ?? null, body.current_password))) {
      throw new Problem({ code: 'auth.invalid-credentials', detail: 'The current password is not right.' });
    }
    const identity = [user?.email, user?.phone_number, user?.full_name].filter((text) => typeof text === 'string');
    const faults = passwordFaults(body.new_password, identity);
    if (faults.length > 0) {
      const errors = faults.map((fault) => ({ pointer: '/new_password', detail: fault }));
      throw new Problem({ code: 'request.invalid', detail: 'Choose another password.', errors });
    }
    const password_hash = await deps.passwords.hash(body.new_password);
    await unitOfWork(async (tx) => {
      await tx.sql
        .updateTable('users')
        .set({ password_hash, password_changed_at: sql<string>`now()`, updated_at: sql<string>`now()` })
        .where('id', '=', user_id)
        .execute();
      await revokeOtherSessions(tx, user_id, actor.session_id);
      tx.audit({ event: 'password.change', action: 'update', resource_type: 'user', resource_id: user_id });
    });
    await notifyOwner(deps, { ...actor, user_id }, 'password-changed');
    return reply(204);
  },
});

async function revokeOtherSessions(
  tx: Parameters<typeof revokeSessions>[0],
  userId: string,
  keepId: string | null,
): Promise<void> {
  const others = await tx.sql
    .selectFrom('sessions')
    .where('user_id', '=', userId)
    .where('revoked_at', 'is', null)
    .$if(keepId !== null, (q) => q.where('id', '<>', keepId ?? ''))
    .select('id')
    .execute();
  for (const { id } of others) await revokeSessions(tx, { session_id: id }, 'password_changed');
}

export const profileRoutes = [getProfile, getPreferences, updatePreferences, changePassword];
