import type { JsonObject } from '../shared/canonical.ts';

/** The events that people and systems are notified of, with their meaning. A feature adds its events here. */
export const notificationEvents = {
  'approval.opened': 'A change waits for approval',
  'approval.reminder': 'A change still waits for approval',
  'approval.returned': 'An approved change went back to review before it was made',
  'approval.pending': 'A change waits for approval',
  'approval.approved': 'A change was approved',
  'approval.rejected': 'A change was rejected',
  'approval.executed': 'An approved change was made',
  'approval.failed': 'An approved change could not be made',
  'approval.expired': 'A change was not decided or made in time',
  'approval.cancelled': 'A request was cancelled',
  'config.held': 'A rollout waits for a decision, because its guards are unknown',
  'config.restored': 'A rollout was reverted by its guards',
  'config.succeeded': 'A configuration was rolled out',
  'config.aborted': 'A rollout was aborted',
  'account.security': 'A password or second factor was changed',
  'account.guarded': 'Something was done to the account of somebody who may decide on approvals',
  'approval.safeguard': 'A safeguard of approvals was changed, or a change was made without them',
  'session.revoked': 'All sessions of a person were ended',
  'audit.chain-damaged': 'The audit log does not verify',
  'audit.decisions-differ': 'The audit log and the workflow histories hold different decisions',
  'audit.witness-behind': 'An external witness does not accept audit checkpoints',
  'onboarding.opened': 'An onboarding link was opened for the first time',
  'onboarding.completed': 'An onboarding was completed',
  'onboarding.expiring': 'An onboarding link is about to expire',
  'onboarding.expired': 'An onboarding link has expired',
  'module-permission.expiring': 'A module permission is about to expire',
  'module-permission.expired': 'A module permission has expired',
  'integration.sync-failed': 'Records of an integration could not be fetched',
  'integration.quarantined': 'An integration was quarantined, because its source has ended its reader repeatedly',
  'integration.key-rotated': 'The key of an integration was rotated; the old one is refused',
  'integration.rotation-failed': 'The key of an integration could not be rotated; the old one stays',
  'integration.revoke-failed': 'The old key of an integration could not be revoked yet',
  'alert.firing': 'A measurement has broken its threshold',
  'alert.resolved': 'A measurement is back in order',
  'alert.silence-lapsed': 'A silence of alerts has run out',
  'alert.watch-stopped': 'Measuring or evaluating has stopped',
  'client.request-due': 'A request of a client about their data is to be answered soon',
  'client.request-overdue': 'A request of a client about their data was not answered in time',
  'notification.test': 'Test of a channel',
} as const satisfies Record<string, string>;

export type NotificationEvent = keyof typeof notificationEvents;

/** All events in the order of the catalogue. */
export const allNotificationEvents = Object.keys(notificationEvents) as NotificationEvent[];

/** One occurrence of an event, worded by the feature it comes from. */
export interface Notification {
  readonly event: NotificationEvent;
  /** Names the occurrence, e.g. `approval/<id>/opened/1`: each recipient gets the same occurrence once. */
  readonly event_key: string;
  /** One line of at most 200 characters. */
  readonly subject: string;
  /** Plain text for people. Links in it are built from `PUBLIC_URL` only. */
  readonly text: string;
  /** Facts for machines: ids and enumerated values, no secrets, no personal data. At most a few kilobytes. */
  readonly data: JsonObject;
}

/**
 * The notification that all sessions of a person have ended, for connected applications.
 *
 * @param occurrence distinguishes one ending from the next; each is delivered once.
 */
export function sessionsEndedNotification(userId: string, reason: 'forced' | 'deactivated', occurrence: string): Notification {
  return {
    event: 'session.revoked',
    event_key: `session-revoked/${userId}/${occurrence}`,
    subject: 'All sessions of a person were ended',
    text: `All sessions of the user ${userId} were ended (${reason}). Applications that know this person end theirs.`,
    data: { user_id: userId, reason },
  };
}

/** False for events that a recipient cannot switch off, because whoever takes an account over would do that first. */
export function mayBeMuted(event: NotificationEvent): boolean {
  return event !== 'account.security' && event !== 'account.guarded' && event !== 'approval.safeguard';
}

/** True when a channel's list of events (`*` for all) contains this one. A test reaches every channel. */
export function wantsEvent(events: readonly string[], event: NotificationEvent): boolean {
  return event === 'notification.test' || events.includes('*') || events.includes(event);
}

/**
 * Pauses between attempts in seconds, as the Standard Webhooks specification proposes: quick at first, then for more
 * than a day.
 */
export const defaultRetryDelaysSeconds: readonly number[] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400];

/**
 * A pause in seconds with jitter of a fifth, so that a recipient that came back is not hit by all retries at once.
 *
 * @param random from 0 to 1; in a workflow its deterministic `Math.random()`.
 */
export function jitteredSeconds(delaySeconds: number, random: number): number {
  return Math.max(1, Math.round(delaySeconds * (0.8 + 0.4 * random)));
}
