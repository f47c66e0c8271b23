import { randomUUID } from 'node:crypto';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import type { Answer, SignedIn, TestApi } from '../api.ts';
import { newContact } from '../factories/assignment.ts';
import { newUser, systemRoleId } from '../factories/identity.ts';
import { insertRows } from '../factories/row-insertion.ts';
import { asSuperuser, withSuperuser } from '../superuser.ts';

/** Puts active people with a system role into the sample tenant; they never sign in, so they need no password. */
export async function addPeople(app: TestApi, count: number, role = 'role-junior-agent'): Promise<string[]> {
  return withSuperuser(app, async (db) => {
    const people = await insertRows(db, 'users', Array.from({ length: count }, () => newUser()));
    const [tenant_id, role_id] = [defaultTenantId, await systemRoleId(db, role)];
    await insertRows(db, 'admin_role_assignments', people.map(({ id }) => ({ tenant_id, user_id: id, role_id })));
    return people.map(({ id }) => id).toSorted();
  });
}

/** Contacts of the sample tenant, in the order of the list. */
export async function addContacts(app: TestApi, count: number, source: string | null = null): Promise<string[]> {
  const nowMs = Date.now();
  const rows = Array.from({ length: count }, (_, index) => newContact({ source, created_at: new Date(nowMs + index).toISOString() }));
  return (await insertRows(app, 'contacts', rows)).map(({ id }) => id);
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
