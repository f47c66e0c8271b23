import { sql } from 'kysely';

/**
 * How much work a person has, for lists of users (X-4, S3-5). Each is an expression over `u`, the row of `users`; the
 * functions count in the session's own tenant, also for people who may not see the assignments themselves.
 */
export const userCounts = {
  campaign_count: sql<number>`get_user_campaign_count(u.id)`,
  contact_count: sql<number>`get_user_contact_count(u.id)`,
};
