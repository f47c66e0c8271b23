import { sql } from 'kysely';
import { kysely } from '../../../entities/kysely-schema.ts';
import { newestFirst } from '../../../platform/database/keyset-page.ts';
import type { Page } from '../../../platform/database/keyset-page.ts';

/**
 * What became of a naming: its link is about to be sent, was sent, was used; has expired or was replaced by another one; or the staff
 * have taken the naming back.
 */
export const namingStates = ['waiting', 'sent', 'used', 'expired', 'replaced', 'taken_back'] as const;

interface LinkState {
  readonly link_id: string;
  readonly expires_at: string;
  readonly used_at: string | null;
  readonly revoked_at: string | null;
  readonly counts_from: string | null;
}

/** The namings of one tenant with their states, for the staff. */
function namingsQuery(namedTenantId: string) {
  return kysely
    .selectFrom('administrator_namings as n')
    .leftJoin('users as by', 'by.id', 'n.named_by')
    .leftJoin('users as back', 'back.id', 'n.taken_back_by')
    .leftJoinLateral(sql<LinkState>`(select * from account_link_states(array[n.link_id]))`.as('l'), (join) => join.onTrue())
    .where('n.named_tenant_id', '=', namedTenantId)
    .select([
      'n.id',
      'n.named_tenant_id as tenant_id',
      'n.email',
      'n.full_name',
      'n.purpose',
      'n.reason',
      'n.named_by',
      'by.full_name as named_by_name',
      'n.approval_id',
      'n.user_id',
      'n.sent_at',
      'n.taken_back_at',
      'n.taken_back_by',
      'back.full_name as taken_back_by_name',
      'n.created_at',
      'l.expires_at',
      'l.used_at',
      'l.counts_from',
      sql<(typeof namingStates)[number]>`case
        when n.taken_back_at is not null then 'taken_back'
        when n.link_id is null then 'waiting'
        when l.used_at is not null then 'used'
        when l.revoked_at is not null then 'replaced'
        when l.expires_at <= now() then 'expired'
        else 'sent' end`.as('state'),
    ]);
}

/** A page of the namings of a tenant, newest first. */
export function namingPageQuery(namedTenantId: string, page: Page) {
  return namingsQuery(namedTenantId).$call(newestFirst(page, { time: 'n.created_at', id: 'n.id' }));
}

/** One naming of a tenant. */
export function namingQuery(namedTenantId: string, id: string) {
  return namingsQuery(namedTenantId).where('n.id', '=', id);
}
