import { TypedSearchAttributes } from '@temporalio/common';
import { defineUpdate } from '@temporalio/workflow';
import type { ActorRef } from '../../domain/shared/actor.ts';
import type { Notification } from '../../domain/notification/notification.ts';
import { searchAttributes } from '../shared/search-attributes.ts';
import { workflowTaskTimeout } from '../shared/task-timeout.ts';

/** Name under which the workflow is registered. */
export const notificationDeliveryWorkflowType = 'notificationDeliveryWorkflow';

/** Who is told: everybody behind a channel, or one person at his own e-mail address. */
export type NotificationRecipient = { channel_id: string; user_id: null } | { channel_id: null; user_id: string };

/** What a delivery starts with. */
export interface NotificationDeliveryInput {
  actor: ActorRef;
  delivery_id: string;
  receiver: NotificationRecipient;
  kind: 'webhook' | 'email';
  notice: Notification;
  /** Pauses before the second, third … attempt; when they are used up the delivery has failed. */
  retry_delays_seconds: number[];
  /** True to deliver once more what is delivered or has failed already. */
  again: boolean;
}

/** A delivery as everybody is shown it. */
export interface DeliveryView {
  id: string;
  channel_id: string | null;
  user_id: string | null;
  kind: 'webhook' | 'email';
  event: string;
  subject: string;
  status: 'pending' | 'delivered' | 'failed';
  attempts: number;
  last_status: number | null;
  last_error: string | null;
  /** RFC 3339, like every time here. */
  next_attempt_at: string | null;
  delivered_at: string | null;
  created_at: string;
}

/** One attempt; `attempt` counts from 1 and makes a repeated activity recognise itself. */
export interface DeliveryAttempt {
  actor: ActorRef;
  delivery_id: string;
  attempt: number;
  /** Pause after this attempt when it fails, or null when it is the last. */
  next_delay_seconds: number | null;
}

/** The hands of the workflow; `src/activities/notification/notification.activities.ts`. */
export interface NotificationActivities {
  openDelivery(input: NotificationDeliveryInput): Promise<DeliveryView>;
  attemptDelivery(input: DeliveryAttempt): Promise<DeliveryView>;
}

/** Answers with the committed row; sent with the start. */
export const deliveryOpenedUpdate = defineUpdate<DeliveryView>('opened');

/** Id of a delivery's workflow. */
export function notificationDeliveryWorkflowId(tenantId: string, deliveryId: string): string {
  return `notification/${tenantId}/${deliveryId}`;
}

/** Everything but the task queue that a start needs. */
export function notificationDeliveryStartOptions(input: NotificationDeliveryInput) {
  const { actor, delivery_id, kind, notice, receiver } = input;
  const target = receiver.channel_id === null ? `user \`${receiver.user_id}\`` : `channel \`${receiver.channel_id}\``;
  return {
    workflowId: notificationDeliveryWorkflowId(actor.tenant_id, delivery_id),
    args: [input] as [NotificationDeliveryInput],
    workflowTaskTimeout,
    typedSearchAttributes: new TypedSearchAttributes([{ key: searchAttributes.tenantId, value: actor.tenant_id }]),
    staticSummary: `Deliver ${notice.event} by ${kind}`,
    staticDetails: `Delivery \`${delivery_id}\` of \`${notice.event}\` (\`${notice.event_key}\`) to ${target}.`,
  };
}
