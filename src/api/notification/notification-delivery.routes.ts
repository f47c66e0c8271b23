import { z } from 'zod';
import { newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { Problem } from '../../platform/problem.ts';
import { email, idParams, timestamp, uuid } from '../../platform/value-schemas.ts';
import { redeliver, sendTestNotification } from '../../services/notification/notification-delivery.service.ts';
import { deliveriesQuery, developmentMailsQuery } from '../../services/notification/notification.queries.ts';
import { route } from '../http/route.ts';
import { DeliveryBody } from './notification.schemas.ts';

const testChannel = route({
  operationId: 'testNotificationChannel',
  method: 'post',
  path: '/admin/notifications/channels/:id/test',
  tag: 'Notifications',
  summary: 'Send a test message; its delivery shows the result',
  permission: 'notification:manage',
  gate: 'none',
  params: idParams,
  responses: { 202: DeliveryBody },
  problems: ['resource.not-found', 'service.unavailable'],
  handler: ({ params, actor, deps, throughWorkflow }) =>
    throughWorkflow((command) => sendTestNotification(deps, actor, params.id, command)),
});

const listDeliveries = route({
  operationId: 'listNotificationDeliveries',
  method: 'get',
  path: '/admin/notifications/deliveries',
  tag: 'Notifications',
  summary: 'Deliveries of notifications with their results',
  permission: 'notification:read',
  gate: 'none',
  query: z.strictObject({
    ...pageQuery,
    channel_id: uuid.optional(),
    status: z.enum(['pending', 'delivered', 'failed']).optional(),
  }),
  responses: { 200: pageOf(DeliveryBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ query: { limit, cursor, channel_id, status }, read }) => {
    const rows = await read(deliveriesQuery({ channel_id, status }, { limit, cursor }));
    return newestPage(rows, limit);
  },
});

const redeliverNotification = route({
  operationId: 'redeliverNotification',
  method: 'post',
  path: '/admin/notifications/deliveries/:id/redeliver',
  tag: 'Notifications',
  summary: 'Repeat a failed or completed delivery',
  permission: 'notification:manage',
  gate: 'none',
  params: idParams,
  responses: { 202: DeliveryBody },
  problems: ['resource.not-found', 'service.unavailable'],
  handler: ({ params, actor, deps, throughWorkflow }) =>
    throughWorkflow((command) => redeliver(deps, actor, params.id, command)),
});

const readOutbox = route({
  operationId: 'readDevelopmentOutbox',
  method: 'get',
  path: '/dev/outbox',
  tag: 'Development',
  summary: 'Mail captured instead of sent in development, newest first',
  description: 'Answers 404 where a mail server is configured, and always in production.',
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
    return read(developmentMailsQuery({ recipient: to }));
  },
});

/** Deliveries with their outcome, test messages, and the mails of development. */
export const notificationDeliveryRoutes = [testChannel, listDeliveries, redeliverNotification, readOutbox];
