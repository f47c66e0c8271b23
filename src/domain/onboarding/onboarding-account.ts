import { permissionsBeyond, rightsOfRoles } from '../identity/role-hierarchy.ts';
import type { RoleMap } from '../identity/role-hierarchy.ts';
import type { CoarseRole } from '../identity/system-roles.ts';

/** A role that a link gives; times are RFC 3339, null for no end. */
export interface OnboardingRole {
  readonly role_id: string;
  readonly valid_until: string | null;
}

/** The account that completing a link creates, as its creator laid it down. */
export interface OnboardingAccount {
  readonly roles: readonly OnboardingRole[];
  /** Campaigns whose pool the newcomer joins. */
  readonly campaign_ids: readonly string[];
}

/** What completing a link did; given again word for word to everybody who completes it again. */
export interface OnboardingOutcome {
  /**
   * `none`: the link creates no account; `created`; `kept_back`: the address has an account already, and a link never
   * lets anybody into one.
   */
  readonly account: 'none' | 'created' | 'kept_back';
  readonly user_id: string | null;
  readonly roles_given: readonly string[];
  /** Roles that somebody has to approve first. */
  readonly roles_waiting: readonly OnboardingRole[];
  readonly campaigns_joined: readonly string[];
}

/** The outcome of a link that creates nothing. */
export const emptyOutcome: OnboardingOutcome = {
  account: 'none',
  user_id: null,
  roles_given: [],
  roles_waiting: [],
  campaigns_joined: [],
};

/**
 * Sorts the roles of a link into those that are given on completion and those that wait for an approval: roles of
 * administrators always wait, and so does every role that the link's creator could not give any more, or that is gone.
 */
export function sortOnboardingRoles(
  wanted: readonly OnboardingRole[],
  roles: RoleMap,
  coarseRoleOf: (roleId: string) => CoarseRole | undefined,
  creatorPermissions: readonly string[],
): { readonly given: OnboardingRole[]; readonly waiting: OnboardingRole[] } {
  const isGiven = ({ role_id }: OnboardingRole) =>
    roles.has(role_id) &&
    coarseRoleOf(role_id) === 'user' &&
    creatorPermissions.includes('role:assign') &&
    permissionsBeyond(creatorPermissions, rightsOfRoles(roles, [role_id]).permissions).length === 0;
  return { given: wanted.filter(isGiven), waiting: wanted.filter((role) => !isGiven(role)) };
}
