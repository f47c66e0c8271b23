import { defaultTenantId } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { Problem } from '../../platform/problem.ts';

/**
 * Operations across tenants are for the staff of the default tenant, who run the platform (S1-20).
 *
 * @throws Problem `auth.forbidden` for everybody else, whatever they hold in their own tenant.
 */
export function assertDefaultTenant(actor: Actor): void {
  if (actor.tenant_id === defaultTenantId) return;
  throw new Problem({ code: 'auth.forbidden', detail: 'This is for the staff of the default tenant.' });
}
