/** What other areas may use of assignments inside their own units of work. */
export { openAssignments } from './assignment-access.service.ts';
export { assignCampaigns } from './campaign-pool.service.ts';
export type { MemberSettings } from './campaign-pool.service.ts';
