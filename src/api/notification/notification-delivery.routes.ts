import { z } from 'zod';
import { query } from '../../entities/kysely-schema.ts';
import { Problem } from '../../platform/problem.ts';
import { redeliver, sendTestNotification } from '../../services/notification/notification-delivery.service.ts';
import { newestFirst, newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { route } from '../http/route.ts';
import { email, idParams, timestamp } from '../../platform/value-schemas.ts';

const DeliveryView = z
  .object({
    id: z.uuid(),
    channel_id: z.uuid().nullable(),
    user_id: z.uuid().nullable(),
    kind: z.enum(['webhook', 'email']),
    event: z.string(),
    subject: z.string(),
    status: z.enum(['pending', 'delivered', 'failed']),
    attempts: z.int(),
    last_status: z.int().nullable(),
    last_error: z.string().nullable(),
    next_attempt_at: timestamp.nullable(),
    delivered_at: timestamp.nullable(),
    created_at: timestamp,
  })
  .meta({ id: 'NotificationDelivery' });

const testChannel = route({
  operationId: 'testNotificationChannel',
  method: 'post',
  path: '/admin/notifications/channels/:id/test',
  tag: 'Notifications',
  summary: 'Send a test message; look at the delivery to see what came of it',
  permission: 'notification:manage',
  gate: 'none',
  params: idParams,
  responses: { 202: DeliveryView },
  problems: ['resource.not-found', 'service.unavailable'],
  handler: ({ params, actor, deps }) => sendTestNotification(deps, actor, params.id),
});

const listDeliveries = route({
  operationId: 'listNotificationDeliveries',
  method: 'get',
  path: '/admin/notifications/deliveries',
  tag: 'Notifications',
  summary: 'What was sent, and what came of it',
  permission: 'notification:read',
  gate: 'none',
  query: z.strictObject({
    ...pageQuery,
    channel_id: z.uuid().optional(),
    status: z.enum(['pending', 'delivered', 'failed']).optional(),
  }),
  responses: { 200: pageOf(DeliveryView) },
  problems: ['request.cursor-invalid'],
  handler: async ({ query: { limit, cursor, channel_id, status }, read }) => {
    const rows = await read(
      query
        .selectFrom('notification_deliveries')
        .$if(channel_id !== undefined, (q) => q.where('channel_id', '=', channel_id ?? null))
        .$if(status !== undefined, (q) => q.where('status', '=', status ?? 'pending'))
        .$call(newestFirst({ limit, cursor }))
        .selectAll(),
    );
    return newestPage(rows, limit);
  },
});

const redeliverNotification = route({
  operationId: 'redeliverNotification',
  method: 'post',
  path: '/admin/notifications/deliveries/:id/redeliver',
  tag: 'Notifications',
  summary: 'Deliver once more what has failed or was delivered',
  permission: 'notification:manage',
  gate: 'none',
  params: idParams,
  responses: { 202: DeliveryView },
  problems: ['resource.not-found', 'service.unavailable'],
  handler: ({ params, actor, deps }) => redeliver(deps, actor, params.id),
});

const readOutbox = route({
  operationId: 'readDevelopmentOutbox',
  method: 'get',
  path: '/dev/outbox',
  tag: 'Development',
  summary: 'Mail that was not sent because this is development, newest first',
  description: 'Answers 404 wherever mail goes to a mail server, and always in production.',
  permission: 'public',
  gate: 'none',
  query: z.strictObject({ to: email.optional() }),
  responses: {
    200: z.array(
      z
        .object({ recipient: z.string(), subject: z.string(), body: z.string(), created_at: timestamp })
        .meta({ id: 'DevelopmentMail' }),
    ),
  },
  problems: ['request.not-found'],
  handler: async ({ query: { to }, deps, read }) => {
    if (deps.mailer.kind !== 'outbox') {
      throw new Problem({ code: 'request.not-found', detail: 'There is no development outbox here.' });
    }
    return read(
      query
        .selectFrom('development_mails')
        .$if(to !== undefined, (q) => q.where('recipient', '=', to ?? ''))
        .orderBy('id', 'desc')
        .limit(50)
        .select(['recipient', 'subject', 'body', 'created_at']),
    );
  },
});

export const notificationDeliveryRoutes = [testChannel, listDeliveries, redeliverNotification, readOutbox];
