import { Context } from '@temporalio/activity';
import { actorOfRef } from '../../domain/shared/actor.ts';
import type { Actor, ActorRef } from '../../domain/shared/actor.ts';
import { sendWebhook } from '../../platform/outbound/webhook.ts';
import { Problem } from '../../platform/problem.ts';
import { asActivity } from '../../platform/temporal/application-failure.ts';
import { signingSecrets } from '../../services/notification/notification-channel.service.ts';
import { loadDelivery, openDelivery, recordAttempt } from '../../services/notification/notification-delivery.service.ts';
import type { AttemptResult } from '../../services/notification/notification-delivery.service.ts';
import { notificationDeliveryWorkflowId } from '../../workflows/notification/notification-delivery.contract.ts';
import type {
  DeliveryAttempt,
  DeliveryView,
  NotificationActivities,
} from '../../workflows/notification/notification-delivery.contract.ts';
import type { ActivityDeps } from '../deps.ts';

type Deps = Pick<ActivityDeps, 'db' | 'keyring' | 'mailer' | 'outbound'>;
type LoadedDelivery = Awaited<ReturnType<typeof loadDelivery>>;

/** The activities of `notificationDeliveryWorkflow`. */
export function createNotificationActivities(deps: Deps): NotificationActivities {
  return {
    openDelivery: (input) => asActivity(() => openDelivery(deps, actingFor(input), input)),
    attemptDelivery: (input) => asActivity(() => attemptDelivery(deps, input)),
  };
}

/** Sends a delivery and records the outcome. An attempt that an earlier run has recorded is not made again. */
async function attemptDelivery(deps: Deps, input: DeliveryAttempt): Promise<DeliveryView> {
  const actor = actingFor(input);
  const delivery = await loadDelivery(deps.db, actor, input.delivery_id);
  const result = delivery.attempts >= input.attempt ? null : await send(deps, delivery);
  return recordAttempt(deps.db, actor, input, delivery.channel_id, result);
}

async function send(deps: Deps, delivery: LoadedDelivery): Promise<AttemptResult> {
  const isOpen = delivery.channel_id === null ? delivery.user_status === 'active' : delivery.is_enabled === true;
  if (!isOpen || delivery.deleted_at !== null) return refusedTo('The recipient accepts no more notifications.');
  if (delivery.kind === 'webhook') return sendToWebhook(deps, delivery);
  const to = delivery.channel_email ?? delivery.user_email;
  return to === null ? refusedTo('The recipient has no e-mail address.') : sendByMail(deps, delivery, to);
}

async function sendToWebhook(deps: Deps, delivery: LoadedDelivery): Promise<AttemptResult> {
  const { id, event, channel_id, url, created_at, payload } = delivery;
  if (url === null || channel_id === null) return refusedTo('The channel has no address.');
  const target = { url, secrets: signingSecrets(deps.keyring, channel_id, delivery), signal: activitySignal() };
  const outcome = await sendWebhook(deps.outbound, target, { id, type: event, timestamp: created_at, data: payload });
  switch (outcome.kind) {
    case 'delivered':
      return { outcome: 'delivered', status: outcome.status, error: null };
    case 'gone':
      return { outcome: 'gone', status: outcome.status, error: 'The recipient answered 410 and gets no more.' };
    case 'refused':
    case 'failed':
      return { outcome: outcome.kind, status: outcome.status, error: outcome.reason };
  }
}

async function sendByMail({ mailer }: Deps, delivery: LoadedDelivery, to: string): Promise<AttemptResult> {
  try {
    await mailer.send({ to, subject: delivery.subject, text: delivery.body });
    return { outcome: 'delivered', status: null, error: null };
  } catch (error) {
    if (error instanceof Problem) return { outcome: 'failed', status: null, error: error.message };
    if (error instanceof TypeError) return refusedTo('The e-mail address is not usable.');
    throw error;
  }
}

function refusedTo(error: string): AttemptResult {
  return { outcome: 'refused', status: null, error };
}

function actingFor({ actor, delivery_id }: { actor: ActorRef; delivery_id: string }): Actor {
  return actorOfRef(actor, notificationDeliveryWorkflowId(actor.tenant_id, delivery_id));
}

function activitySignal(): AbortSignal {
  return Context.current().cancellationSignal;
}
