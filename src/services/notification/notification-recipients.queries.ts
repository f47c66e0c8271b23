import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { ActorRef } from '../../domain/shared/actor.ts';
import { mayBeMuted, wantsEvent } from '../../domain/notification/notification.ts';
import type { Notification } from '../../domain/notification/notification.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import type { Database } from '../../platform/database/database.ts';
import { readAll } from '../../platform/database/read.ts';
import type { NotificationRecipient } from '../../workflows/notification/notification-delivery.contract.ts';

/** A notification for one recipient: a channel, or a person at their own e-mail address. */
interface PlannedDelivery {
  /** The same for the same occurrence and recipient, so that a repetition finds the delivery. */
  readonly delivery_id: string;
  readonly receiver: NotificationRecipient;
  readonly kind: 'webhook' | 'email';
}

/**
 * Whom a notification goes to: every enabled channel that takes the event, and the named people at their own e-mail
 * address, unless they have switched that off. Notifications about the security of an account cannot be switched off.
 *
 * @param userIds people to notify as far as they are active.
 * @param channelIds when given, only these of the channels are notified.
 */
export async function plannedDeliveries(
  db: Pick<Database, 'readPool'>,
  actor: ActorRef,
  notification: Notification,
  userIds: readonly string[],
  channelIds?: readonly string[],
): Promise<PlannedDelivery[]> {
  const [channels, people] = await readAll(db, actor, [
    kysely
      .selectFrom('notification_channels')
      .where('deleted_at', 'is', null)
      .where('is_enabled', '=', true)
      .select(['id', 'kind', 'events']),
    kysely
      .selectFrom('users as u')
      .leftJoin('user_preferences as p', 'p.user_id', 'u.id')
      .where('u.id', '=', sql<string>`any(${[...userIds]}::uuid[])`)
      .where('u.status', '=', 'active')
      .where('u.email', 'is not', null)
      .$if(mayBeMuted(notification.event), (q) =>
        q.where((eb) => eb.or([eb('p.email_notifications', 'is', null), eb('p.email_notifications', '=', true)])),
      )
      .select('u.id'),
  ] as const);
  const recipients = [
    ...channels
      .filter(({ events }) => wantsEvent(events, notification.event))
      .filter(({ id }) => channelIds === undefined || channelIds.includes(id))
      .map(({ id, kind }) => ({ receiver: { channel_id: id, user_id: null }, kind })),
    ...people.map(({ id }) => ({ receiver: { channel_id: null, user_id: id }, kind: 'email' as const })),
  ];
  return recipients.map((one) => ({ ...one, delivery_id: deliveryIdOf(actor.tenant_id, notification, one.receiver) }));
}

/** A UUID (version 8) out of the SHA-256 of occurrence and recipient. */
function deliveryIdOf(
  tenantId: string,
  { event_key }: Notification,
  { channel_id, user_id }: NotificationRecipient,
): string {
  const hex = createHash('sha256')
    .update(JSON.stringify([tenantId, event_key, channel_id, user_id]))
    .digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
