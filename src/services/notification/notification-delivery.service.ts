import { randomUUID } from 'node:crypto';
import { actorRef } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import { defaultRetryDelaysSeconds, notificationEvents } from '../../domain/notification/notification.ts';
import type { NotificationEvent } from '../../domain/notification/notification.ts';
import { query } from '../../entities/kysely-schema.ts';
import { notFound } from '../../platform/problem.ts';
import { read } from '../../platform/database/read.ts';
import type {
  DeliveryView,
  NotificationRecipient,
} from '../../workflows/notification/notification-delivery.contract.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { startDelivery } from './notification-delivery.client.ts';

type Deps = Pick<ProcessDeps, 'db' | 'temporal'>;

/** Sends a test message to a channel and answers with the delivery that was opened. It is tried once. */
export async function sendTestNotification(deps: Deps, actor: Actor, channelId: string): Promise<DeliveryView> {
  const [channel] = await read(
    deps.db,
    actor,
    query
      .selectFrom('notification_channels')
      .where('id', '=', channelId)
      .where('deleted_at', 'is', null)
      .select(['kind', 'name']),
  );
  if (channel === undefined) throw notFound('notification channel');
  const deliveryId = randomUUID();
  return startDelivery(deps, {
    actor: actorRef(actor),
    delivery_id: deliveryId,
    receiver: { channel_id: channelId, user_id: null },
    kind: channel.kind,
    notice: {
      event: 'notification.test',
      event_key: `test/${deliveryId}`,
      subject: notificationEvents['notification.test'],
      text: `This is a test of the channel "${channel.name}". Nothing has happened.`,
      data: { channel_id: channelId },
    },
    retry_delays_seconds: [],
    again: false,
  });
}

/** Delivers a recorded notification once more, with the full patience of a new one. */
export async function redeliver(deps: Deps, actor: Actor, deliveryId: string): Promise<DeliveryView> {
  const [delivery] = await read(
    deps.db,
    actor,
    query.selectFrom('notification_deliveries').where('id', '=', deliveryId).selectAll(),
  );
  if (delivery === undefined) throw notFound('delivery');
  return startDelivery(deps, {
    actor: actorRef(actor),
    delivery_id: deliveryId,
    receiver: recipientOf(delivery),
    kind: delivery.kind,
    notice: {
      // Rows are written from notices only, so what they hold are events and JSON objects.
      event: delivery.event as NotificationEvent,
      event_key: delivery.event_key,
      subject: delivery.subject,
      text: delivery.body,
      data: delivery.payload as JsonObject,
    },
    retry_delays_seconds: [...defaultRetryDelaysSeconds],
    again: true,
  });
}

function recipientOf({ channel_id, user_id }: { channel_id: string | null; user_id: string | null }): NotificationRecipient {
  return channel_id === null ? { channel_id, user_id: user_id ?? '' } : { channel_id, user_id: null };
}
