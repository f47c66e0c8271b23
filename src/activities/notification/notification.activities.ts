import { Context } from '@temporalio/activity';
import { sql } from 'kysely';
import { actorInWorkflow } from '../../domain/shared/actor.ts';
import type { Actor, ActorRef } from '../../domain/shared/actor.ts';
import { query } from '../../entities/kysely-schema.ts';
import { asActivity } from '../../platform/temporal/application-failure.ts';
import type { Keyring } from '../../platform/security/keyring.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { read } from '../../platform/database/read.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { sendWebhook } from '../../platform/outbound/webhook.ts';
import { notificationDeliveryWorkflowId } from '../../workflows/notification/notification-delivery.contract.ts';
import type {
  DeliveryAttempt,
  DeliveryView,
  NotificationActivities,
  NotificationDeliveryInput,
} from '../../workflows/notification/notification-delivery.contract.ts';
import type { ActivityDeps } from '../deps.ts';

type Deps = Pick<ActivityDeps, 'db' | 'keyring' | 'mailer' | 'outbound'>;

/** Columns of a delivery that leave the database. */
const viewColumns = [
  'id',
  'channel_id',
  'user_id',
  'kind',
  'event',
  'subject',
  'status',
  'attempts',
  'last_status',
  'last_error',
  'next_attempt_at',
  'delivered_at',
  'created_at',
] as const;

/** The activities of `notificationDeliveryWorkflow`. */
export function createNotificationActivities(deps: Deps): NotificationActivities {
  return {
    openDelivery: (input) => asActivity(() => openDelivery(deps, input)),
    attemptDelivery: (input) => asActivity(() => attemptDelivery(deps, input)),
  };
}

/** Writes the delivery down, or finds the one that an earlier start wrote. */
async function openDelivery(deps: Deps, input: NotificationDeliveryInput): Promise<DeliveryView> {
  const { actor, delivery_id, receiver, kind, notice, again } = input;
  return unitOfWork(deps.db, actingFor(input), async (tx) => {
    await tx.sql
      .insertInto('notification_deliveries')
      .values({
        id: delivery_id,
        tenant_id: actor.tenant_id,
        ...receiver,
        kind,
        event: notice.event,
        event_key: notice.event_key,
        subject: notice.subject,
        body: notice.text,
        payload: sql`${JSON.stringify(notice.data)}::jsonb`,
        next_attempt_at: sql<string>`clock_timestamp()`,
      })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    if (again) {
      await tx.sql
        .updateTable('notification_deliveries')
        .set({ status: 'pending', next_attempt_at: sql<string>`clock_timestamp()` })
        .where('id', '=', delivery_id)
        .where('status', '<>', 'pending')
        .execute();
    }
    const row = await tx.sql
      .selectFrom('notification_deliveries')
      .where('id', '=', delivery_id)
      .select(viewColumns)
      .executeTakeFirst();
    if (row === undefined) throw notFound('delivery');
    return row;
  });
}

/** What came of an attempt, whatever carried it. */
interface AttemptResult {
  readonly outcome: 'delivered' | 'failed' | 'gone' | 'refused';
  readonly status: number | null;
  readonly error: string | null;
}

async function attemptDelivery(deps: Deps, input: DeliveryAttempt): Promise<DeliveryView> {
  const actor = actingFor(input);
  const [delivery] = await read(
    deps.db,
    actor,
    query
      .selectFrom('notification_deliveries as d')
      .leftJoin('notification_channels as c', 'c.id', 'd.channel_id')
      .leftJoin('users as u', 'u.id', 'd.user_id')
      .where('d.id', '=', input.delivery_id)
      .select(['d.id', 'd.kind', 'd.event', 'd.subject', 'd.body', 'd.payload', 'd.attempts', 'd.created_at'])
      .select(['d.channel_id', 'c.url', 'c.email as channel_email', 'c.is_enabled', 'c.deleted_at'])
      .select(['c.secret_ciphertext', 'c.previous_secret_ciphertext', 'c.previous_secret_expires_at'])
      .select(['u.email as user_email', 'u.status as user_status']),
  );
  if (delivery === undefined) throw notFound('delivery');
  const result = delivery.attempts >= input.attempt ? null : await send(deps, delivery);
  return unitOfWork(deps.db, actor, (tx) => recordAttempt(tx, input, delivery.channel_id, result));
}

interface LoadedDelivery {
  readonly id: string;
  readonly kind: 'webhook' | 'email';
  readonly event: string;
  readonly subject: string;
  readonly body: string;
  readonly payload: unknown;
  readonly created_at: string;
  readonly channel_id: string | null;
  readonly url: string | null;
  readonly channel_email: string | null;
  readonly is_enabled: boolean | null;
  readonly deleted_at: string | null;
  readonly secret_ciphertext: string | null;
  readonly previous_secret_ciphertext: string | null;
  readonly previous_secret_expires_at: string | null;
  readonly user_email: string | null;
  readonly user_status: string | null;
}

async function send(deps: Deps, delivery: LoadedDelivery): Promise<AttemptResult> {
  const isOpen = delivery.channel_id === null ? delivery.user_status === 'active' : delivery.is_enabled === true;
  if (!isOpen || delivery.deleted_at !== null) return refusedTo('The receiver does not take notifications any more.');
  if (delivery.kind === 'webhook') return sendToWebhook(deps, delivery);
  const to = delivery.channel_email ?? delivery.user_email;
  return to === null ? refusedTo('The receiver has no e-mail address.') : sendByMail(deps, delivery, to);
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
      return { outcome: 'gone', status: outcome.status, error: 'The receiver answered 410 and gets no more.' };
    case 'refused':
    case 'failed':
      return { outcome: outcome.kind, status: outcome.status, error: outcome.reason };
  }
}

/** The present secret and, while its time is not over, the one before. */
function signingSecrets(keyring: Keyring, channelId: string, delivery: LoadedDelivery): string[] {
  const { secret_ciphertext, previous_secret_ciphertext, previous_secret_expires_at } = delivery;
  const isHonoured = previous_secret_expires_at !== null && Date.parse(previous_secret_expires_at) > Date.now();
  const sealed = { secret_ciphertext, previous_secret_ciphertext: isHonoured ? previous_secret_ciphertext : null };
  return Object.entries(sealed).flatMap(([column, ciphertext]) =>
    ciphertext === null
      ? []
      : [keyring.open(ciphertext, { table: 'notification_channels', column, row_id: channelId })],
  );
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

/** Writes down what came of the attempt. Null stands for an attempt that an earlier run of the activity wrote down. */
async function recordAttempt(
  tx: Tx,
  { delivery_id, attempt, next_delay_seconds }: DeliveryAttempt,
  channelId: string | null,
  result: AttemptResult | null,
): Promise<DeliveryView> {
  if (result !== null) {
    const isDelivered = result.outcome === 'delivered';
    const goesOn = result.outcome === 'failed' && next_delay_seconds !== null;
    await tx.sql
      .updateTable('notification_deliveries')
      .set({
        status: isDelivered ? 'delivered' : goesOn ? 'pending' : 'failed',
        attempts: attempt,
        last_status: result.status,
        last_error: result.error?.slice(0, 500) ?? null,
        next_attempt_at: goesOn ? sql<string>`clock_timestamp() + make_interval(secs => ${next_delay_seconds})` : null,
        delivered_at: isDelivered ? sql<string>`clock_timestamp()` : null,
      })
      .where('id', '=', delivery_id)
      .where('attempts', '<', attempt)
      .execute();
    if (result.outcome === 'gone' && channelId !== null) await disableGoneChannel(tx, channelId);
  }
  return tx.sql
    .selectFrom('notification_deliveries')
    .where('id', '=', delivery_id)
    .select(viewColumns)
    .executeTakeFirstOrThrow();
}

/** 410 means: stop for good (Standard Webhooks). A person may switch the channel on again. */
async function disableGoneChannel(tx: Tx, channelId: string): Promise<void> {
  const disabled = await tx.sql
    .updateTable('notification_channels')
    .set((eb) => ({
      is_enabled: false,
      disabled_reason: 'gone',
      version: eb('version', '+', 1),
      updated_at: sql<string>`clock_timestamp()`,
    }))
    .where('id', '=', channelId)
    .where('is_enabled', '=', true)
    .returning('id')
    .executeTakeFirst();
  if (disabled === undefined) return;
  tx.audit({
    event: 'notification-channel.disable',
    action: 'update',
    resource_type: 'notification_channel',
    resource_id: channelId,
    old_values: { is_enabled: true },
    new_values: { is_enabled: false, disabled_reason: 'gone' },
  });
}

function actingFor({ actor, delivery_id }: { actor: ActorRef; delivery_id: string }): Actor {
  return actorInWorkflow(actor, notificationDeliveryWorkflowId(actor.tenant_id, delivery_id));
}

function activitySignal(): AbortSignal {
  return Context.current().cancellationSignal;
}
