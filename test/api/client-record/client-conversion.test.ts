import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApi } from '../../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { clientDriver, clients, grantClients, keepCpf, person } from '../../support/drivers/client-record.ts';
import { createContact, newContactAssignment } from '../../support/factories/assignment.ts';
import { someCpf } from '../../support/factories/client-record.ts';
import { insertRow } from '../../support/factories/row-insertion.ts';
import { createPipeline, createPipelineStage, createProspect } from '../../support/factories/tracker.ts';
import { secondTenant } from '../../support/people.ts';
import type { OtherTenant } from '../../support/people.ts';

let app: TestApi;
let manager: SignedIn;
let agent: SignedIn;
let other: OtherTenant;
let drive: ReturnType<typeof clientDriver>;
let place: { pipeline_id: number; stage_id: number };

beforeAll(async () => {
  app = await startTestApi();
  await keepCpf(app);
  manager = await app.signIn('role-super-admin');
  agent = await app.signIn('role-junior-agent');
  other = await secondTenant(app);
  drive = clientDriver(app, manager);
  const pipeline = await createPipeline(app);
  place = { pipeline_id: pipeline.id, stage_id: (await createPipelineStage(app, { pipeline_id: pipeline.id })).id };
});

afterAll(() => app.close());

const convert = (source: unknown, more: Record<string, unknown> = {}, token?: string, headers = {}): Promise<Answer> =>
  drive.call('POST', `${clients}/convert`, { source, cpf: someCpf(), birth_date: '1985-03-02', ...more }, headers, token);
const contact = (id: string) => ({ type: 'contact', id });
const prospect = (id: number) => ({ type: 'prospect', id });
const someProspect = (user: SignedIn, more: Record<string, unknown> = {}) => createProspect(app, { user_id: user.user_id, ...place, ...more });

describe('X-10: a client made of a contact', () => {
  it('has its name, e-mail and phone, and the contact stays as it is', async () => {
    const { id } = await createContact(app, { name: 'Ana Souza', email: 'ana.c@people.example', phone_number: '+55 (11) 98765-4321' });
    const path = `/api/admin/contacts/${id}`;
    const before = (await drive.call('GET', path)).body;
    const answer = await convert(contact(id));
    expect(answer).toMatchObject({
      status: 201,
      body: { kind: 'person', name: 'Ana Souza', email: 'ana.c@people.example', phone_number: '+5511987654321', contact_id: id, prospect_id: null, version: 1 },
    });
    expect(answer.headers.get('location')).toBe(`${clients}/${answer.body.id}`);
    expect(answer.headers.get('etag')).toBe('"1"');
    expect((await drive.call('GET', path)).body).toEqual(before);
    const twice = await convert(contact(id));
    expect(twice).toMatchObject({ status: 409, body: { errors: [{ pointer: '/source' }], existing: { client_id: answer.body.id } } });
  });

  it('has what was given instead, and nothing of what was given as null', async () => {
    const { id } = await createContact(app, { name: 'Ana Souza', email: 'ana.o@people.example', phone_number: '030 12345 ext. 12' });
    const refused = await convert(contact(id));
    expect(refused).toMatchObject({ status: 422, body: { errors: [{ pointer: '/phone_number' }] } });
    const { body } = await convert(contact(id), { name: 'Ana Lima', email: null, phone_number: '+551133334444', address: { line1: 'Rua A, 1' } });
    expect(body).toMatchObject({ name: 'Ana Lima', email: null, phone_number: '+551133334444', address: { line1: 'Rua A, 1' } });
  });

  it.each([
    ['/name', { name: 'A' }],
    ['/name', { name: 'A'.repeat(150) }],
    ['/phone_number', { phone_number: '11 98765-4321' }],
    ['/phone_number', { phone_number: '+49 (0)30 123456' }],
  ])('asks for %s where that of the contact is none (%j)', async (pointer, columns) => {
    const { id } = await createContact(app, columns);
    expect(await convert(contact(id))).toMatchObject({ status: 422, body: { errors: [{ pointer }] } });
    expect((await convert(contact(id), { [pointer.slice(1)]: pointer === '/name' ? 'Ana Lima' : null })).status).toBe(201);
  });

  it('a company has the name of the company', async () => {
    const { id } = await createContact(app, { name: 'João Sol', company: 'Padaria Sol Ltda' });
    const answer = await convert(contact(id), { kind: 'company', cnpj: '12ABC34501DE35', cpf: null, birth_date: null });
    expect(answer).toMatchObject({ status: 201, body: { kind: 'company', name: 'Padaria Sol Ltda', cnpj: '12ABC34501DE35', contact_id: id } });
  });

  it('is made once by ten conversions at once, and the others name it', async () => {
    const { id } = await createContact(app);
    const answers = await Promise.all(Array.from({ length: 10 }, () => convert(contact(id))));
    const made = answers.filter(({ status }) => status === 201);
    expect(made).toHaveLength(1);
    for (const { status, body } of answers) if (status !== 201) expect([status, body.existing?.client_id]).toEqual([409, made[0]?.body.id]);
  });

  it('leads to the client that it was merged into', async () => {
    const { id } = await createContact(app);
    const { body } = await convert(contact(id));
    expect(await drive.call('POST', clients, person({ contact_id: id }))).toMatchObject({
      status: 409,
      body: { errors: [{ pointer: '/contact_id' }], existing: { client_id: body.id, restore: null } },
    });
    const keep = await drive.created({ contact_id: (await createContact(app)).id });
    expect((await drive.merge(keep.id, body.id)).status).toBe(200);
    expect(await convert(contact(id))).toMatchObject({ status: 409, body: { existing: { client_id: keep.id } } });
  });

  it('needs what every client needs', async () => {
    const { id } = await createContact(app);
    expect(await convert(contact(id), { cpf: undefined })).toMatchObject({ status: 422, body: { errors: [{ pointer: '/cpf' }] } });
    expect(await convert(contact(id), { birth_date: undefined })).toMatchObject({ status: 422, body: { errors: [{ pointer: '/birth_date' }] } });
    expect(await convert(contact(randomUUID()))).toMatchObject({ status: 422, body: { errors: [{ pointer: '/source/id' }] } });
    expect((await convert({ type: 'lead', id: 1 })).status).toBe(422);
    expect((await convert(undefined)).status).toBe(422);
    const cpf = someCpf();
    const there = await drive.created({ cpf });
    expect(await convert(contact(id), { cpf })).toMatchObject({ status: 409, body: { existing: { client_id: there.id } } });
  });

  it('a repeated key gives the first answer', async () => {
    const { id } = await createContact(app);
    const [cpf, headers] = [someCpf(), { 'idempotency-key': randomUUID() }];
    const first = await convert(contact(id), { cpf }, undefined, headers);
    expect(first.status).toBe(201);
    expect((await convert(contact(id), { cpf }, undefined, headers)).body).toEqual(first.body);
  });
});

describe('X-10: a client made of a prospect', () => {
  it('of one’s own', async () => {
    const { id } = await someProspect(manager, { name: 'Rui Prado', email: 'rui@people.example', phone: '+55.11.98765.0000' });
    const answer = await convert(prospect(id));
    expect(answer).toMatchObject({ status: 201, body: { name: 'Rui Prado', email: 'rui@people.example', phone_number: '+5511987650000', prospect_id: id, contact_id: null } });
    expect(await convert(prospect(id))).toMatchObject({ status: 409, body: { existing: { client_id: answer.body.id } } });
  });

  it('somebody else’s is told like one that is not there', async () => {
    const { id } = await someProspect(agent);
    const [theirs, nobodys] = [await convert(prospect(id)), await convert(prospect(2_147_483_000))];
    expect(theirs).toMatchObject({ status: 422, body: { errors: [{ pointer: '/source/id' }] } });
    expect(nobodys.body.errors).toEqual(theirs.body.errors);
    const empty = await someProspect(manager, { email: null, phone: '' });
    expect((await convert(prospect(empty.id))).body).toMatchObject({ email: null, phone_number: null });
  });
});

describe('whose business it is', () => {
  it('who may create clients and see the contact', async () => {
    const { id } = await createContact(app);
    expect((await app.call('POST', `${clients}/convert`, { body: { source: contact(id) } })).status).toBe(401);
    expect(await convert(contact(id), {}, agent.token)).toMatchObject({ status: 403, body: { permission: 'client:create' } });
    await grantClients(app, agent, ['create']);
    expect(await convert(contact(id), {}, agent.token)).toMatchObject({ status: 403, body: { permission: 'contact:read', rule: 'no-rule' } });
    expect(await convert(contact(randomUUID()), {}, agent.token)).toMatchObject({ status: 403, body: { permission: 'contact:read', rule: 'no-rule' } });
    await insertRow(app, 'user_contact_assignment', newContactAssignment({ user_id: agent.user_id, contact_id: id }));
    expect((await convert(contact(id), {}, agent.token)).status).toBe(201);
    const again = await convert(contact(id), {}, agent.token);
    expect(again.status).toBe(409);
    expect(again.body.existing).toBeUndefined();
    expect(await convert(contact(id), {}, other.admin.token)).toMatchObject({ status: 422, body: { errors: [{ pointer: '/source/id' }] } });
    const mine = await someProspect(agent);
    expect((await convert(prospect(mine.id), {}, agent.token)).status).toBe(201);
  });
});
