import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { campaignGrants } from '../../../src/domain/assignment/campaign-permission.ts';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { startWorker } from '../../../src/worker.ts';
import type { RunningWorker } from '../../../src/worker.ts';
import { startTestApi } from '../../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { addContacts, addPeople, assignmentDriver } from '../../support/drivers/assignment.ts';
import { eventually } from '../../support/eventually.ts';
import { createRole, createRoleAssignment } from '../../support/factories/identity.ts';
import { makePerson } from '../../support/people.ts';
import { callProven } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';

let app: TestApi;
let worker: RunningWorker;
let manager: SignedIn;
let agent: SignedIn;
let stranger: SignedIn;
let drive: ReturnType<typeof assignmentDriver>;
let colleague: string;

const campaigns = '/api/admin/campaigns';
const contacts = '/api/admin/contacts';
const nothing = { can_view: false, can_edit: false, can_send: false, can_manage: false };

beforeAll(async () => {
  app = await startTestApi();
  worker = await startWorker(app.env, app.api.deps.log);
  manager = await app.signIn('role-regional-manager');
  agent = await app.signIn('role-junior-agent');
  stranger = await makePerson(app, defaultTenantId, null);
  drive = assignmentDriver(app, manager);
  [colleague = ''] = await addPeople(app, 1);
});

afterAll(async () => {
  await worker.close();
  await app.close();
});

const as = (person: SignedIn) => (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
  app.call(method, path, { token: person.token, ...(body === undefined ? {} : { body }), headers });
const refused = (rule: string) => ({ status: 403, body: { code: 'auth.forbidden', rule } });
const ids = (answer: Answer): string[] => answer.body.items.map(({ id }: { id: string }) => id);

/** Somebody whose one role gives these permissions. */
async function personWith(permissions: string[]): Promise<SignedIn> {
  const person = await makePerson(app, defaultTenantId, null);
  const role = await createRole(app, { permissions });
  await createRoleAssignment(app, { user_id: person.user_id, role_id: role.id });
  return person;
}

/** A campaign of which the agent is a member with these permissions. */
async function campaignWith(permissions: Partial<typeof nothing>): Promise<string> {
  const campaign = await drive.campaign();
  const settings = { permissions: { ...nothing, ...permissions }, auto_assign: false };
  expect((await drive.join(agent.user_id, campaign, settings)).body.results[0].outcome).toBe('assigned');
  return campaign;
}

describe('U-9, S3-8: campaign permissions', () => {
  it('let a member who manages a campaign see its pool, change its members and deal its contacts', async () => {
    const campaign = await campaignWith({ can_manage: true });
    const mine = as(agent);
    expect((await mine('GET', `${campaigns}/${campaign}/pool`)).status).toBe(200);
    expect((await mine('GET', `${campaigns}/${campaign}/queue`)).status).toBe(200);
    const joined = await mine('POST', `/api/admin/users/${colleague}/assign-campaigns`, { campaign_ids: [campaign], permissions: {} });
    expect(joined).toMatchObject({ status: 200, body: { results: [{ outcome: 'assigned' }] } });
    expect((await mine('PUT', `${campaigns}/${campaign}/members/${colleague}`, { weight: 300 })).status).toBe(200);
    const dealt = await addContacts(app, 2);
    const batch = await mine('POST', `${campaigns}/${campaign}/auto-assign`, { contact_ids: dealt });
    expect(batch).toMatchObject({ status: 202, body: { total: 2 } });
    const at = `/api/admin/assignment-batches/${batch.body.id}`;
    await eventually(() => mine('GET', at), ({ body }) => body.status === 'completed');
    expect((await mine('GET', `${at}/items`)).body.items).toHaveLength(2);
    expect(ids(await mine('GET', '/api/admin/assignment-batches?limit=100'))).toEqual([batch.body.id]);
    // Who has them is shown to who manages the campaign.
    expect((await mine('GET', `${contacts}/${dealt[0]}`)).body).toMatchObject({ user_id: colleague });
    expect((await mine('GET', `${contacts}/${dealt[0]}/assignments`)).status).toBe(200);
    expect(await as(stranger)('DELETE', `/api/admin/users/${colleague}/campaigns/${campaign}`)).toMatchObject(refused('no-rule'));
    expect((await mine('DELETE', `/api/admin/users/${colleague}/campaigns/${campaign}`)).status).toBe(204);
  });

  it('let nobody take the contacts of another campaign', async () => {
    const campaign = await campaignWith({ can_manage: true });
    const [held = '', free = '', waiting = ''] = await addContacts(app, 3);
    await drive.give(colleague, [held]);
    const elsewhere = await drive.campaign();
    await drive.join(colleague, elsewhere, { auto_assign: false });
    expect((await drive.deal(colleague, elsewhere, [waiting])).body.results[0].outcome).toBe('queued');
    const mine = as(agent);
    const unknown = randomUUID();
    const deal = { contact_ids: [free, held, waiting, unknown], on_conflict: 'reassign' };
    const { body } = await mine('POST', `${campaigns}/${campaign}/auto-assign`, deal);
    await eventually(() => mine('GET', `/api/admin/assignment-batches/${body.id}`), (answer) => answer.body.status === 'completed');
    const { items } = (await mine('GET', `/api/admin/assignment-batches/${body.id}/items`)).body;
    // What belongs to others is told like what is not there.
    const untouched = { outcome: 'conflict', reason: 'not_found', user_id: null };
    expect(items).toMatchObject([{ outcome: 'queued' }, ...[held, waiting, unknown].map((contact_id) => ({ contact_id, ...untouched }))]);
    expect((await drive.call('GET', `${contacts}/${held}`)).body.user_id).toBe(colleague);
    expect((await drive.queue(elsewhere)).body.items).toMatchObject([{ contact_id: waiting }]);
  });

  it('S4-26: give and take nothing of somebody with more rights over campaigns', async () => {
    const campaign = await campaignWith({ can_manage: true });
    const mine = as(agent);
    const member = `/api/admin/users/${manager.user_id}/campaigns/${campaign}`;
    const exceeds = { status: 403, body: { code: 'user.exceeds-own' } };
    const join = { campaign_ids: [campaign], permissions: { can_view: false } };
    expect(await mine('POST', `/api/admin/users/${manager.user_id}/assign-campaigns`, join)).toMatchObject(exceeds);
    await drive.join(manager.user_id, campaign, { permissions: { can_manage: true }, auto_assign: false });
    const at = `${campaigns}/${campaign}/members/${manager.user_id}`;
    for (const grant of campaignGrants.filter((one) => one !== 'can_edit')) {
      expect(await mine('PUT', at, { [grant]: !['can_view', 'can_manage'].includes(grant) })).toMatchObject(exceeds);
    }
    expect(await mine('DELETE', member)).toMatchObject(exceeds);
    // How contacts are dealt is no right of anybody.
    expect(await mine('PUT', at, { weight: 300, can_manage: true })).toMatchObject({ status: 200, body: { weight: 300, can_manage: true } });
  });

  it('let who manages a campaign delete it, and ask nobody for approval', async () => {
    const [gone, kept] = [await campaignWith({ can_manage: true }), await campaignWith({ can_manage: true })];
    const mine = as(agent);
    const remove = (id: string) => mine('DELETE', `${campaigns}/${id}`, undefined, { 'if-match': '"1"' });
    const question = { permission: 'campaign:manage', resource: { type: 'campaign', id: gone } };
    expect((await mine('POST', '/rbac/check-permission', question)).body).toEqual({ allowed: true, rule: 'campaign-permission:can_manage' });
    expect((await remove(gone)).status).toBe(204);
    const root = await app.signIn('role-super-admin');
    const steps = [{ name: 'one', roles: ['role-super-admin'], quorum: 1 }];
    for (const action of ['campaign.delete', 'assignment.remove-campaign']) {
      const policy = { action, environment: 'any', gate: 'approval', steps, version: 0 };
      expect((await callProven(app, root, 'PUT', '/admin/approval-policies', { body: policy })).status).toBe(200);
    }
    // A request that is opened by a membership could never be carried out, so no factor is asked for either (T-14).
    expect(await remove(kept)).toMatchObject(refused('no-rule'));
    const leave = await mine('DELETE', `/api/admin/users/${agent.user_id}/campaigns/${kept}`);
    expect(leave).toMatchObject(refused('no-rule'));
    await asSuperuser(app, "delete from admin_approval_policies where action in ('campaign.delete', 'assignment.remove-campaign')");
  });

  it('shut a campaign also from a role that reads assignments or changes campaigns', async () => {
    const clerk = await personWith(['assignment:read', 'campaign:update']);
    const campaign = await drive.campaign();
    const theirs = as(clerk);
    const dealt = await drive.autoAssign(campaign, { contact_ids: await addContacts(app, 1) });
    const batch = `/api/admin/assignment-batches/${dealt.body.id}`;
    const looks = [`${campaigns}/${campaign}`, `${campaigns}/${campaign}/pool`, `${campaigns}/${campaign}/queue`, batch, `${batch}/items`];
    for (const path of looks) expect({ path, status: (await theirs('GET', path)).status }).toEqual({ path, status: 200 });
    await drive.join(clerk.user_id, campaign, { permissions: nothing });
    for (const path of looks) {
      expect(await theirs('GET', path)).toMatchObject(refused('campaign-permission-missing:can_view'));
    }
    const change = await theirs('PUT', `${campaigns}/${campaign}`, { description: 'unseen' }, { 'if-match': '"1"' });
    expect(change).toMatchObject(refused('campaign-permission-missing:can_view'));
    expect(ids(await theirs('GET', '/api/admin/assignment-batches?limit=100'))).not.toContain(dealt.body.id);
  });

  it('are judged again where an answer is repeated', async () => {
    const campaign = await campaignWith({ can_edit: true });
    const change = () =>
      as(agent)('PUT', `${campaigns}/${campaign}`, { description: 'Once' }, { 'if-match': '"1"', 'idempotency-key': `once-${campaign}` });
    expect((await change()).status).toBe(200);
    expect((await change()).headers.get('idempotency-replayed')).toBe('true');
    await drive.call('DELETE', `/api/admin/users/${agent.user_id}/campaigns/${campaign}`);
    expect(await change()).toMatchObject(refused('no-rule'));
  });

  it('let a member with can_view false see nothing of it, though a role shows campaigns', async () => {
    const [shut, open] = [await campaignWith({}), await campaignWith({ can_view: true })];
    const mine = as(agent);
    expect(await mine('GET', `${campaigns}/${shut}`)).toMatchObject(refused('campaign-permission-missing:can_view'));
    expect(await mine('GET', `${campaigns}/${shut}/pool`)).toMatchObject(refused('campaign-permission-missing:can_view'));
    expect((await mine('GET', `${campaigns}/${open}`)).status).toBe(200);
    const listed = ids(await mine('GET', `${campaigns}?limit=100`));
    expect(listed).toContain(open);
    expect(listed).not.toContain(shut);
    expect(ids(await drive.call('GET', `${campaigns}?limit=100`))).toContain(shut);
  });

  it.each(campaignGrants)('%s alone gives what it says, over HTTP as by check-permission', async (grant) => {
    const campaign = await campaignWith({ [grant]: true });
    const mine = as(agent);
    const may = async (permission: string) =>
      (await mine('POST', '/rbac/check-permission', { permission, resource: { type: 'campaign', id: campaign } })).body;
    const changes = ['can_edit', 'can_manage'].includes(grant);
    expect((await may('campaign:update')).allowed).toBe(changes);
    expect((await may('campaign:send')).allowed).toBe(['can_send', 'can_manage'].includes(grant));
    expect((await may('assignment:manage')).allowed).toBe(grant === 'can_manage');
    expect(await may('campaign:read')).toEqual({ allowed: true, rule: `campaign-permission:${grant}` });
    const version = (await mine('GET', `${campaigns}/${campaign}`)).headers.get('etag') ?? '';
    expect((await mine('PUT', `${campaigns}/${campaign}`, { description: grant }, { 'if-match': version })).status).toBe(changes ? 200 : 403);
    expect((await mine('POST', `${campaigns}/${campaign}/auto-assign`, { contact_ids: await addContacts(app, 1) })).status).toBe(
      grant === 'can_manage' ? 202 : 403,
    );
  });

  it('end with the membership', async () => {
    const campaign = await campaignWith({ can_manage: true });
    expect((await as(agent)('GET', `${campaigns}/${campaign}/pool`)).status).toBe(200);
    expect((await drive.call('DELETE', `/api/admin/users/${agent.user_id}/campaigns/${campaign}`)).status).toBe(204);
    expect(await as(agent)('GET', `${campaigns}/${campaign}/pool`)).toMatchObject(refused('no-rule'));
  });
});

describe('U-9, X-29: contacts', () => {
  it('have a history that a role with assignments alone can read', async () => {
    const clerk = await personWith(['assignment:read']);
    const [given = ''] = await addContacts(app, 1);
    await drive.give(colleague, [given]);
    expect((await as(clerk)('GET', `${contacts}/${given}/assignments`)).body.items).toMatchObject([{ user_id: colleague }]);
    expect((await as(clerk)('GET', `${contacts}/${randomUUID()}/assignments`)).status).toBe(404);
    expect(await as(clerk)('GET', `${contacts}/${given}`)).toMatchObject({ status: 403 });
  });

  it('X-29: nothing is allowed to somebody who is not active, whatever is left to them', async () => {
    const gone = await makePerson(app, defaultTenantId, 'role-junior-agent');
    const campaign = await drive.campaign();
    await drive.join(gone.user_id, campaign, { permissions: { can_manage: true } });
    const [own = ''] = await addContacts(app, 1);
    await drive.give(gone.user_id, [own]);
    const root = await app.signIn('role-super-admin');
    const grant = { agent_name: 'client_management', can_read: true };
    const given = await callProven(app, root, 'POST', `/api/v1/users/${gone.user_id}/agent-permissions`, { body: grant });
    expect(given.status).toBe(201);
    const questions = [
      { permission: 'campaign:update', resource: { type: 'campaign', id: campaign } },
      { permission: 'contact:read', resource: { type: 'contact', id: own } },
      { permission: 'campaign:read' },
      { agent_module: { name: 'client_management', action: 'read' } },
    ];
    const ask = async (question: object) =>
      (await drive.call('POST', '/rbac/check-permission', { user_id: gone.user_id, ...question })).body;
    for (const question of questions) expect({ question, ...(await ask(question)) }).toMatchObject({ allowed: true });
    for (const status of ['inactive', 'deleted']) {
      await asSuperuser(app, 'update users set status = $2 where id = $1', [gone.user_id, status]);
      for (const question of questions) expect(await ask(question)).toEqual({ allowed: false, rule: 'user-inactive' });
    }
  });

  it('are seen by an agent who owns them or in whose pool they wait, and no others', async () => {
    const [own = '', pooled = '', other = '', free = ''] = await addContacts(app, 4);
    await drive.give(agent.user_id, [own]);
    await drive.give(colleague, [other]);
    const campaign = await campaignWith({ can_view: true });
    // Nobody of the pool takes contacts, so it waits.
    expect((await drive.deal(agent.user_id, campaign, [pooled])).body.results[0].outcome).toBe('queued');
    const mine = as(agent);
    const listed = ids(await mine('GET', `${contacts}?limit=100`));
    expect(listed).toEqual(expect.arrayContaining([own, pooled]));
    expect(listed).not.toEqual(expect.arrayContaining([other]));
    expect(listed).not.toEqual(expect.arrayContaining([free]));
    for (const id of [own, pooled]) expect((await mine('GET', `${contacts}/${id}`)).status).toBe(200);
    for (const id of [other, free, randomUUID()]) expect(await mine('GET', `${contacts}/${id}`)).toMatchObject({ status: 403 });
    expect(ids(await drive.call('GET', `${contacts}?limit=100`))).toEqual(expect.arrayContaining([own, pooled, other, free]));
  });

  it('are worked on by their owner, who does not delete them', async () => {
    const [own = ''] = await addContacts(app, 1);
    await drive.give(agent.user_id, [own]);
    const mine = as(agent);
    const noted = await mine('PUT', `${contacts}/${own}`, { notes: 'Wants a call on Monday' }, { 'if-match': '"1"' });
    expect(noted).toMatchObject({ status: 200, body: { notes: 'Wants a call on Monday', user_id: agent.user_id } });
    expect((await mine('GET', `${contacts}/${own}/assignments`)).body.items).toMatchObject([{ user_id: agent.user_id }]);
    expect(await mine('DELETE', `${contacts}/${own}`, undefined, { 'if-match': '"2"' })).toMatchObject(refused('no-rule'));
    const question = { permission: 'contact:update', resource: { type: 'contact', id: own } };
    expect((await mine('POST', '/rbac/check-permission', question)).body).toEqual({ allowed: true, rule: 'ownership:contact' });
    const asked = await drive.call('POST', '/rbac/check-permission', { ...question, user_id: colleague });
    expect(asked.body).toEqual({ allowed: false, rule: 'no-rule' });
    await drive.take(agent.user_id, own);
    expect(await mine('PUT', `${contacts}/${own}`, { notes: 'Still mine?' }, { 'if-match': '"2"' })).toMatchObject(refused('no-rule'));
  });

  it('are nobody else’s business', async () => {
    for (const path of [contacts, campaigns]) expect(await as(stranger)('GET', path)).toMatchObject(refused('no-rule'));
    const [own = ''] = await addContacts(app, 1);
    await drive.give(stranger.user_id, [own]);
    expect(ids(await as(stranger)('GET', contacts))).toEqual([own]);
    const filtered = await as(agent)('GET', `${contacts}?user_id=${stranger.user_id}`);
    expect(filtered.body.items).toEqual([]);
  });
});
