import type { DataRequestKind, DataRequestStatus } from '../../domain/client-record/data-request.ts';
import { timestamp } from '../shared/column-types.ts';
import { defineEntity, p, tenantColumns, tenantPolicies, versionedColumns } from '../shared/tenant-columns.ts';

/** What a client has asked about their data, and until when it has to be answered. */
export const ClientDataRequestEntity = defineEntity({
  name: 'ClientDataRequest',
  tableName: 'client_data_requests',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    client_id: p.uuid(),
    kind: p.text().$type<DataRequestKind>(),
    status: p.text().$type<DataRequestStatus>().default('open'),
    received_on: p.date(),
    /** Of the settings at the time; it does not move with them. */
    due_on: p.date(),
    /** Days before the due date, of the settings at the time. */
    reminder_days: p.array().columnType('int[]').$type<number[]>(),
    /** The days of the reminder that was given last. */
    reminded_days: p.integer().nullable(),
    overdue_told_at: timestamp().nullable(),
    /** What staff have written down; cleared with the client. */
    note: p.text().nullable(),
    refusal_reason: p.text().nullable(),
    created_by: p.uuid().nullable(),
    /** The approved request by which it was fulfilled. */
    approval_id: p.uuid().nullable(),
    fulfilled_at: timestamp().nullable(),
    /** Until when the file of an access request can be downloaded. */
    available_until: timestamp().nullable(),
    ...versionedColumns,
  },
});

/** How long a tenant has to answer requests of clients; one without a row has the defaults of the product. */
export const ClientSettingsEntity = defineEntity({
  name: 'ClientSettings',
  tableName: 'client_settings',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    data_request_days: p.integer(),
    reminder_days: p.array().columnType('int[]').$type<number[]>(),
    ...versionedColumns,
  },
});
