/** Software modules whose use is granted person by person (S4-3); S4 calls them agents. */
export const agentModules = ['client_management', 'pdf_processing', 'reports_analysis', 'audio_recording'] as const;

export type AgentModule = (typeof agentModules)[number];

/** One person's grant for one module. */
export interface ModuleGrant {
  readonly agent_name: AgentModule;
  readonly can_create: boolean;
  readonly can_read: boolean;
  readonly can_update: boolean;
  readonly can_delete: boolean;
  /** RFC 3339; null does not expire. Judged at use (S4-25). */
  readonly expires_at: string | null;
}

/** What the coarse roles of S4 get in every module without a row of their own (S4-26). */
export const moduleAdminRoles: readonly string[] = ['role-super-admin', 'role-provider-admin', 'role-regional-manager'];
