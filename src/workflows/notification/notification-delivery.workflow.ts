import {
  allHandlersFinished,
  condition,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  sleep,
} from '@temporalio/workflow';
import { jitteredSeconds } from '../../domain/notification/notification.ts';
import { deliveryOpenedUpdate } from './notification-delivery.contract.ts';
import type {
  DeliveryView,
  NotificationActivities,
  NotificationDeliveryInput,
} from './notification-delivery.contract.ts';

/** One insert while somebody may wait. A refusal (the channel is gone) is final; only lost connections are retried. */
const interactive = proxyLocalActivities<Pick<NotificationActivities, 'openDelivery'>>({
  startToCloseTimeout: '5 seconds',
  scheduleToCloseTimeout: '1 minute',
  retry: { initialInterval: '100 milliseconds', maximumInterval: '5 seconds' },
});

/**
 * Calls the recipient, so it is a regular activity. What the recipient answers is a result, not an error: these retries
 * are for our own database only, and the recipient recognises a repetition by its `webhook-id`.
 */
const background = proxyActivities<Pick<NotificationActivities, 'attemptDelivery'>>({
  startToCloseTimeout: '30 seconds',
  retry: { initialInterval: '1 second', maximumInterval: '1 minute' },
});

/**
 * Delivers one notification to one recipient. Id `notification/<tenant>/<delivery id>`; the delivery id is derived from
 * the occurrence and the recipient, so that starting it again is harmless.
 *
 * @returns the last state of the delivery.
 */
export async function notificationDeliveryWorkflow(input: NotificationDeliveryInput): Promise<DeliveryView> {
  const { actor, delivery_id, retry_delays_seconds } = input;
  let opened: DeliveryView | undefined;
  let refused: unknown;

  setHandler(deliveryOpenedUpdate, async () => {
    await condition(() => opened !== undefined || refused !== undefined);
    if (opened === undefined) throw refused;
    return opened;
  });

  try {
    opened = await interactive.openDelivery(input);
  } catch (error) {
    refused = error;
    await condition(allHandlersFinished);
    throw error;
  }

  let delivery = opened;
  const attemptsBefore = opened.attempts;
  for (let retries = 0; delivery.status === 'pending'; retries += 1) {
    const delaySeconds = retry_delays_seconds[retries];
    const next_delay_seconds = delaySeconds === undefined ? null : jitteredSeconds(delaySeconds, Math.random());
    const attempt = attemptsBefore + retries + 1;
    delivery = await background.attemptDelivery.executeWithOptions({ summary: `Attempt ${attempt}` }, [
      { actor, delivery_id, attempt, next_delay_seconds },
    ]);
    setCurrentDetails(describe(delivery));
    if (delivery.status === 'pending' && next_delay_seconds !== null) {
      await sleep(next_delay_seconds * 1000, { summary: `Wait before attempt ${attempt + 1}` });
    }
  }
  await condition(allHandlersFinished);
  return delivery;
}

/** The state in words (Markdown), for Temporal Web. */
function describe({ status, attempts, last_error }: DeliveryView): string {
  const outcome = last_error === null ? '' : ` Last answer: ${last_error}`;
  return `**${status}** after ${attempts} attempt(s).${outcome}`;
}
