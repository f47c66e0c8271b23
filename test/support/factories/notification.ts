import { randomUUID } from 'node:crypto';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { jsonb } from '../../../src/platform/database/jsonb.ts';
import { uniqueName } from './defaults.ts';
import { insertRow } from './row-insertion.ts';
import type { Columns, Row, Target } from './row-insertion.ts';

/** An e-mail channel that takes all events. */
export function createNotificationChannel(
  target: Target,
  columns: Columns<'notification_channels'> = {},
): Promise<Row<'notification_channels'>> {
  return insertRow(target, 'notification_channels', {
    tenant_id: defaultTenantId,
    name: uniqueName('channel'),
    kind: 'email',
    email: 'channel@example.com',
    events: ['*'],
    ...columns,
  });
}

/** A pending delivery without a workflow. */
export function createNotificationDelivery(
  target: Target,
  columns: Columns<'notification_deliveries'> = {},
): Promise<Row<'notification_deliveries'>> {
  return insertRow(target, 'notification_deliveries', {
    tenant_id: defaultTenantId,
    kind: 'email',
    event: 'approval.opened',
    event_key: randomUUID(),
    subject: 'Subject',
    body: 'Body',
    payload: jsonb({}),
    ...columns,
  });
}
