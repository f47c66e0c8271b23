import type { Actor } from '../shared/actor.ts';
import type { Permission } from './permissions.ts';
import { isInForce, moduleAdminRoles } from './module-permission.ts';
import type { ModuleAction, ModuleGrant, SoftwareModule } from './module-permission.ts';

/** Whether somebody may do something, with the rule that decided. */
interface AccessDecision {
  readonly allowed: boolean;
  /** E.g. `role-permission:flag:toggle`, `agent-module:client_management:read`, `no-rule`. */
  readonly rule: string;
}

/** What is asked about besides a permission: an action in a software module. */
interface AccessResource {
  readonly module?: { readonly name: SoftwareModule; readonly action: ModuleAction } | undefined;
  /** The actor's module grants, as read for this request; never cached beyond it (S4-25). */
  readonly module_grants?: readonly ModuleGrant[];
}

/**
 * The one access rule. Its parts are tried in a fixed order and the first that applies decides, so the answer does
 * not depend on the order in which roles were assigned:
 *
 * 1. a role of the actor has the permission → allowed;
 * 2. in a software module: its administrators are allowed (S4-26), and so is who has an unexpired grant of the action;
 * 3. nothing applies → refused.
 *
 * @param nowMs when time-bound grants are judged, milliseconds since the epoch.
 */
export function can(
  actor: Pick<Actor, 'permissions' | 'roles'>,
  permission: Permission | null,
  resource: AccessResource = {},
  nowMs: number = Date.now(),
): AccessDecision {
  if (permission !== null && actor.permissions.includes(permission)) {
    return { allowed: true, rule: `role-permission:${permission}` };
  }
  const { module, module_grants: grants = [] } = resource;
  if (module !== undefined) {
    const admin = actor.roles.find((role) => moduleAdminRoles.includes(role));
    if (admin !== undefined) return { allowed: true, rule: `agent-module-admin:${admin}` };
    const grant = grants.find(({ agent_name }) => agent_name === module.name);
    if (grant !== undefined && !isInForce(grant, nowMs)) {
      return { allowed: false, rule: `agent-module-expired:${module.name}` };
    }
    if (grant?.[`can_${module.action}`] === true) {
      return { allowed: true, rule: `agent-module:${module.name}:${module.action}` };
    }
  }
  return { allowed: false, rule: 'no-rule' };
}
