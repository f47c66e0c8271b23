import { sql } from 'kysely';

/**
 * How much work the people of a page `u` have, for lists of users (X-4, S3-5); people without work are not in it. The
 * function counts in the session's own tenant, also for callers who may not see the assignments themselves.
 */
export const workCounts = sql<{ user_id: string; campaign_count: number; contact_count: number }>`
  get_user_work_counts(array(select id from u))`.as<'w'>('w');
