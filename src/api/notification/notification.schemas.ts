import { z } from 'zod';
import { allNotificationEvents } from '../../domain/notification/notification.ts';
import { lineText, timestamp, uuid } from '../../platform/value-schemas.ts';

export const channelName = lineText(100);
export const channelEvents = z
  .array(z.enum(['*', ...allNotificationEvents]))
  .min(1)
  .max(50)
  .describe('Events sent to this channel; `*` for all');

/** A channel as it is displayed, without its secret. */
export const ChannelBody = z
  .object({
    id: uuid,
    name: z.string(),
    kind: z.enum(['webhook', 'email']),
    url: z.string().nullable(),
    email: z.string().nullable(),
    events: z.array(z.string()),
    is_enabled: z.boolean(),
    disabled_reason: z.enum(['by_person', 'gone']).nullable().describe('`gone`: the recipient answered 410'),
    previous_secret_expires_at: timestamp
      .nullable()
      .describe('Until then messages also carry a signature by the old secret'),
    created_at: timestamp,
    updated_at: timestamp,
    version: z.int(),
  })
  .meta({ id: 'NotificationChannel' });

/** A channel with its signing secret: the answer to creating it and to rotating the secret. */
export const ChannelWithSecretBody = ChannelBody.extend({
  secret: z.string().nullable().describe('Signing secret (Standard Webhooks, `whsec_…`); shown only once'),
}).meta({ id: 'NotificationChannelWithSecret' });

/** A delivery as it is displayed. */
export const DeliveryBody = z
  .object({
    id: uuid,
    channel_id: uuid.nullable(),
    user_id: uuid.nullable(),
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
