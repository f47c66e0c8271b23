import { jsonb, timestamp } from '../shared/column-types.ts';
import { defineEntity, p, tenantColumns, tenantPolicies, versionedColumns } from '../shared/tenant-columns.ts';

/** How a channel or delivery reaches its recipient. */
type NotificationChannelKind = 'webhook' | 'email';
/** Who switched a channel off: a person, or the recipient by answering 410. */
type ChannelDisabledReason = 'by_person' | 'gone';
/** `failed` is final: all attempts are used up, or the recipient takes nothing. */
export type DeliveryStatus = 'pending' | 'delivered' | 'failed';

/** A recipient of a tenant's notifications: a signed webhook, or one e-mail address. */
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
    /** Signs as well until `previous_secret_expires_at`, so that the recipient can switch over in its own time. */
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

/** One notification to one recipient, with its outcome. Only the activities of its workflow write it. */
export const NotificationDeliveryEntity = defineEntity({
  name: 'NotificationDelivery',
  tableName: 'notification_deliveries',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    /** The channel, or null when the recipient is a person at their own address. */
    channel_id: p.uuid().nullable(),
    user_id: p.uuid().nullable(),
    kind: p.text().$type<NotificationChannelKind>(),
    event: p.text(),
    /** Names the occurrence: each recipient gets the same occurrence once. */
    event_key: p.text(),
    subject: p.text(),
    /** Plain text for people; `payload` holds the facts for machines. */
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

/** A mail that was not sent because this is development. It belongs to no tenant. */
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
