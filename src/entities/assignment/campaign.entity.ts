import { timestamp } from '../shared/column-types.ts';
import { defineEntity, p, tenantColumns, tenantPolicies, versionedColumns } from '../shared/tenant-columns.ts';

export const campaignChannels = ['email', 'sms', 'phone', 'whatsapp', 'in_person', 'other'] as const;
type CampaignChannel = (typeof campaignChannels)[number];

export const campaignStatuses = ['planning', 'active', 'paused', 'complete'] as const;
export type CampaignStatus = (typeof campaignStatuses)[number];

/** What is offered to contacts, with a pool of users who look after them. A deleted row stays. */
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
    /** The rule assigns contacts only in an active campaign. */
    status: p.text().default('planning').$type<CampaignStatus>(),
    starts_on: p.date().nullable(),
    ends_on: p.date().nullable(),
    created_by: p.uuid().nullable(),
    ...versionedColumns,
    deleted_at: timestamp().nullable(),
  },
});
