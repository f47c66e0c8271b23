import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { allPermissions } from '../../../src/domain/identity/permissions.ts';
import { lineOfRole, permissionsBeyond, rightsOfRoles, roleMap, wouldCycle } from '../../../src/domain/identity/role-hierarchy.ts';
import type { RoleNode } from '../../../src/domain/identity/role-hierarchy.ts';

/** Forests of roles: a parent always comes before its child, so there is no cycle. */
const forest = fc
  .array(fc.record({ permissions: fc.subarray([...allPermissions]), parent: fc.option(fc.nat(), { nil: null }) }), {
    minLength: 1,
    maxLength: 8,
  })
  .map((drafts) =>
    drafts.map<RoleNode>(({ permissions, parent }, index) => ({
      id: `id-${index}`,
      code: `code-${index}`,
      permissions,
      parent_role_id: parent === null || index === 0 ? null : `id-${parent % index}`,
    })),
  );

const forestAndHeld = forest.chain((roles) =>
  fc.tuple(fc.constant(roles), fc.subarray(roles.map(({ id }) => id)), fc.nat()),
);

describe('rights of roles', () => {
  it('S2-71: do not depend on the order of roles, of assignments or of permissions', () => {
    fc.assert(
      fc.property(forestAndHeld, ([roles, held]) => {
        const expected = rightsOfRoles(roleMap(roles), held);
        const turned = roles.map((role) => ({ ...role, permissions: role.permissions.toReversed() })).toReversed();
        expect(rightsOfRoles(roleMap(turned), [...held.toReversed(), ...held])).toEqual(expected);
      }),
    );
  });

  it('S2-71: a child gives all that its parent gives, and more roles never give fewer permissions', () => {
    fc.assert(
      fc.property(forestAndHeld, ([roles, held]) => {
        const map = roleMap(roles);
        const { permissions } = rightsOfRoles(map, held);
        for (const role of roles) {
          const own = rightsOfRoles(map, [role.id]).permissions;
          if (role.parent_role_id !== null) {
            expect(permissionsBeyond(own, rightsOfRoles(map, [role.parent_role_id]).permissions)).toEqual([]);
          }
          expect(permissionsBeyond(rightsOfRoles(map, [...held, role.id]).permissions, permissions)).toEqual([]);
        }
      }),
    );
  });

  it('S2-71: a parent is refused exactly when it is a descendant of the role', () => {
    fc.assert(
      fc.property(forestAndHeld, ([roles, , pick]) => {
        const map = roleMap(roles);
        const role = roles[pick % roles.length];
        for (const parent of roles) {
          const isBelow = lineOfRole(map, parent.id).some(({ id }) => id === role?.id);
          expect(wouldCycle(map, role?.id ?? '', parent.id)).toBe(isBelow);
        }
      }),
    );
  });

  it('X-11: the super admin holds everything, whatever its matrix says', () => {
    const roles = roleMap([{ id: '1', code: 'role-super-admin', parent_role_id: null, permissions: [] }]);
    expect(rightsOfRoles(roles, ['1']).permissions).toEqual(allPermissions);
  });

  it('ends at a cycle instead of running for ever', () => {
    const roles = roleMap([
      { id: '1', code: 'a', parent_role_id: '2', permissions: ['user:read'] },
      { id: '2', code: 'b', parent_role_id: '1', permissions: ['role:read'] },
    ]);
    expect(rightsOfRoles(roles, ['1']).permissions).toEqual(['user:read', 'role:read']);
  });
});
