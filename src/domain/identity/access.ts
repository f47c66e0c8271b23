import type { Actor } from '../shared/actor.ts';
import type { Permission } from './permissions.ts';
import { moduleAdminRoles } from './agent-module.ts';
import type { AgentModule, ModuleGrant } from './agent-module.ts';

/** The answer to "may they?", with the rule that decided. */
export interface AccessDecision {
  readonly allowed: boolean;
  /** E.g. `role-permission:flag:toggle`, `agent-module:client_management:read`, `no-rule`. */
  readonly rule: string;
}

/** What an access question may be about besides a permission: an agent module of S4. */
export interface AccessResource {
  readonly agent_module?: { readonly name: AgentModule; readonly action: 'create' | 'read' | 'update' | 'delete' };
  /** Module grants of the actor, as read for this request; never cached beyond it (S4-25). */
  readonly module_grants?: readonly ModuleGrant[];
}

/**
 * The one access rule. Rules are asked in a fixed order and the first that speaks decides, so the answer does
 * not depend on the order in which roles were given:
 *
 * 1. a service or person holds the permission through a role → allowed;
 * 2. for an agent module: sysadmin and admin roles are allowed (S4-26), a living grant with the action's bit is;
 * 3. nothing speaks → refused.
 *
 * @param nowMs the moment at which time-bound grants are judged, milliseconds since the epoch.
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
  const { agent_module: module, module_grants: grants = [] } = resource;
  if (module !== undefined) {
    const admin = actor.roles.find((role) => moduleAdminRoles.includes(role));
    if (admin !== undefined) return { allowed: true, rule: `agent-module-admin:${admin}` };
    const grant = grants.find(({ agent_name }) => agent_name === module.name);
    const alive = grant !== undefined && (grant.expires_at === null || Date.parse(grant.expires_at) > nowMs);
    if (alive && grant[`can_${module.action}`]) {
      return { allowed: true, rule: `agent-module:${module.name}:${module.action}` };
    }
    if (grant !== undefined && !alive) return { allowed: false, rule: `agent-module-expired:${module.name}` };
  }
  return { allowed: false, rule: 'no-rule' };
}
