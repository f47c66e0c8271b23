import { jsonb, timestamp } from '../shared/column-types.ts';
import { defineEntity, p, tenantColumns, tenantPolicies, versionedColumns } from '../shared/tenant-columns.ts';

export type NotificationChannelKind = 'webhook' | 'email';
export type ChannelDisabledReason = 'by_person' | 'gone';
export type DeliveryStatus = 'pending' | 'delivered' | 'failed';

/** A place that is told of events: a signed webhook, or one e-mail address. */
export const NotificationChannelEntity = defineEntity({
  name: 'NotificationChannel',
  tableName: 'notification_channels',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    name: p.text(),
    kind: p.text().$type<NotificationChannelKind>(),
    url: p.text().nullable(),
    email: p.text().nullable(),
    secret_ciphertext: p.text().nullable().hidden().lazy(),
    /** Signs as well until `previous_secret_expires_at`, so that the receiver can change over in its own time. */
    previous_secret_ciphertext: p.text().nullable().hidden().lazy(),
    previous_secret_expires_at: timestamp().nullable(),
    events: p.array(),
    is_enabled: p.boolean().default(true),
    disabled_reason: p.text().nullable().$type<ChannelDisabledReason>(),
    created_by: p.uuid().nullable(),
    ...versionedColumns,
    deleted_at: timestamp().nullable(),
  },
});

/** One event for one receiver, with what became of it. Written by the delivery workflow's activities only. */
export const NotificationDeliveryEntity = defineEntity({
  name: 'NotificationDelivery',
  tableName: 'notification_deliveries',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    /** The channel, or null when the event goes to a person's own address. */
    channel_id: p.uuid().nullable(),
    user_id: p.uuid().nullable(),
    kind: p.text().$type<NotificationChannelKind>(),
    event: p.text(),
    /** Names the occurrence: the same event is delivered to the same receiver once. */
    event_key: p.text(),
    subject: p.text(),
    /** Plain text for people; `payload` says the same to machines. */
    body: p.text(),
    payload: jsonb<Record<string, unknown>>(),
    status: p.text().default('pending').$type<DeliveryStatus>(),
    attempts: p.integer().default(0),
    last_status: p.integer().nullable(),
    last_error: p.text().nullable(),
    next_attempt_at: timestamp().nullable(),
    delivered_at: timestamp().nullable(),
  },
});

/** A message that was not sent because this is development. No tenant. */
export const DevelopmentMailEntity = defineEntity({
  name: 'DevelopmentMail',
  tableName: 'development_mails',
  properties: {
    id: p.bigint('number').primary().generated('identity'),
    recipient: p.text(),
    subject: p.text(),
    body: p.text(),
    created_at: timestamp().defaultRaw('now()'),
  },
});
