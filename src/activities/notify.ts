import { createHash } from 'node:crypto';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { sql } from 'kysely';
import type { ActorRef } from '../domain/actor.ts';
import { defaultRetryDelaysSeconds, wantsEvent } from '../domain/notification.ts';
import type { Notice } from '../domain/notification.ts';
import { query } from '../entities/schema.ts';
import { readAll } from '../platform/read.ts';
import {
  notificationDeliveryStartOptions,
  notificationDeliveryWorkflowType,
} from '../workflows/notification-delivery.contract.ts';
import type { NoticeReceiver, NotificationDeliveryInput } from '../workflows/notification-delivery.contract.ts';
import type { ActivityDeps } from './deps.ts';

type Deps = Pick<ActivityDeps, 'db' | 'temporal'>;

/**
 * Tells everybody whom it concerns: every enabled channel that takes the event, and the named people at their own
 * e-mail address unless they switched that off. One delivery workflow for each receiver; calling this again with the
 * same `event_key` starts nothing anew, so it may be retried. With `channelIds` only those of the channels are told.
 *
 * For use inside activities: it speaks to Temporal and holds no transaction.
 */
export type Notify = (
  actor: ActorRef,
  notice: Notice,
  userIds: readonly string[],
  channelIds?: readonly string[],
) => Promise<void>;

/** Makes {@link Notify} for the activities of a worker. */
export function createNotify({ db, temporal }: Deps): Notify {
  return async (actor, notice, userIds, channelIds) => {
    for (const { receiver, kind } of await receiversOf(db, actor, notice, userIds, channelIds)) {
      const input: NotificationDeliveryInput = {
        actor,
        delivery_id: deliveryIdOf(actor.tenant_id, notice, receiver),
        receiver,
        kind,
        notice,
        retry_delays_seconds: [...defaultRetryDelaysSeconds],
        again: false,
      };
      await temporal.call(async (client) => {
        try {
          const { taskQueue } = temporal;
          const options = notificationDeliveryStartOptions(input);
          await client.workflow.start(notificationDeliveryWorkflowType, { ...options, taskQueue });
        } catch (error) {
          if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
        }
      });
    }
  };
}

async function receiversOf(
  db: ActivityDeps['db'],
  actor: ActorRef,
  notice: Notice,
  userIds: readonly string[],
  channelIds: readonly string[] | undefined,
): Promise<{ receiver: NoticeReceiver; kind: 'webhook' | 'email' }[]> {
  const [channels, people] = await readAll(db, actor, [
    query
      .selectFrom('notification_channels')
      .where('deleted_at', 'is', null)
      .where('is_enabled', '=', true)
      .select(['id', 'kind', 'events']),
    query
      .selectFrom('users as u')
      .leftJoin('user_preferences as p', 'p.user_id', 'u.id')
      .where('u.id', '=', sql<string>`any(${[...userIds]}::uuid[])`)
      .where('u.status', '=', 'active')
      .where('u.email', 'is not', null)
      .where((eb) => eb.or([eb('p.email_notifications', 'is', null), eb('p.email_notifications', '=', true)]))
      .select('u.id'),
  ] as const);
  return [
    ...channels
      .filter(({ events }) => wantsEvent(events, notice.event))
      .filter(({ id }) => channelIds === undefined || channelIds.includes(id))
      .map(({ id, kind }) => ({ receiver: { channel_id: id, user_id: null }, kind })),
    ...people.map(({ id }) => ({ receiver: { channel_id: null, user_id: id }, kind: 'email' as const })),
  ];
}

/** The same occurrence for the same receiver has the same id: a UUID (version 8) of their SHA-256. */
function deliveryIdOf(tenantId: string, { event_key }: Notice, { channel_id, user_id }: NoticeReceiver): string {
  const hex = createHash('sha256')
    .update(JSON.stringify([tenantId, event_key, channel_id, user_id]))
    .digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
