import type { Actor } from '../shared/actor.ts';
import { campaignGrants } from '../assignment/campaign-permission.ts';
import type { CampaignGrant, CampaignPermissions } from '../assignment/campaign-permission.ts';
import type { Permission } from './permissions.ts';
import { isInForce, moduleAdminRoles } from './module-permission.ts';
import type { ModuleAction, ModuleGrant, SoftwareModule } from './module-permission.ts';

/** Whether somebody may do something, with the rule that decided. */
export interface AccessDecision {
  readonly allowed: boolean;
  /**
   * E.g. `role-permission:flag:toggle`, `campaign-permission:can_manage`, `ownership:contact`,
   * `agent-module:client_management:read`, `no-rule`.
   */
  readonly rule: string;
}

/** A campaign, as the access rule sees it. */
export interface CampaignAccess {
  readonly type: 'campaign';
  /** What the actor's membership lets them do; null without one. */
  readonly membership: CampaignPermissions | null;
}

/** A contact, as the access rule sees it. */
export interface ContactAccess {
  readonly type: 'contact';
  /** Whether the contact is assigned to the actor. */
  readonly is_own: boolean;
  /** The actor's membership in the campaign through which the contact is assigned, or in whose queue it waits; null without one. */
  readonly membership: CampaignPermissions | null;
  /** Whether the contact waits in the queue of that campaign, and so belongs to its pool. */
  readonly is_pooled: boolean;
}

/** An action in a software module. */
export interface ModuleAccess {
  readonly type: 'module';
  readonly name: SoftwareModule;
  readonly action: ModuleAction;
  /** The actor's module grants, as read for this request; never cached beyond it (S4-25). */
  readonly grants: readonly ModuleGrant[];
}

export type AccessResource = CampaignAccess | ContactAccess | ModuleAccess;

/** What is decided about: a permission of the catalogue, or null for what only a module knows. */
type Subject = Pick<Actor, 'permissions' | 'roles'>;

/**
 * The one access rule. Its parts are tried in a fixed order and the first that applies decides, so the answer does
 * not depend on the order in which roles were assigned:
 *
 * 1. somebody who may manage all campaigns, or all memberships, may do so in each, whatever a membership says;
 * 2. a member without any campaign permission sees and does nothing in the campaign, also against a role;
 * 3. a role of the actor has the permission, or one that includes it → allowed;
 * 4. the thing is the actor's own, and its owner may do this → allowed;
 * 5. a campaign permission of the actor's membership covers it → allowed (S3-8);
 * 6. in a software module: its administrators are allowed (S4-26), and so is who has an unexpired grant of the action;
 * 7. nothing applies → refused.
 *
 * @param nowMs when time-bound grants are judged, milliseconds since the epoch.
 */
export function can(
  actor: Subject,
  permission: Permission | null,
  resource: AccessResource | null = null,
  nowMs: number = Date.now(),
): AccessDecision {
  if (resource?.type === 'campaign' && permission !== null) {
    const seen = seesCampaign(actor, permission, resource.membership);
    if (seen !== null) return seen;
  }
  const given = permission === null ? undefined : rolePermissionFor(actor, permission);
  if (given !== undefined) return { allowed: true, rule: `role-permission:${given}` };
  switch (resource?.type) {
    case 'contact':
      return permission === null ? noRule : decideOnContact(permission, resource);
    case 'campaign':
      return permission === null ? noRule : decideByMembership(permission, resource.membership, campaignRules);
    case 'module':
      return decideOnModule(actor, resource, nowMs);
    case undefined:
      return noRule;
  }
}

/**
 * The rights over all campaigns, contacts and assignments: who has one more of them than another person is the stronger one where
 * campaign permissions are given and taken (S4-26).
 */
export const campaignRights: readonly Permission[] = [
  'campaign:update',
  'campaign:send',
  'campaign:manage',
  'contact:update',
  'contact:manage',
  'assignment:manage',
];

const noRule: AccessDecision = { allowed: false, rule: 'no-rule' };

/** Permissions that include others: who may change something may see it. */
const includedIn: Partial<Readonly<Record<Permission, readonly Permission[]>>> = {
  'campaign:read': ['campaign:update', 'campaign:send', 'campaign:manage'],
  'campaign:update': ['campaign:manage'],
  'campaign:send': ['campaign:manage'],
  'contact:read': ['contact:update', 'contact:manage'],
  'contact:update': ['contact:manage'],
  'client:read': ['client:create', 'client:update', 'client:delete', 'client:manage'],
  'client:create': ['client:manage'],
  'client:update': ['client:manage'],
  'client:delete': ['client:manage'],
};

/** The permission of a role that gives the wanted one: itself, or one that includes it; undefined where no role gives it. */
export function rolePermissionFor({ permissions }: Pick<Actor, 'permissions'>, wanted: Permission): Permission | undefined {
  return [wanted, ...(includedIn[wanted] ?? [])].find((one) => permissions.includes(one));
}

type MembershipRules = Partial<Readonly<Record<Permission, readonly CampaignGrant[]>>>;

/** What each permission on a campaign takes of a member: one of these. Who manages may do everything in the campaign. */
const campaignRules: MembershipRules = {
  'campaign:read': campaignGrants,
  'campaign:update': ['can_edit', 'can_manage'],
  'campaign:send': ['can_send', 'can_manage'],
  'campaign:manage': ['can_manage'],
  'assignment:read': campaignGrants,
  'assignment:manage': ['can_manage'],
};

/** The same of a contact in the pool of the member's campaign. */
const pooledContactRules: MembershipRules = {
  'contact:read': campaignGrants,
  'contact:update': ['can_edit', 'can_manage'],
  'assignment:read': ['can_manage'],
};

/** The same of a contact that somebody else has through the member's campaign. */
const assignedContactRules: MembershipRules = {
  'contact:read': ['can_manage'],
  'contact:update': ['can_manage'],
  'assignment:read': ['can_manage'],
};

/** What the owner of a contact may do with it. */
export const ownerPermissions: readonly Permission[] = ['contact:read', 'contact:update', 'assignment:read'];

/**
 * Whether somebody stands above the memberships of all campaigns, so that none of them takes anything: who could change the
 * membership anyway.
 */
export function isAboveMemberships({ permissions }: Pick<Actor, 'permissions'>, wanted: Permission): boolean {
  if (permissions.includes('campaign:manage')) return true;
  return wanted.startsWith('assignment:') && permissions.includes('assignment:manage');
}

/** What is decided before roles are asked: null where the membership leaves it to them. */
function seesCampaign(actor: Subject, wanted: Permission, membership: CampaignPermissions | null): AccessDecision | null {
  if (membership === null || isAboveMemberships(actor, wanted)) return null;
  const seen = decideByMembership('campaign:read', membership, campaignRules);
  return seen.allowed && wanted !== 'campaign:read' ? null : seen;
}

function decideOnContact(permission: Permission, { is_own, membership, is_pooled }: ContactAccess): AccessDecision {
  if (is_own && ownerPermissions.includes(permission)) return { allowed: true, rule: 'ownership:contact' };
  return decideByMembership(permission, membership, is_pooled ? pooledContactRules : assignedContactRules);
}

function decideByMembership(
  permission: Permission,
  membership: CampaignPermissions | null,
  rules: MembershipRules,
): AccessDecision {
  const wanted = rules[permission];
  if (wanted === undefined || membership === null) return noRule;
  const grant = wanted.find((one) => membership[one]);
  if (grant !== undefined) return { allowed: true, rule: `campaign-permission:${grant}` };
  return { allowed: false, rule: `campaign-permission-missing:${wanted[0] ?? 'can_manage'}` };
}

function decideOnModule({ roles }: Subject, { name, action, grants }: ModuleAccess, nowMs: number): AccessDecision {
  const admin = roles.find((role) => moduleAdminRoles.includes(role));
  if (admin !== undefined) return { allowed: true, rule: `agent-module-admin:${admin}` };
  const grant = grants.find(({ agent_name }) => agent_name === name);
  if (grant !== undefined && !isInForce(grant, nowMs)) return { allowed: false, rule: `agent-module-expired:${name}` };
  return grant?.[`can_${action}`] === true ? { allowed: true, rule: `agent-module:${name}:${action}` } : noRule;
}
