import type { EnvironmentName } from './environment.ts';
import type { Permission } from '../identity/permissions.ts';

/**
 * Who acts, with everything the rules and the audit need to know. Plain JSON.
 *
 * - `user`: a signed-in person; `service`: a service token or trusted machine; `system`: our own workflows and jobs.
 * - `permissions`: the effective permissions at the moment of the request.
 */
export interface Actor {
  readonly kind: 'user' | 'service' | 'system';
  readonly user_id: string | null;
  readonly tenant_id: string;
  readonly session_id: string | null;
  readonly roles: readonly string[];
  readonly permissions: readonly Permission[];
  readonly ip: string | null;
  readonly user_agent: string | null;
  readonly request_id: string | null;
  readonly trace_id: string | null;
  readonly workflow_id: string | null;
  /** The one environment that a service token may read; absent for everyone else. */
  readonly environment?: EnvironmentName | null;
}

/** The part of an actor that travels in a workflow's input: ids only. */
export type ActorRef = Pick<Actor, 'tenant_id' | 'user_id' | 'session_id' | 'request_id'>;

/** Cuts an actor down to what a workflow may carry. */
export function actorRef(actor: Actor): ActorRef {
  return {
    tenant_id: actor.tenant_id,
    user_id: actor.user_id,
    session_id: actor.session_id,
    request_id: actor.request_id,
  };
}

/** The actor of our own jobs inside one tenant. It holds no permission: jobs do not pass permission checks. */
export function systemActor(tenantId: string, origin: { workflow_id?: string; request_id?: string } = {}): Actor {
  return {
    kind: 'system',
    user_id: null,
    tenant_id: tenantId,
    session_id: null,
    roles: [],
    permissions: [],
    ip: null,
    user_agent: null,
    request_id: origin.request_id ?? null,
    trace_id: null,
    workflow_id: origin.workflow_id ?? null,
  };
}

/** Who asked, acting later: in an activity, or after a commit. Without a user, only a service token has a session. */
export function actorOfRef(ref: ActorRef, workflow_id: string | null = null): Actor {
  const machine = ref.session_id === null ? 'system' : 'service';
  return { ...systemActor(ref.tenant_id), ...ref, kind: ref.user_id === null ? machine : 'user', workflow_id };
}

/** Id of the tenant every installation has (S1-20); its staff run the platform. */
export const defaultTenantId = '00000000-0000-0000-0000-000000000000';
