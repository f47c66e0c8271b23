import { sql } from 'kysely';

/**
 * How much work a person has, for lists of users. Each is an expression over `u`, the row of `users`; the feature
 * that brings the tables puts its count here. Until then there is nothing to count.
 */
export const userCounts = {
  campaign_count: sql<number>`0`,
  contact_count: sql<number>`0`,
};
