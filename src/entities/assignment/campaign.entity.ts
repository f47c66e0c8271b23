import { timestamp } from '../shared/column-types.ts';
import { defineEntity, p, tenantColumns, tenantPolicies, versionedColumns } from '../shared/tenant-columns.ts';

export const campaignChannels = ['email', 'sms', 'phone', 'whatsapp', 'in_person', 'other'] as const;
export type CampaignChannel = (typeof campaignChannels)[number];

export const campaignStatuses = ['planning', 'active', 'paused', 'complete'] as const;
export type CampaignStatus = (typeof campaignStatuses)[number];

/** What is told or sold to contacts, and the pool of people who look after them. Deleting leaves the row. */
export const CampaignEntity = defineEntity({
  name: 'Campaign',
  tableName: 'campaigns',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    name: p.text(),
    description: p.text().nullable(),
    channel: p.text().nullable().$type<CampaignChannel>(),
    /** Contacts are dealt in an active one only. */
    status: p.text().default('planning').$type<CampaignStatus>(),
    starts_on: p.date().nullable(),
    ends_on: p.date().nullable(),
    created_by: p.uuid().nullable(),
    ...versionedColumns,
    deleted_at: timestamp().nullable(),
  },
});
