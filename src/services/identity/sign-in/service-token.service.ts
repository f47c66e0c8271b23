import { randomUUID } from 'node:crypto';
import type { EnvironmentName } from '../../../domain/shared/environment.ts';
import type { Permission } from '../../../domain/identity/permissions.ts';
import { ServiceTokenEntity } from '../../../entities/identity/service-token.entity.ts';
import { now } from '../../../entities/shared/column-types.ts';
import { lockOne, toRow } from '../../../platform/database/entity-row.ts';
import { Problem } from '../../../platform/problem.ts';
import { putSafeguardNews } from '../../approval/safeguard-news.repository.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { issueServiceToken } from './service-token-format.ts';
import { serviceTokenColumns } from './service-token.queries.ts';

/** What a service token is for. */
interface ServiceTokenInput {
  readonly name: string;
  /** The one environment whose flags and configuration it reads; null reads none. */
  readonly environment: EnvironmentName | null;
  readonly permissions: Permission[];
  /** RFC 3339; null does not expire. */
  readonly expires_at: string | null;
}

/**
 * Issues a service token.
 *
 * @returns its row, and the token itself, which is stored nowhere.
 * @throws Problem `role.grant-exceeds-own` for a permission that the actor does not hold.
 */
export async function createServiceToken(tx: Tx, input: ServiceTokenInput) {
  const { tenant_id, user_id, permissions } = tx.actor;
  const excess = input.permissions.find((permission) => !permissions.includes(permission));
  if (excess !== undefined) {
    throw new Problem({
      code: 'role.grant-exceeds-own',
      detail: `You do not hold the permission ${excess} yourself.`,
    });
  }
  const id = randomUUID();
  const { token, ...kept } = issueServiceToken(tenant_id, id);
  const created = tx.em.create(ServiceTokenEntity, { id, ...kept, ...input, created_by: user_id });
  await tx.flush();
  const row = toRow(created, serviceTokenColumns);
  tx.audit({
    event: 'service-token.create',
    action: 'create',
    resource_type: 'service_token',
    resource_id: id,
    new_values: row,
  });
  return { ...row, token };
}

/**
 * Revokes a service token; every process refuses it within a second.
 *
 * @throws Problem `resource.not-found` for one that is not there or was revoked before.
 */
export async function revokeServiceToken(tx: Tx, id: string): Promise<void> {
  const token = await lockOne(tx, ServiceTokenEntity, { id, revoked_at: null }, 'active service token');
  tx.em.assign(token, { revoked_at: now(), revoked_by: tx.actor.user_id });
  putSafeguardNews(tx, 'token-revoked', { subject: token.name });
  tx.audit({
    event: 'service-token.revoke',
    action: 'delete',
    resource_type: 'service_token',
    resource_id: id,
    old_values: toRow(token, ['name']),
  });
  tx.invalidate({ kind: 'service-token', key: id });
}
