import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { ActorRef } from '../../domain/shared/actor.ts';
import { mayBeMuted, wantsEvent } from '../../domain/notification/notification.ts';
import type { Notification } from '../../domain/notification/notification.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import type { Database } from '../../platform/database/database.ts';
import { readAll } from '../../platform/database/read.ts';

/** One piece of news on its way to one receiver: everybody behind a channel, or a person at his own e-mail address. */
export interface NotificationDelivery {
  /** The same for the same occurrence and receiver, so that a repetition finds the delivery there. */
  readonly delivery_id: string;
  readonly receiver: { channel_id: string; user_id: null } | { channel_id: null; user_id: string };
  readonly kind: 'webhook' | 'email';
}

/**
 * Whom a piece of news goes to: every enabled channel that takes the event, and the named people at their own e-mail
 * address unless they switched that off. What concerns the safety of an account cannot be switched off. With `channelIds`
 * only those of the channels are told.
 */
export async function notificationDeliveries(
  db: Pick<Database, 'readPool'>,
  actor: ActorRef,
  notice: Notification,
  userIds: readonly string[],
  channelIds?: readonly string[],
): Promise<NotificationDelivery[]> {
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
      .$if(mayBeMuted(notice.event), (q) =>
        q.where((eb) => eb.or([eb('p.email_notifications', 'is', null), eb('p.email_notifications', '=', true)])),
      )
      .select('u.id'),
  ] as const);
  const recipients = [
    ...channels
      .filter(({ events }) => wantsEvent(events, notice.event))
      .filter(({ id }) => channelIds === undefined || channelIds.includes(id))
      .map(({ id, kind }) => ({ receiver: { channel_id: id, user_id: null }, kind })),
    ...people.map(({ id }) => ({ receiver: { channel_id: null, user_id: id }, kind: 'email' as const })),
  ];
  return recipients.map((one) => ({ ...one, delivery_id: deliveryIdOf(actor.tenant_id, notice, one.receiver) }));
}

/** A UUID (version 8) of the SHA-256 of occurrence and receiver. */
function deliveryIdOf(
  tenantId: string,
  { event_key }: Notification,
  { channel_id, user_id }: NotificationDelivery['receiver'],
): string {
  const hex = createHash('sha256')
    .update(JSON.stringify([tenantId, event_key, channel_id, user_id]))
    .digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
