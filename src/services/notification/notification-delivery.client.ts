import { WithStartWorkflowOperation } from '@temporalio/client';
import type { ActorRef } from '../../domain/shared/actor.ts';
import { defaultRetryDelaysSeconds } from '../../domain/notification/notification.ts';
import type { Notification } from '../../domain/notification/notification.ts';
import type { WorkflowCommand } from '../../domain/shared/workflow-command.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { startOnce } from '../../platform/temporal/start-once.ts';
import {
  deliveryOpenedUpdate,
  notificationDeliveryStartOptions,
  notificationDeliveryWorkflowType,
} from '../../workflows/notification/notification-delivery.contract.ts';
import type {
  DeliveryView,
  NotificationDeliveryInput,
} from '../../workflows/notification/notification-delivery.contract.ts';
import { plannedDeliveries } from './notification-recipients.queries.ts';

/**
 * Starts a delivery, or joins the one under way.
 *
 * @returns the committed row.
 * @throws Problem `service.unavailable` while Temporal cannot be reached.
 */
export async function startDelivery(
  { temporal }: Pick<ProcessDeps, 'temporal'>,
  input: NotificationDeliveryInput,
  { command_id, waits_until }: WorkflowCommand,
): Promise<DeliveryView> {
  const startWorkflowOperation = new WithStartWorkflowOperation(notificationDeliveryWorkflowType, {
    ...notificationDeliveryStartOptions({ ...input, command_id }),
    taskQueue: temporal.taskQueue,
    workflowIdConflictPolicy: 'USE_EXISTING',
  });
  return temporal.call(
    (client) => client.workflow.executeUpdateWithStart(deliveryOpenedUpdate, { startWorkflowOperation }),
    waits_until,
  );
}

/**
 * Notifies every enabled channel that takes the event, and the named people at their own e-mail address. One delivery
 * workflow a recipient; calling this again with the same `event_key` starts nothing anew, so it may be retried. With
 * `channelIds` only those of the channels are notified.
 *
 * It calls Temporal, so it must not be used inside a transaction.
 */
export type Notify = (
  actor: ActorRef,
  notification: Notification,
  userIds: readonly string[],
  channelIds?: readonly string[],
) => Promise<void>;

/** Makes {@link Notify} out of the parts of a process. */
export function createNotify({ db, temporal }: Pick<ProcessDeps, 'db' | 'temporal'>): Notify {
  return async (actor, notification, userIds, channelIds) => {
    for (const delivery of await plannedDeliveries(db, actor, notification, userIds, channelIds)) {
      const options = notificationDeliveryStartOptions({
        actor,
        ...delivery,
        notice: notification,
        retry_delays_seconds: [...defaultRetryDelaysSeconds],
        again: false,
      });
      await startOnce(temporal, notificationDeliveryWorkflowType, options);
    }
  };
}
