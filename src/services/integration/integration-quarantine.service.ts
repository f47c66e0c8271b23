import { maxStrikes } from '../../domain/integration/integration.ts';
import type { StrikeReason } from '../../domain/integration/integration.ts';
import { Problem } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { nextVersion } from '../../platform/row-version.ts';
import { integrationColumns } from './integration.queries.ts';
import { changedNow, lockIntegration } from './integration.repository.ts';

/** What an integration without strikes has; a new configuration gives it a new beginning. */
export const noStrikes = { strikes: 0, quarantined_at: null } as const;

/**
 * Records that the source of an integration has ended the process that read it. The second strike in a row quarantines it:
 * until somebody acts it is not read again.
 *
 * @returns whether it is quarantined now.
 */
export async function recordStrike(tx: Tx, integrationId: string, reason: StrikeReason): Promise<boolean> {
  const { strikes, quarantined_at } = await lockIntegration(tx, integrationId);
  if (quarantined_at !== null) return true;
  const isQuarantined = strikes + 1 >= maxStrikes;
  await tx.sql
    .updateTable('admin_integrations')
    .set({
      strikes: strikes + 1,
      last_strike_at: changedNow,
      last_strike_reason: reason,
      ...(isQuarantined ? { quarantined_at: changedNow } : {}),
    })
    .where('id', '=', integrationId)
    .execute();
  tx.audit({
    event: isQuarantined ? 'integration.quarantine' : 'integration.strike',
    action: 'update',
    resource_type: 'integration',
    resource_id: integrationId,
    outcome: 'failed',
    reason,
    new_values: { strikes: strikes + 1 },
  });
  return isQuarantined;
}

/** Takes the strikes of an integration back, because a page of it was stored; a quarantine stays. */
export async function forgiveStrikes(tx: Tx, integrationId: string): Promise<void> {
  await tx.sql
    .updateTable('admin_integrations')
    .set({ strikes: 0 })
    .where('id', '=', integrationId)
    .where('quarantined_at', 'is', null)
    .execute();
}

/**
 * Lets a quarantined integration be read again.
 *
 * @throws Problem 404, `resource.conflict` when it is not quarantined.
 */
export async function releaseIntegration(tx: Tx, id: string) {
  const before = await lockIntegration(tx, id);
  if (before.quarantined_at === null) {
    throw new Problem({ code: 'resource.conflict', detail: 'The integration is not quarantined.' });
  }
  const after = await tx.sql
    .updateTable('admin_integrations')
    .set({ ...noStrikes, version: nextVersion(), updated_at: changedNow })
    .where('id', '=', id)
    .returning(integrationColumns)
    .executeTakeFirstOrThrow();
  tx.audit({
    event: 'integration.release',
    action: 'update',
    resource_type: 'integration',
    resource_id: id,
    old_values: before,
    new_values: after,
  });
  return after;
}

/** @throws Problem `integration.quarantined` */
export function assertNotQuarantined({ quarantined_at }: { readonly quarantined_at: string | null }): void {
  if (quarantined_at === null) return;
  throw new Problem({
    code: 'integration.quarantined',
    detail:
      'Its source has ended the process that reads it twice, so it is not read. Change its configuration, or release it ' +
      'with POST …/release once the source is in order.',
    members: { quarantined_at },
  });
}

/**
 * Notes that a process begins to read a source.
 *
 * @returns whether another process had begun and has not said that it was done. That alone proves nothing: whatever else ran
 *   in that process leaves the same trace.
 */
export async function claimReading(tx: Tx, integrationId: string, instanceId: string): Promise<boolean> {
  const { running_by } = await tx.sql
    .selectFrom('admin_integrations')
    .where('id', '=', integrationId)
    .select('running_by')
    .forNoKeyUpdate()
    .executeTakeFirstOrThrow();
  await tx.sql
    .updateTable('admin_integrations')
    .set({ running_by: instanceId, running_since: changedNow })
    .where('id', '=', integrationId)
    .execute();
  return running_by !== null && running_by !== instanceId;
}

/** Notes that a process has come to an end with a source, whatever the end was. */
export async function endReading(tx: Tx, integrationId: string, instanceId: string): Promise<void> {
  await tx.sql
    .updateTable('admin_integrations')
    .set({ running_by: null, running_since: null })
    .where('id', '=', integrationId)
    .where('running_by', '=', instanceId)
    .execute();
}
