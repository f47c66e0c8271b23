import { p } from '../shared/tenant-columns.ts';

/** The id of a tracker row: an integer, as the documents promise (X-2, S0-28). */
export const integerId = p.integer().primary().autoincrement().generated('by default as identity');

/** Columns that every row of a person's tracker starts with. */
export const ownedColumns = {
  id: integerId,
  tenant_id: p.uuid(),
  user_id: p.uuid(),
  created_at: p.datetime(3).defaultRaw('now()'),
};

/** Set by every update (S0-25). */
export const updatedAt = { updated_at: p.datetime(3).defaultRaw('now()') };
