/** What other areas may use of assignments, besides the workflow clients and the queries. */
export { openAssignments } from './assignment-access.service.ts';
export { reassignFromDeactivated } from './assignment-batch.service.ts';
export { wakeQueuesOfUser } from './assignment-queue.service.ts';
export { joinCampaigns } from './campaign/campaign-pool.service.ts';
export type { MemberSettings } from './campaign/campaign-pool.service.ts';
export { assertAccess, assertAllowed, decideAccess } from './resource-access.service.ts';
