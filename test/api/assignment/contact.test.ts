import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createCastellanClient } from '../../../src/sdk/index.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { addPeople, assignmentDriver } from '../../support/drivers/assignment.ts';

let app: TestApi;
let manager: SignedIn;
let agent: SignedIn;
let drive: ReturnType<typeof assignmentDriver>;

beforeAll(async () => {
  app = await startTestApi();
  manager = await app.signIn('role-regional-manager');
  agent = await app.signIn('role-junior-agent');
  drive = assignmentDriver(app, manager);
});

afterAll(async () => {
  await app.close();
});

const contacts = '/api/admin/contacts';
const campaigns = '/api/admin/campaigns';

describe.each([
  { path: contacts, body: { name: 'Asha Patel', company: 'Patel & Co' }, change: { company: 'Patel Ltd' } },
  { path: campaigns, body: { name: 'Spring fair', channel: 'email' }, change: { status: 'active' } },
])('S3-32, S3-42: $path', ({ path, body, change }) => {
  it('are created, read, changed by version, listed and deleted', async () => {
    const created = await drive.call('POST', path, body);
    expect(created).toMatchObject({ status: 201, body });
    const one = `${path}/${created.body.id}`;
    expect(created.headers.get('location')).toBe(one);
    const tag = created.headers.get('etag') ?? '';
    expect((await drive.call('PUT', one, change)).status).toBe(428);
    const changed = await drive.call('PUT', one, change, { 'if-match': tag });
    expect(changed).toMatchObject({ status: 200, body: { ...body, ...change, version: 2 } });
    expect((await drive.call('PUT', one, change, { 'if-match': tag })).status).toBe(412);
    const list = await drive.call('GET', `${path}?limit=100`);
    expect(list.body.items.map(({ id }: { id: string }) => id)).toContain(created.body.id);
    expect((await drive.call('DELETE', one, undefined, { 'if-match': tag })).status).toBe(412);
    const deleted = await drive.call('DELETE', one, undefined, { 'if-match': changed.headers.get('etag') ?? '' });
    expect(deleted.status).toBe(204);
    expect((await drive.call('GET', one)).status).toBe(404);
  });

  it('are listed for staff, and need the manage permission to be made', async () => {
    expect((await app.call('GET', path, { token: agent.token })).status).toBe(200);
    expect((await app.call('POST', path, { token: agent.token, body })).status).toBe(403);
  });
});

describe('contacts', () => {
  it('show their owner to callers who may see assignments', async () => {
    const { body } = await drive.call('POST', contacts, { name: 'Owned', email: `${randomUUID()}@people.example` });
    const [person = ''] = await addPeople(app, 1);
    await drive.give(person, [body.id]);
    expect((await drive.call('GET', `${contacts}/${body.id}`)).body.user_id).toBe(person);
    const seen = await app.call('GET', `${contacts}/${body.id}`, { token: agent.token });
    expect(seen).toMatchObject({ status: 403, body: { code: 'auth.forbidden' } });
    const found = await drive.call('GET', `${contacts}?user_id=${person}`);
    expect(found.body.items.map(({ id }: { id: string }) => id)).toEqual([body.id]);
    const twin = await drive.call('POST', contacts, { name: 'Twin', email: body.email });
    expect(twin).toMatchObject({ status: 409, body: { code: 'resource.conflict' } });
  });

  it('lose their owner when they are deleted', async () => {
    const [person = ''] = await addPeople(app, 1);
    const { body } = await drive.call('POST', contacts, { name: 'Leaving' });
    await drive.give(person, [body.id]);
    await drive.call('DELETE', `${contacts}/${body.id}`, undefined, { 'if-match': '"1"' });
    expect((await drive.call('GET', `/api/admin/users/${person}`)).body.contact_count).toBe(0);
  });
});

describe('S3-42: CSV import', () => {
  const file = (...lines: string[]) => ({ csv: ['name,email,company', ...lines].join('\n') });

  it('creates new contacts, lists the lines of existing ones, and creates none twice', async () => {
    const mail = `${randomUUID()}@people.example`;
    const first = await drive.call('POST', `${contacts}/import`, file(`"Rao, Sunita",${mail.toUpperCase()},Rao & Sons`, `Twin,${mail},`));
    expect(first).toMatchObject({ status: 200, body: { created: 1, duplicates: [3] } });
    const { body } = await drive.call('GET', `${contacts}/${first.body.contact_ids[0]}`);
    expect(body).toMatchObject({ name: 'Rao, Sunita', email: mail, company: 'Rao & Sons' });
  });

  it('imports nothing from a file with a fault, and lists all faults by line', async () => {
    const answer = await drive.call('POST', `${contacts}/import`, file('Good,good@people.example,', ',bad,', 'X,no-mail,'));
    expect(answer.status).toBe(422);
    expect(answer.body.errors.map(({ detail }: { detail: string }) => detail)).toEqual([
      'line 3, email: must be an e-mail address',
      'line 3, name: is missing',
      'line 4, email: must be an e-mail address',
    ]);
    expect((await drive.call('GET', `${contacts}?q=good@people.example`)).body.items).toEqual([]);
    const unknown = await drive.call('POST', `${contacts}/import`, { csv: 'name,salary\nX,1' });
    expect(unknown.body.errors).toEqual([{ pointer: '/csv', detail: 'has the unknown column salary' }]);
  });
});

describe('S3-30: the typed client', () => {
  it('assigns through assignmentApi', async () => {
    const tokens = { access_token: manager.token, refresh_token: manager.refresh_token };
    const { assignmentApi } = createCastellanClient({ baseUrl: app.url, tokens });
    const campaign = await assignmentApi.createCampaign({ name: `Client ${randomUUID()}`, status: 'active' });
    const contact = await assignmentApi.createContact({ name: 'Client contact' });
    const [person = ''] = await addPeople(app, 1);
    await assignmentApi.assignCampaigns(person, { campaign_ids: [campaign.id] });
    const { results } = await assignmentApi.assignContacts(person, {
      contact_ids: [contact.id],
      campaign_id: campaign.id,
      mode: 'round_robin',
    });
    expect(results).toEqual([{ contact_id: contact.id, outcome: 'assigned', reason: 'dealt', user_id: person }]);
    expect((await assignmentApi.explainContactAssignment(person, contact.id)).replay?.agrees).toBe(true);
    expect((await assignmentApi.removeUserContact(person, contact.id)).kind).toBe('done');
  });
});
