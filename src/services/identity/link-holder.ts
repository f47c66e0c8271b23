import { systemActor } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';

/** The holder of a link, without an account: acts inside the tenant of the link, is no user and has no permission. */
export function linkHolder(anonymous: Actor, tenantId: string): Actor {
  const { ip, user_agent, request_id, trace_id } = anonymous;
  return { ...systemActor(tenantId), kind: 'service', ip, user_agent, request_id, trace_id };
}
