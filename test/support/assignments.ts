import { randomUUID } from 'node:crypto';
import { defaultTenantId } from '../../src/domain/shared/actor.ts';
import type { Answer, SignedIn, TestApi } from './api.ts';
import { asSuperuser } from './superuser.ts';

/** Puts active people with a system role into the sample tenant; they never sign in, so they need no password. */
export async function addPeople(app: TestApi, count: number, role = 'role-junior-agent'): Promise<string[]> {
  const rows = await asSuperuser<{ id: string }>(
    app,
    `with people as (
       insert into users (tenant_id, email, full_name)
       select $1, 'agent-' || $4 || n || '@agents.example', 'Agent ' || n from generate_series(1, $2::int) n returning id
     ), given as (
       insert into admin_role_assignments (tenant_id, user_id, role_id)
       select $1, p.id, r.id from people p, admin_roles r where r.code = $3 and r.tenant_id is null
     )
     select id from people order by id`,
    [defaultTenantId, count, role, randomUUID().slice(0, 8)],
  );
  return rows.map(({ id }) => id);
}

/** Contacts of the sample tenant, in the order of the list. */
export async function addContacts(app: TestApi, count: number, source: string | null = null): Promise<string[]> {
  const ids = Array.from({ length: count }, () => randomUUID());
  await asSuperuser(
    app,
    `insert into contacts (id, tenant_id, name, source, created_at)
     select id, $1, 'Contact ' || n, $3, now() + n * interval '1 ms' from unnest($2::uuid[]) with ordinality as c(id, n)`,
    [defaultTenantId, ids, source],
  );
  return ids;
}

/** What a manager does with assignments over HTTP. */
export function assignmentDriver(app: TestApi, manager: SignedIn) {
  const call = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
    app.call(method, path, { token: manager.token, ...(body === undefined ? {} : { body }), headers });
  const users = '/api/admin/users';
  const campaigns = '/api/admin/campaigns';
  return {
    call,
    /** An active campaign. */
    campaign: async (): Promise<string> => {
      const answer = await call('POST', campaigns, { name: `Campaign ${randomUUID()}`, status: 'active' });
      if (answer.status !== 201) throw new Error(`No campaign: ${JSON.stringify(answer.body)}`);
      return answer.body.id;
    },
    join: (userId: string, campaignId: string, settings: Record<string, unknown> = {}) =>
      call('POST', `${users}/${userId}/assign-campaigns`, { campaign_ids: [campaignId], ...settings }),
    change: (userId: string, campaignId: string, settings: Record<string, unknown>) =>
      call('PUT', `${campaigns}/${campaignId}/members/${userId}`, settings),
    /** Deals to the pool that the person is in. */
    deal: (userId: string, campaign_id: string, contact_ids: readonly string[], more: Record<string, unknown> = {}) =>
      call('POST', `${users}/${userId}/assign-contacts`, { contact_ids, campaign_id, mode: 'round_robin', ...more }),
    give: (userId: string, contact_ids: readonly string[], more: Record<string, unknown> = {}) =>
      call('POST', `${users}/${userId}/assign-contacts`, { contact_ids, ...more }),
    take: (userId: string, contactId: string) => call('DELETE', `${users}/${userId}/contacts/${contactId}`),
    why: (userId: string, contactId: string) => call('GET', `${users}/${userId}/contacts/${contactId}`),
    queue: (campaignId: string) => call('GET', `${campaigns}/${campaignId}/queue?limit=100`),
    pool: (campaignId: string) => call('GET', `${campaigns}/${campaignId}/pool`),
    batch: (id: string) => call('GET', `/api/admin/assignment-batches/${id}`),
    autoAssign: (campaignId: string, body: Record<string, unknown>, headers: Record<string, string> = {}) =>
      call('POST', `${campaigns}/${campaignId}/auto-assign`, body, headers),
  };
}

/** How many open contacts each person has in a campaign. */
export async function openCounts(app: TestApi, campaignId: string): Promise<Map<string, number>> {
  const rows = await asSuperuser<{ user_id: string; count: string }>(
    app,
    `select user_id, count(*) from user_contact_assignment where campaign_id = $1 and released_at is null group by 1`,
    [campaignId],
  );
  return new Map(rows.map(({ user_id, count }) => [user_id, Number(count)]));
}
