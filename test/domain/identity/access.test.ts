import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { can } from '../../../src/domain/identity/access.ts';
import type { AccessResource } from '../../../src/domain/identity/access.ts';
import { campaignGrants } from '../../../src/domain/assignment/campaign-permission.ts';
import type { CampaignPermissions } from '../../../src/domain/assignment/campaign-permission.ts';
import type { Permission } from '../../../src/domain/identity/permissions.ts';
import { systemRoles } from '../../../src/domain/identity/system-roles.ts';

/** What can be done with a campaign and with a contact, and who may do it by a role alone; written down apart from the rule. */
const byRole: Readonly<Record<string, readonly string[]>> = {
  'campaign:read': ['role-super-admin', 'role-provider-admin', 'role-regional-manager', 'role-senior-agent', 'role-junior-agent'],
  'campaign:update': ['role-super-admin', 'role-provider-admin', 'role-regional-manager'],
  'campaign:send': ['role-super-admin', 'role-provider-admin', 'role-regional-manager'],
  'campaign:manage': ['role-super-admin', 'role-provider-admin', 'role-regional-manager'],
  'contact:read': ['role-super-admin', 'role-provider-admin', 'role-regional-manager'],
  'contact:update': ['role-super-admin', 'role-provider-admin', 'role-regional-manager'],
  'contact:manage': ['role-super-admin', 'role-provider-admin', 'role-regional-manager'],
  'assignment:read': ['role-super-admin', 'role-provider-admin', 'role-regional-manager'],
  'assignment:manage': ['role-super-admin', 'role-provider-admin', 'role-regional-manager'],
};

const memberships: (CampaignPermissions | null)[] = [
  null,
  ...Array.from({ length: 16 }, (_, bits) => ({
    can_view: (bits & 1) > 0,
    can_edit: (bits & 2) > 0,
    can_send: (bits & 4) > 0,
    can_manage: (bits & 8) > 0,
  })),
];
const any = (member: CampaignPermissions | null) => member !== null && campaignGrants.some((grant) => member[grant]);

/** The same rule as a table of who may: a membership with nothing shuts the campaign, but not to who could change it. */
function expectedOnCampaign(role: string, permission: string, member: CampaignPermissions | null): boolean {
  const above = [byRole['campaign:manage'], permission.startsWith('assignment:') ? byRole['assignment:manage'] : []];
  const isShut = member !== null && !any(member) && !above.flat().includes(role);
  const hasRole = byRole[permission]!.includes(role) && !isShut;
  switch (permission) {
    case 'campaign:read':
      return hasRole || any(member);
    case 'campaign:update':
      return hasRole || member?.can_edit === true || member?.can_manage === true;
    case 'campaign:send':
      return hasRole || member?.can_send === true || member?.can_manage === true;
    case 'assignment:read':
      return hasRole || any(member);
    default:
      return hasRole || (['campaign:manage', 'assignment:manage'].includes(permission) && member?.can_manage === true);
  }
}

function expectedOnContact(
  role: string,
  permission: string,
  { is_own, is_pooled, membership }: { is_own: boolean; is_pooled: boolean; membership: CampaignPermissions | null },
): boolean {
  if (byRole[permission]!.includes(role)) return true;
  const manages = membership?.can_manage === true;
  switch (permission) {
    case 'contact:read':
      return is_own || manages || (is_pooled && any(membership));
    case 'contact:update':
      return is_own || manages || (is_pooled && membership?.can_edit === true);
    case 'assignment:read':
      return is_own || manages;
    default:
      return false;
  }
}

const roles = [...systemRoles, { code: 'nobody', permissions: [] as Permission[] }];

describe('S3-8, X-29, U-9: one rule for roles, campaign permissions and ownership', () => {
  it.each(roles.map((role) => [role.code, role] as const))('%s: each permission on a campaign, by each membership', (_, { code, permissions }) => {
    for (const permission of Object.keys(byRole) as Permission[]) {
      for (const membership of memberships) {
        const { allowed } = can({ permissions, roles: [code] }, permission, { type: 'campaign', membership });
        const expected = expectedOnCampaign(code, permission, membership);
        expect({ permission, membership, allowed }).toEqual({ permission, membership, allowed: expected });
      }
    }
  });

  it.each(roles.map((role) => [role.code, role] as const))('%s: each permission on a contact, by ownership, pool and membership', (_, { code, permissions }) => {
    for (const permission of Object.keys(byRole) as Permission[]) {
      for (const membership of memberships) {
        for (const [is_own, is_pooled] of [[false, false], [false, true], [true, false]] as const) {
          const contact = { is_own, is_pooled, membership };
          const { allowed } = can({ permissions, roles: [code] }, permission, { type: 'contact', ...contact });
          expect({ permission, contact, allowed }).toEqual({ permission, contact, allowed: expectedOnContact(code, permission, contact) });
        }
      }
    }
  });

  it('names the rule that decided', () => {
    const agent = { permissions: ['campaign:read'] as Permission[], roles: ['role-junior-agent'] };
    const member = (grants: Partial<CampaignPermissions>): AccessResource => ({
      type: 'campaign',
      membership: { can_view: false, can_edit: false, can_send: false, can_manage: false, ...grants },
    });
    expect(can(agent, 'campaign:read')).toEqual({ allowed: true, rule: 'role-permission:campaign:read' });
    expect(can(agent, 'campaign:read', member({}))).toEqual({ allowed: false, rule: 'campaign-permission-missing:can_view' });
    expect(can(agent, 'assignment:manage', member({ can_manage: true }))).toEqual({ allowed: true, rule: 'campaign-permission:can_manage' });
    expect(can(agent, 'assignment:manage', member({ can_edit: true }))).toEqual({ allowed: false, rule: 'campaign-permission-missing:can_manage' });
    const own = { type: 'contact', is_own: true, is_pooled: false, membership: null } as const;
    expect(can(agent, 'contact:update', own)).toEqual({ allowed: true, rule: 'ownership:contact' });
    expect(can(agent, 'contact:manage', own)).toEqual({ allowed: false, rule: 'no-rule' });
    const clerk = { permissions: ['contact:manage'] as Permission[], roles: ['clerk'] };
    for (const permission of ['contact:read', 'contact:update'] as const) {
      expect(can(clerk, permission)).toEqual({ allowed: true, rule: 'role-permission:contact:manage' });
    }
    const editor = { permissions: ['campaign:update'] as Permission[], roles: ['editor'] };
    expect(can(editor, 'campaign:read')).toEqual({ allowed: true, rule: 'role-permission:campaign:update' });
    expect(can(editor, 'campaign:read', member({}))).toEqual({ allowed: false, rule: 'campaign-permission-missing:can_view' });
  });

  it('never takes away by one more campaign permission', () => {
    const permission = fc.constantFrom(...(Object.keys(byRole) as Permission[]));
    const membership = fc.constantFrom(...memberships);
    const grant = fc.constantFrom(...campaignGrants);
    const role = fc.constantFrom(...roles);
    fc.assert(
      fc.property(role, permission, membership, grant, (held, wanted, before, more) => {
        const actor = { permissions: held.permissions, roles: [held.code] };
        const after = { ...(before ?? { can_view: false, can_edit: false, can_send: false, can_manage: false }), [more]: true };
        const decide = (given: CampaignPermissions | null) => can(actor, wanted, { type: 'campaign', membership: given }).allowed;
        expect(!decide(before) || decide(after)).toBe(true);
      }),
    );
  });
});
