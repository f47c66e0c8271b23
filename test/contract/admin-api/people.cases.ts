/* eslint-disable jest/no-export -- cases of one test file, which runs them on one stack */
import { describe, expect, it } from '@jest/globals';
import { freshTotpCode } from '../../support/totp.ts';
import { nobody, proven, refusalOf, stage } from './stage.ts';
import type { Caller } from './stage.ts';

/** Users, sessions and roles (S2-3..13). */
export function peopleCases(): void {
  describe('users in the typed client (S2-3..9)', () => {
    const newPerson = { full_name: 'Contract Tester', email: 'contract@example.com' };

    it('S2-3: getUsers pages through the accounts', async () => {
      const first = await stage.admin.client.adminApi.getUsers({ limit: 3 });
      expect(first.items).toHaveLength(3);
      const second = await stage.admin.client.adminApi.getUsers({ limit: 3, cursor: first.next_cursor ?? '' });
      expect(second.items[0]?.id).not.toBe(first.items[0]?.id);
      expect(await refusalOf(stage.agent.client.adminApi.getUsers())).toBe('auth.forbidden');
    });

    it('S2-4: getUserById shows one account', async () => {
      const user = await stage.admin.client.adminApi.getUserById(stage.agent.person.user_id);
      expect(user.email).toBe(stage.agent.person.email);
      expect(await refusalOf(stage.admin.client.adminApi.getUserById(nobody))).toBe('resource.not-found');
    });

    it('S2-5, S2-44, S2-45: createUser with a code from the authenticator app', async () => {
      const { client, person } = stage.admin;
      const created = await client.withMfa(
        (proof) => client.adminApi.createUser(newPerson, proof),
        () => freshTotpCode(person),
      );
      expect(created).toMatchObject({ kind: 'done', result: { email: newPerson.email } });
      const again = proven(stage.admin, (proof) => client.adminApi.createUser(newPerson, proof));
      expect(await refusalOf(again)).toBe('resource.conflict');
    });

    it('S2-5: the same idempotency key gives the first answer again', async () => {
      const body = { full_name: 'Once Only', email: 'once@example.com' };
      const create = () =>
        proven(stage.admin, (proof) => stage.admin.client.adminApi.createUser(body, { ...proof, idempotencyKey: 'contract-once' }));
      const first = await create();
      expect(await create()).toEqual(first);
    });

    it('S2-6: updateUser changes the version that was read', async () => {
      const before = await stage.admin.client.adminApi.getUserById(stage.agent.person.user_id);
      const update = (version: number) =>
        proven(stage.admin, (proof) =>
          stage.admin.client.adminApi.updateUser(before.id, { full_name: 'Arjun Das Jr' }, { ...proof, version }),
        );
      const after = await update(before.version);
      expect(after).toMatchObject({ kind: 'done', result: { full_name: 'Arjun Das Jr', version: before.version + 1 } });
      expect(await refusalOf(update(before.version))).toBe('resource.version-mismatch');
    });

    it('S2-7: deleteUser deletes once', async () => {
      const { items } = await stage.admin.client.adminApi.getUsers({ q: 'once@example.com' });
      const [user] = items;
      const remove = (id: string) =>
        proven(stage.admin, (proof) => stage.admin.client.adminApi.deleteUser(id, {}, { ...proof, version: user?.version ?? 0 }));
      expect(await remove(user?.id ?? '')).toMatchObject({ kind: 'done' });
      expect(await refusalOf(remove(nobody))).toBe('resource.not-found');
    });

    it('S2-8, S2-9: forceLogoutUser ends the sessions that getUserSessions shows', async () => {
      const customer = await stage.callerOf('role-policyholder');
      const { user_id } = customer.person;
      const { items } = await stage.admin.client.adminApi.getUserSessions(user_id);
      expect(items.map(({ id }) => id)).toContain(customer.person.session_id);
      await proven(stage.admin, (proof) => stage.admin.client.adminApi.forceLogoutUser(user_id, proof));
      const { response } = await customer.client.http.GET('/users/me');
      expect(response.status).toBe(401);
      expect(await refusalOf(stage.admin.client.adminApi.getUserSessions(nobody))).toBe('resource.not-found');
      expect(await refusalOf(stage.agent.client.adminApi.forceLogoutUser(user_id))).toBe('auth.forbidden');
    });
  });

  describe('roles in the typed client (S2-10..13)', () => {
    it('S2-10, S2-11: getRoles and getRolePermissions show the hierarchy and the matrix', async () => {
      const roles = await rolesOf(stage.admin);
      expect(roles.length).toBeGreaterThanOrEqual(7);
      const matrix = await stage.admin.client.adminApi.getRolePermissions(roles[0]?.id ?? '');
      expect(matrix.permissions.length).toBeGreaterThan(0);
      expect(await refusalOf(stage.admin.client.adminApi.getRolePermissions(nobody))).toBe('resource.not-found');
      expect(await refusalOf(stage.agent.client.adminApi.getRoles())).toBe('auth.forbidden');
    });

    it('S2-12: updateRolePermissions changes a role, but not the one that may everything', async () => {
      const roles = await rolesOf(stage.admin);
      const idOf = (code: string) => roles.find((role) => role.code === code)?.id ?? '';
      const support = await stage.admin.client.adminApi.getRolePermissions(idOf('role-support-staff'));
      const update = (id: string, version: number) =>
        proven(stage.admin, (proof) =>
          stage.admin.client.adminApi.updateRolePermissions(id, { permissions: ['user:read', 'user:force-logout'] }, { ...proof, version }),
        );
      const changed = await update(support.role_id, support.version);
      expect(changed).toMatchObject({ kind: 'done', result: { permissions: ['user:read', 'user:force-logout'] } });
      const top = await stage.admin.client.adminApi.getRolePermissions(idOf('role-super-admin'));
      expect(await refusalOf(update(top.role_id, top.version))).toBe('role.immutable');
    });

    it('S2-13: getRoleAssignmentHistory filters by person', async () => {
      const { items } = await stage.admin.client.adminApi.getRoleAssignmentHistory({ user_id: stage.agent.person.user_id });
      expect(items.length).toBeGreaterThan(0);
      expect(await refusalOf(stage.agent.client.adminApi.getRoleAssignmentHistory())).toBe('auth.forbidden');
    });

    async function rolesOf({ client }: Caller) {
      const { items } = await client.adminApi.getRoles();
      return items;
    }
  });
}
