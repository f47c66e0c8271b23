/** What a membership lets its holder do in a campaign (S3-8). */
export const campaignGrants = ['can_view', 'can_edit', 'can_send', 'can_manage'] as const;
export type CampaignGrant = (typeof campaignGrants)[number];

/** The campaign permissions of one person. */
export type CampaignPermissions = Readonly<Record<CampaignGrant, boolean>>;
