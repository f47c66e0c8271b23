import { monitoringStoppedNotification } from '../../domain/health/alert-notification.ts';
import { defaultTenantId, systemActor } from '../../domain/shared/actor.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { alertRecipients } from './alert-recipients.queries.ts';
import { silentSince } from './health.queries.ts';
import { createNotify } from '../notification/notification-delivery.client.ts';

type Deps = Pick<ProcessDeps, 'db' | 'temporal'>;

/**
 * Notifies the staff of the platform when the health collector has stopped. The evaluation asks this; the collector asks
 * {@link watchEvaluation} in turn.
 *
 * @param at milliseconds since the epoch.
 * @returns since when (RFC 3339) nothing was measured; null while the collector runs.
 */
export async function watchCollection(deps: Deps, at: number): Promise<string | null> {
  const since = await silentSince(deps.db, 'database.up', 'alerting.evaluated', at);
  if (since !== null) await notifyStaff(deps, 'collection', since);
  return since;
}

/** The same about the alert evaluation, asked by the collector. */
export async function watchEvaluation(deps: Deps, at: number): Promise<string | null> {
  const since = await silentSince(deps.db, 'alerting.evaluated', 'database.up', at);
  if (since !== null) await notifyStaff(deps, 'evaluation', since);
  return since;
}

async function notifyStaff(deps: Deps, what: 'collection' | 'evaluation', since: string): Promise<void> {
  const notification = monitoringStoppedNotification(what, since);
  const staff = systemActor(defaultTenantId);
  await createNotify(deps)(staff, notification, await alertRecipients(deps.db, staff, notification.event));
}
