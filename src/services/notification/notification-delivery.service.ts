import { sql } from 'kysely';
import { actorRef } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import type { WorkflowCommand } from '../../domain/shared/workflow-command.ts';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import { defaultRetryDelaysSeconds, notificationEvents } from '../../domain/notification/notification.ts';
import type { NotificationEvent } from '../../domain/notification/notification.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import type { Database } from '../../platform/database/database.ts';
import { jsonb } from '../../platform/database/jsonb.ts';
import { read } from '../../platform/database/read.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { notFound } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import type {
  DeliveryAttempt,
  DeliveryView,
  NotificationDeliveryInput,
  NotificationRecipient,
} from '../../workflows/notification/notification-delivery.contract.ts';
import { commandUnitOfWork } from '../commands/command.repository.ts';
import { disableGoneChannel } from './notification-channel.service.ts';
import { startDelivery } from './notification-delivery.client.ts';
import { channelsQuery, deliveryAttemptQuery, deliveryColumns } from './notification.queries.ts';

type Deps = Pick<ProcessDeps, 'db' | 'temporal'>;

/**
 * Sends a test message to a channel, without retries.
 *
 * @returns the delivery, which is pending.
 * @throws Problem `resource.not-found`, or `service.unavailable` while Temporal cannot be reached.
 */
export async function sendTestNotification(
  deps: Deps,
  actor: Actor,
  channelId: string,
  command: WorkflowCommand,
): Promise<DeliveryView> {
  const [channel] = await read(deps.db, actor, channelsQuery().where('id', '=', channelId));
  if (channel === undefined) throw notFound('notification channel');
  const deliveryId = command.command_id;
  const input: NotificationDeliveryInput = {
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
  };
  return startDelivery(deps, input, command);
}

/**
 * Delivers a recorded notification once more, with all retries of a new one.
 *
 * @returns the delivery, which is pending again.
 * @throws Problem `resource.not-found`, or `service.unavailable` while Temporal cannot be reached.
 */
export async function redeliver(
  deps: Deps,
  actor: Actor,
  deliveryId: string,
  command: WorkflowCommand,
): Promise<DeliveryView> {
  const [delivery] = await read(
    deps.db,
    actor,
    kysely.selectFrom('notification_deliveries').where('id', '=', deliveryId).selectAll(),
  );
  if (delivery === undefined) throw notFound('delivery');
  const input: NotificationDeliveryInput = {
    actor: actorRef(actor),
    delivery_id: deliveryId,
    receiver: recipientOf(delivery),
    kind: delivery.kind,
    notice: {
      // Rows are made of notifications only, so these columns hold an event and a JSON object.
      event: delivery.event as NotificationEvent,
      event_key: delivery.event_key,
      subject: delivery.subject,
      text: delivery.body,
      data: delivery.payload as JsonObject,
    },
    retry_delays_seconds: [...defaultRetryDelaysSeconds],
    again: true,
  };
  return startDelivery(deps, input, command);
}

function recipientOf({ channel_id, user_id }: Record<'channel_id' | 'user_id', string | null>): NotificationRecipient {
  return channel_id === null ? { channel_id, user_id: user_id ?? '' } : { channel_id, user_id: null };
}

/** Records a delivery, or finds the one that an earlier start recorded; with `again` it is pending once more. */
export async function openDelivery(
  deps: Pick<ProcessDeps, 'db' | 'keyring'>,
  actor: Actor,
  input: NotificationDeliveryInput,
): Promise<DeliveryView> {
  const { delivery_id, receiver, kind, notice, again } = input;
  return commandUnitOfWork(deps, actor, input.command_id, async (tx) => {
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
        payload: jsonb(notice.data),
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
      .select(deliveryColumns)
      .executeTakeFirst();
    if (row === undefined) throw notFound('delivery');
    return row;
  });
}

/** The outcome of an attempt. `gone`: the recipient takes nothing any more; `refused`: it must not be tried again. */
export interface AttemptResult {
  readonly outcome: 'delivered' | 'failed' | 'gone' | 'refused';
  readonly status: number | null;
  readonly error: string | null;
}

/** A delivery with its message and recipient. @throws Problem `resource.not-found`. */
export async function loadDelivery(db: Database, actor: Actor, deliveryId: string) {
  const [delivery] = await read(db, actor, deliveryAttemptQuery(deliveryId));
  if (delivery === undefined) throw notFound('delivery');
  return delivery;
}

/**
 * Records the outcome of an attempt.
 *
 * @param result null for an attempt that an earlier run of the activity has recorded.
 * @returns the delivery as it is now.
 */
export async function recordAttempt(
  db: Database,
  actor: Actor,
  attempt: DeliveryAttempt,
  channelId: string | null,
  result: AttemptResult | null,
): Promise<DeliveryView> {
  return unitOfWork(db, actor, async (tx) => {
    if (result !== null) await writeAttempt(tx, attempt, result);
    if (result?.outcome === 'gone' && channelId !== null) await disableGoneChannel(tx, channelId);
    return tx.sql
      .selectFrom('notification_deliveries')
      .where('id', '=', attempt.delivery_id)
      .select(deliveryColumns)
      .executeTakeFirstOrThrow();
  });
}

async function writeAttempt(
  tx: Tx,
  { delivery_id, attempt, next_delay_seconds }: DeliveryAttempt,
  result: AttemptResult,
): Promise<void> {
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
}
