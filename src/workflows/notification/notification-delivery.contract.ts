import { TypedSearchAttributes } from '@temporalio/common';
import { defineUpdate } from '@temporalio/workflow';
import type { ActorRef } from '../../domain/shared/actor.ts';
import type { Notification } from '../../domain/notification/notification.ts';
import { searchAttributes } from '../shared/search-attributes.ts';
import { workflowTaskTimeout } from '../shared/task-timeout.ts';

/** The type under which the workflow is registered. */
export const notificationDeliveryWorkflowType = 'notificationDeliveryWorkflow';

/** Who is notified: a channel, or one person at their own e-mail address. */
export type NotificationRecipient = { channel_id: string; user_id: null } | { channel_id: null; user_id: string };

/** The input of a delivery. */
export interface NotificationDeliveryInput {
  actor: ActorRef;
  delivery_id: string;
  receiver: NotificationRecipient;
  kind: 'webhook' | 'email';
  notice: Notification;
  /** Pauses in seconds before the second, third … attempt; when they are used up the delivery has failed. */
  retry_delays_seconds: number[];
  /** True to deliver a delivered or failed notification once more. */
  again: boolean;
  /** The command to be carried out (ADR 23); missing for what nobody waits for. */
  command_id?: string;
}

/** A delivery as it is displayed. */
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
  /** RFC 3339, as all timestamps here. */
  next_attempt_at: string | null;
  delivered_at: string | null;
  created_at: string;
}

/** One attempt; `attempt` counts from 1, so that a repeated activity recognises it. */
export interface DeliveryAttempt {
  actor: ActorRef;
  delivery_id: string;
  attempt: number;
  /** Pause in seconds after this attempt when it fails; null when it is the last. */
  next_delay_seconds: number | null;
}

/** The activities of the workflow; `src/activities/notification/notification.activities.ts`. */
export interface NotificationActivities {
  openDelivery(input: NotificationDeliveryInput): Promise<DeliveryView>;
  attemptDelivery(input: DeliveryAttempt): Promise<DeliveryView>;
}

/** Sent with the start; answers with the committed row. */
export const deliveryOpenedUpdate = defineUpdate<DeliveryView>('opened');

/** The workflow id of a delivery. */
export function notificationDeliveryWorkflowId(tenantId: string, deliveryId: string): string {
  return `notification/${tenantId}/${deliveryId}`;
}

/** The start options without the task queue. */
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
