import type { Permission } from './permissions.ts';

/** Software modules whose use is granted person by person (S4-3); paths, table and fields call them agents. */
export const softwareModules = ['client_management', 'pdf_processing', 'reports_analysis', 'audio_recording'] as const;

export type SoftwareModule = (typeof softwareModules)[number];

/** What can be done in a module; each is granted by itself. */
export type ModuleAction = 'create' | 'read' | 'update' | 'delete';

/**
 * The permissions of the catalogue that a module gives besides roles: who has the action in the module has the permission. Client
 * records are the module `client_management`.
 */
const givenByModules: Partial<Readonly<Record<Permission, { readonly name: SoftwareModule; readonly action: ModuleAction }>>> = {
  'client:read': { name: 'client_management', action: 'read' },
  'client:create': { name: 'client_management', action: 'create' },
  'client:update': { name: 'client_management', action: 'update' },
  'client:delete': { name: 'client_management', action: 'delete' },
};

/** The action in a module that gives a permission; undefined where only roles give it. */
export function moduleActionOf(permission: string): { readonly name: SoftwareModule; readonly action: ModuleAction } | undefined {
  return givenByModules[permission as Permission];
}

/** One person's permission in one module. */
export interface ModuleGrant {
  readonly agent_name: SoftwareModule;
  readonly can_create: boolean;
  readonly can_read: boolean;
  readonly can_update: boolean;
  readonly can_delete: boolean;
  /** RFC 3339; null does not expire. Compared with the clock whenever it is used (S4-25). */
  readonly expires_at: string | null;
}

/** Roles that may do everything in every module without a grant (S4-26). */
export const moduleAdminRoles: readonly string[] = ['role-super-admin', 'role-provider-admin', 'role-regional-manager'];

/** Whether a grant has not expired at `nowMs`, milliseconds since the epoch. */
export function isInForce({ expires_at }: Pick<ModuleGrant, 'expires_at'>, nowMs: number): boolean {
  return expires_at === null || Date.parse(expires_at) > nowMs;
}
