import { notificationDeliveries } from './notification-recipients.queries.ts';
import type { ActorRef } from '../../domain/shared/actor.ts';
import { defaultRetryDelaysSeconds } from '../../domain/notification/notification.ts';
import type { Notification } from '../../domain/notification/notification.ts';
import { startOnce } from '../../platform/temporal/temporal-start.ts';
import {
  notificationDeliveryStartOptions,
  notificationDeliveryWorkflowType,
} from '../../workflows/notification/notification-delivery.contract.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';

type Deps = Pick<ProcessDeps, 'db' | 'temporal'>;

/**
 * Tells everybody whom it concerns: every enabled channel that takes the event, and the named people at their own
 * e-mail address. One delivery workflow for each receiver; calling this again with the same `event_key` starts nothing
 * anew, so it may be retried. With `channelIds` only those of the channels are told.
 *
 * For use inside activities: it speaks to Temporal and holds no transaction.
 */
export type Notify = (
  actor: ActorRef,
  notice: Notification,
  userIds: readonly string[],
  channelIds?: readonly string[],
) => Promise<void>;

/** Makes {@link Notify} for the activities of a worker. */
export function createNotify({ db, temporal }: Deps): Notify {
  return async (actor, notice, userIds, channelIds) => {
    for (const delivery of await notificationDeliveries(db, actor, notice, userIds, channelIds)) {
      const options = notificationDeliveryStartOptions({
        actor,
        ...delivery,
        notice,
        retry_delays_seconds: [...defaultRetryDelaysSeconds],
        again: false,
      });
      await startOnce(temporal, notificationDeliveryWorkflowType, options);
    }
  };
}
