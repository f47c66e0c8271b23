import { createdAt, p, tenantId } from '../shared/tenant-columns.ts';

/** The id of a tracker row: an integer, as the documents promise (X-2, S0-28). The database gives it, at the flush. */
export const integerId = p.integer().primary().autoincrement().generated('by default as identity');

/** Columns that every row of a person's tracker starts with. */
export const ownedColumns = {
  id: integerId,
  tenant_id: tenantId,
  user_id: p.uuid(),
  ...createdAt,
};
