import { permissionsBeyond, rightsOfRoles } from '../identity/role-hierarchy.ts';
import type { RoleMap } from '../identity/role-hierarchy.ts';
import type { CoarseRole } from '../identity/system-roles.ts';

/** A role that a link assigns; times are RFC 3339, null for no end. */
export interface OnboardingRole {
  readonly role_id: string;
  readonly valid_until: string | null;
}

/** The account that completing a link creates, as the link's creator has specified it. */
export interface OnboardingAccount {
  readonly roles: readonly OnboardingRole[];
  /** Campaigns whose pool the new user joins. */
  readonly campaign_ids: readonly string[];
}

/** The outcome of a completion, returned unchanged to every repetition. */
export interface OnboardingOutcome {
  /**
   * `none`: the link creates no account; `created`; `kept_back`: the address has an account already, to which a link never
   * gives access.
   */
  readonly account: 'none' | 'created' | 'kept_back';
  readonly user_id: string | null;
  readonly roles_given: readonly string[];
  /** Roles that wait for an approval. */
  readonly roles_waiting: readonly OnboardingRole[];
  readonly campaigns_joined: readonly string[];
}

/** The outcome of a link that creates no account. */
export const emptyOutcome: OnboardingOutcome = {
  account: 'none',
  user_id: null,
  roles_given: [],
  roles_waiting: [],
  campaigns_joined: [],
};

/**
 * Divides the roles of a link into those that are assigned on completion and those that wait for an approval: roles of
 * administrators and roles that give a say in approvals always wait (R5), and so do roles that the link's creator could no
 * longer assign, or that no longer exist.
 *
 * @param givesSay whether a role gives the right to decide, or is one that a policy names.
 */
export function sortOnboardingRoles(
  wanted: readonly OnboardingRole[],
  roles: RoleMap,
  coarseRoleOf: (roleId: string) => CoarseRole | undefined,
  creatorPermissions: readonly string[],
  givesSay: (roleId: string) => boolean,
): { readonly assigned: OnboardingRole[]; readonly waiting: OnboardingRole[] } {
  const isAssignable = ({ role_id }: OnboardingRole) =>
    roles.has(role_id) &&
    coarseRoleOf(role_id) === 'user' &&
    creatorPermissions.includes('role:assign') &&
    !givesSay(role_id) &&
    permissionsBeyond(creatorPermissions, rightsOfRoles(roles, [role_id]).permissions).length === 0;
  return { assigned: wanted.filter(isAssignable), waiting: wanted.filter((role) => !isAssignable(role)) };
}
