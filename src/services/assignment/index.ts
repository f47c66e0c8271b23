/** What other areas may use of assignments inside their own units of work. */
export { openAssignments } from './assignment-access.service.ts';
export { assignCampaigns } from './assignment-pool.service.ts';
export type { MemberSettings } from './assignment-pool.service.ts';
