import type { Actor } from '../shared/actor.ts';
import { isUuid } from '../shared/uuid.ts';

/** The kinds of operations: the closed list of S4-4. The exact operation is the entry's `event`. */
export const auditActions = ['create', 'read', 'update', 'delete', 'login', 'logout', 'permission_change'] as const;
export type AuditAction = (typeof auditActions)[number];

/** `refused`: not permitted, nothing was changed; `failed`: permitted, and did not work. */
export const auditOutcomes = ['success', 'refused', 'failed'] as const;
export type AuditOutcome = (typeof auditOutcomes)[number];

/** Whether a row belongs to the portal's own administration (`admin_audit_logs`, X-7) or to the business. */
export const auditAreas = ['admin', 'business'] as const;
export type AuditArea = (typeof auditAreas)[number];

/** One operation, as a unit of work states it; actor and time are added by the writer. */
export interface AuditEntry {
  /** `resource.operation`, e.g. `flag.toggle`; names the operation for people and for filters. */
  readonly event: string;
  readonly action: AuditAction;
  readonly resource_type: string;
  readonly resource_id: string | null;
  /** Default `success`. */
  readonly outcome?: AuditOutcome;
  /** Why it was refused or failed: a problem code, never free text. */
  readonly reason?: string;
  /** State before and after. Redacted by field before it is written; see `audit-redaction.ts`. */
  readonly old_values?: unknown;
  readonly new_values?: unknown;
}

/**
 * The chained, public part of an audit row, exactly as it is hashed (RFC 8785 text). It holds ids and facts only:
 * what may be personal is in the private part, to which `private_digest` commits, so that personal data can be erased
 * later without breaking the chain.
 */
export interface AuditRecord {
  /**
   * Version of this form. Version 2 differs from 1 in the private part alone: what is about a person is sealed there
   * under that person's key, so the digest commits to what stays after the key is destroyed.
   */
  readonly v: 1 | 2;
  readonly id: string;
  /** Null on the platform chain. */
  readonly tenant_id: string | null;
  /** RFC 3339 UTC, milliseconds. */
  readonly occurred_at: string;
  readonly actor: {
    readonly kind: Actor['kind'];
    readonly user_id: string | null;
    readonly roles: readonly string[];
    /** Hex SHA-256 of the effective permissions at the time; the list is kept once in `audit_permission_sets`. */
    readonly permissions_digest: string;
  };
  readonly area: AuditArea;
  readonly event: string;
  readonly action: AuditAction;
  readonly resource_type: string;
  readonly resource_id: string | null;
  readonly outcome: AuditOutcome;
  readonly reason: string | null;
  readonly session_id: string | null;
  readonly request_id: string | null;
  readonly trace_id: string | null;
  readonly workflow_id: string | null;
  /** Hex SHA-256 of the canonical private part. */
  readonly private_digest: string;
}

/** The erasable part of an audit row. The salt keeps an erased part from being guessed by its digest. */
export interface AuditPrivate {
  /** 128 random bits, base64url. */
  readonly salt: string;
  readonly ip: string | null;
  readonly user_agent: string | null;
  readonly old_values: unknown;
  readonly new_values: unknown;
  /** What is about persons (version 2). Its members are null above. */
  readonly sealed?: readonly SealedPart[];
}

/** One part of a private part that is about one person. */
export interface SealedPart {
  /** Whose key opens it: the id of a user, a contact or a client. */
  readonly person: string;
  /** `origin`: address and agent of the actor; `values`: the state of the person concerned, before and after. */
  readonly holds: 'origin' | 'values';
  /** base64url; see `platform/audit/audit-seal.ts`. */
  readonly box: string;
}

/** Resources whose values describe a person: those that are persons, and those that belong to the actor. */
const personResources: ReadonlySet<string> = new Set(['user', 'contact', 'client']);
const ownResources: ReadonlySet<string> = new Set(['session', 'mfa_factor', 'mfa_challenge']);

/** The person that the values of an entry are about; null where they are about no person. */
export function subjectOf(entry: AuditEntry, actor: Pick<Actor, 'user_id'>): string | null {
  if (ownResources.has(entry.resource_type)) return actor.user_id;
  const id = entry.resource_id;
  return personResources.has(entry.resource_type) && id !== null && isUuid(id) ? id : null;
}

/** Chain of everything that belongs to no tenant. It is never the id of a tenant. */
export const platformChainId = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** The tenant that a chain belongs to; null for the platform's own. */
export function tenantOfChain(chainId: string): string | null {
  return chainId === platformChainId ? null : chainId;
}

/** Resources of the business; all others belong to the portal's own administration. */
const businessResourceTypes: ReadonlySet<string> = new Set([
  'activity',
  'agent',
  'assignment',
  'campaign',
  'claim',
  'client',
  'client_data_request',
  'client_export',
  'client_import',
  'client_merge',
  'client_settings',
  'contact',
  'focus_session',
  'goal',
  'lead',
  'meeting',
  'nudge',
  'onboarding_link',
  'payment',
  'policy',
  'policyholder',
  'product',
  'prospect',
  'quote',
]);

/** The area of an operation, by the type of its resource. */
export function auditAreaOf(resourceType: string): AuditArea {
  return businessResourceTypes.has(resourceType) ? 'business' : 'admin';
}
