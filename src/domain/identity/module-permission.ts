import type { Permission } from './permissions.ts';

/** Software modules whose use is granted person by person (S4-3); paths, table and fields call them agents. */
export const softwareModules = ['client_management', 'pdf_processing', 'reports_analysis', 'audio_recording'] as const;

export type SoftwareModule = (typeof softwareModules)[number];

/** What can be done in a module; each is granted by itself. */
export const moduleActions = ['create', 'read', 'update', 'delete'] as const;

export type ModuleAction = (typeof moduleActions)[number];

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

/** Whether somebody holds a role that may do everything in every module (S4-26). */
export function isModuleAdmin(roles: readonly string[]): boolean {
  return roles.some((role) => moduleAdminRoles.includes(role));
}

/** How long before the end of a grant its person, and whoever has granted it, are told: three days, in milliseconds. */
export const endNoticeMs = 3 * 24 * 3_600_000;

/** An end that is nearer than this when it is set gets no notice: whoever sets it knows, and it would only come with the end. */
const leastNoticeMs = 3_600_000;

/** Whether an end is set too shortly before it for a notice; one without an end has none. `nowMs` is the time of the change. */
export function isTooNearForNotice(expiresAt: string | null, nowMs: number): boolean {
  return expiresAt !== null && Date.parse(expiresAt) - nowMs <= leastNoticeMs;
}

/** Whether the first end is later than the second; null is later than every time, and not later than null. */
export function isLaterEnd(one: string | null, other: string | null): boolean {
  if (other === null) return false;
  return one === null || Date.parse(one) > Date.parse(other);
}

/** What is told of the end of a grant: that it comes, or that it has come. */
export type ModuleEndNews = 'expiring' | 'expired';

/** Which grants a list shows: those in force, those of them that end within three days, or those that have ended. */
export const moduleGrantStates = ['active', 'expiring', 'expired'] as const;

export type ModuleGrantState = (typeof moduleGrantStates)[number];
