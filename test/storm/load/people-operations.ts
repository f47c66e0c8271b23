import { take } from './approval-operations.ts';
import type { Operation } from './command.ts';
import { newMarker } from './world.ts';

const api = '/api/admin';
/** Few, so that contacts and members meet in them. */
const maxCampaigns = 3;
/** A contact has one owner at most, or waits for one. */
const assigned = `select contact_id::text as marker, count(*)::int as n from (
    select contact_id from user_contact_assignment where released_at is null
    union all select contact_id from assignment_queue where left_at is null) places
  where contact_id::text = any($1) group by 1`;

/** Users, contacts, campaigns and their assignment. */
export const peopleOperations: readonly Operation[] = [
  {
    name: 'create a user',
    weight: 5,
    event: 'user.create',
    effects: 'select full_name as marker, count(*)::int as n from users where full_name = any($1) group by 1',
    plan: (tenant, random) => {
      const marker = newMarker();
      const body = { full_name: marker, email: `${marker}@people.example` };
      return { person: random.pick(tenant.admins), method: 'POST', path: '/admin/users', body, marker };
    },
  },
  {
    name: 'create a contact',
    weight: 7,
    event: 'contact.create',
    effects: 'select name as marker, count(*)::int as n from contacts where name = any($1) group by 1',
    plan: (tenant, random) => {
      const marker = newMarker();
      return { person: random.pick(tenant.admins), method: 'POST', path: `${api}/contacts`, body: { name: marker }, marker };
    },
    learn: (tenant, _planned, { id }: { id: string }) => tenant.contacts.push(id),
  },
  {
    name: 'create a campaign',
    weight: 3,
    event: 'campaign.create',
    effects: 'select name as marker, count(*)::int as n from campaigns where name = any($1) group by 1',
    plan: (tenant, random) => {
      if (tenant.campaigns.length >= maxCampaigns) return null;
      const marker = newMarker();
      const body = { name: marker, status: 'active' };
      return { person: random.pick(tenant.admins), method: 'POST', path: `${api}/campaigns`, body, marker };
    },
    learn: (tenant, _planned, { id }: { id: string }) => tenant.campaigns.push(id),
  },
  {
    name: 'join a campaign',
    weight: 2,
    event: 'assignment.join-campaign',
    effects: `select user_id || '/' || campaign_id as marker, count(*)::int as n from user_campaign_assignment
      where user_id || '/' || campaign_id = any($1) group by 1`,
    plan: (tenant, random) => {
      if (tenant.campaigns.length === 0) return null;
      const [campaign, { user_id }] = [random.pick(tenant.campaigns), random.pick(tenant.members)];
      const marker = `${user_id}/${campaign}`;
      // A second time would change nothing.
      if (tenant.joined.has(marker)) return null;
      tenant.joined.add(marker);
      const body = { campaign_ids: [campaign] };
      return { person: random.pick(tenant.admins), method: 'POST', path: `${api}/users/${user_id}/assign-campaigns`, body, marker };
    },
  },
  {
    name: 'assign a contact',
    weight: 4,
    event: 'contact.assign',
    effects: assigned,
    plan: (tenant, random) => {
      const contact = take(tenant.contacts, random);
      if (contact === undefined) return null;
      const path = `${api}/users/${random.pick(tenant.members).user_id}/assign-contacts`;
      return { person: random.pick(tenant.admins), method: 'POST', path, body: { contact_ids: [contact] }, marker: contact };
    },
  },
  {
    name: 'auto-assign a contact',
    weight: 4,
    event: 'assignment-batch.create',
    effects: assigned,
    plan: (tenant, random) => {
      if (tenant.campaigns.length === 0) return null;
      const contact = take(tenant.contacts, random);
      if (contact === undefined) return null;
      const path = `${api}/campaigns/${random.pick(tenant.campaigns)}/auto-assign`;
      return { person: random.pick(tenant.admins), method: 'POST', path, body: { contact_ids: [contact] }, marker: contact };
    },
  },
  {
    name: 'create an onboarding link',
    weight: 3,
    event: 'onboarding_link.create',
    effects: 'select recipient_name as marker, count(*)::int as n from onboarding_link where recipient_name = any($1) group by 1',
    plan: (tenant, random) => {
      const marker = newMarker();
      const body = { recipient_name: marker, purpose: 'first day' };
      return { person: random.pick(tenant.admins), method: 'POST', path: `${api}/onboarding/create-link`, body, marker };
    },
  },
];
