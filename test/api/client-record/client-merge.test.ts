import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { purgeExpiredRows } from '../../../src/services/operations/housekeeping.service.ts';
import { startTestApi } from '../../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { clientDriver, clients, grantClients, keepCpf, merges, person } from '../../support/drivers/client-record.ts';
import { createContact } from '../../support/factories/assignment.ts';
import { someCpf } from '../../support/factories/client-record.ts';
import { secondTenant } from '../../support/people.ts';
import type { OtherTenant } from '../../support/people.ts';
import { asSuperuser } from '../../support/superuser.ts';

let app: TestApi;
let manager: SignedIn;
let other: OtherTenant;
let drive: ReturnType<typeof clientDriver>;

beforeAll(async () => {
  app = await startTestApi();
  await keepCpf(app);
  manager = await app.signIn('role-super-admin');
  other = await secondTenant(app);
  drive = clientDriver(app, manager);
});

afterAll(() => app.close());

const done = async (answer: Promise<Answer>): Promise<Answer['body']> => {
  const { status, body } = await answer;
  expect({ status, body }).toMatchObject({ status: 200 });
  return body;
};
/** What a record says, without what every change changes. */
const essence = ({ version: _version, updated_at: _updated, ...record }: Record<string, unknown>) => record;
const entriesOf = async (id: string, event: string) =>
  (await drive.call('GET', `/admin/audit-logs?resource_id=${id}&event=${event}`)).body.items as { id: string }[];
const formerOf = async (id: string) =>
  (await asSuperuser<{ former_values: unknown; cleared: boolean }>(app, 'select former_values, values_cleared_at is not null as cleared from client_merges where id = $1', [id]))[0];

describe('X-10: merging', () => {
  it('fills what is empty, takes what is wanted, deletes the other one, and can be undone', async () => {
    const contact = await createContact(app);
    const cpf = someCpf();
    const keep = await drive.created({ name: 'Rosa Lima', email: 'rosa@people.example' });
    const gone = await drive.created({ cpf, name: 'Rosa Maria Lima', email: 'rm@people.example', phone_number: '+5511911111111', contact_id: contact.id });
    const merged = await done(drive.merge(keep.id, gone.id, { take: ['name'] }));
    expect(merged.merge).toMatchObject({
      client_id: keep.id,
      client_name: 'Rosa Maria Lima',
      merged_id: gone.id,
      merged_name: 'Rosa Maria Lima',
      taken_fields: ['name', 'phone_number', 'contact_id'],
      moved: {},
      merged_by: manager.user_id,
      merged_by_name: expect.any(String),
      is_undoable: true,
      undone_at: null,
    });
    expect(Date.parse(merged.merge.undo_until) - Date.parse(merged.merge.created_at)).toBe(30 * 86_400_000);
    expect(merged.client).toMatchObject({
      id: keep.id,
      cpf: keep.cpf,
      name: 'Rosa Maria Lima',
      email: 'rosa@people.example',
      phone_number: '+5511911111111',
      contact_id: contact.id,
      version: 2,
    });
    expect(merged.merged).toMatchObject({ id: gone.id, cpf: gone.cpf, is_active: false, merged_into_id: keep.id });
    expect(await formerOf(merged.merge.id)).toEqual({ former_values: { name: 'Rosa Lima', phone_number: null, contact_id: null }, cleared: false });

    // Its number stays with it, and leads to the one that is left.
    const again = await drive.call('POST', clients, { name: 'Rosa Lima', cpf, birth_date: '1985-03-02' });
    expect(again).toMatchObject({ status: 409, body: { existing: { client_id: keep.id, restore: null } } });
    const restore = await drive.call('POST', `${clients}/${gone.id}/restore`, undefined, { 'if-match': `"${merged.merged.version}"` });
    expect(restore).toMatchObject({ status: 409, body: { code: 'client.not-restorable' } });

    const undone = await done(drive.undo(merged.merge.id));
    expect(essence(undone.client)).toEqual(essence(keep));
    expect(essence(undone.merged)).toEqual(essence(gone));
    expect(undone.merge).toMatchObject({ undone_by: manager.user_id, undone_by_name: expect.any(String), is_undoable: false });
    expect(await formerOf(merged.merge.id)).toEqual({ former_values: null, cleared: true });
    expect(await drive.undo(merged.merge.id)).toMatchObject({ status: 409, body: { code: 'client.merge-not-undoable' } });
    for (const event of ['client.merge', 'client.unmerge']) {
      expect(await entriesOf(keep.id, event)).toHaveLength(1);
      expect(await entriesOf(gone.id, event)).toHaveLength(1);
    }
  });

  it('undoing leaves what somebody has changed since', async () => {
    const [keep, gone] = [await drive.created(), await drive.created({ email: 'late@people.example', phone_number: '+5511922222222' })];
    const { merge } = await done(drive.merge(keep.id, gone.id));
    await done(drive.call('PUT', `${clients}/${keep.id}`, { email: 'new@people.example' }, { 'if-match': '"2"' }));
    const { client } = await done(drive.undo(merge.id));
    expect(client).toMatchObject({ email: 'new@people.example', phone_number: null });
  });

  it('moves earlier merges along, and later ones are undone first', async () => {
    const [a, b, c] = [await drive.created(), await drive.created(), await drive.created()];
    const first = (await done(drive.merge(b.id, a.id))).merge;
    const second = (await done(drive.merge(c.id, b.id))).merge;
    expect(second.moved).toEqual({ merged_clients: [a.id] });
    expect((await drive.shown(a.id)).merged_into_id).toBe(c.id);
    const early = await drive.undo(first.id);
    expect(early).toMatchObject({ status: 409, body: { code: 'client.merge-followed', merge_id: second.id, client_id: c.id, merged_id: b.id } });
    const d = await drive.created();
    const third = (await done(drive.merge(c.id, d.id))).merge;
    expect(await drive.undo(second.id)).toMatchObject({ status: 409, body: { code: 'client.merge-followed', merge_id: third.id } });
    for (const { id } of [third, second]) await done(drive.undo(id));
    expect((await drive.shown(a.id)).merged_into_id).toBe(b.id);
    await done(drive.undo(first.id));
    for (const { id } of [a, b, c, d]) expect(await drive.shown(id)).toMatchObject({ is_active: true, merged_into_id: null });
  });

  it('is refused where one of the two is not there, deleted, erased, of another kind, or the only one with a number', async () => {
    const [one, two, gone] = [await drive.created(), await drive.created(), await drive.created()];
    await drive.call('DELETE', `${clients}/${gone.id}`, undefined, { 'if-match': '"1"' });
    const company = (await drive.call('POST', clients, { kind: 'company', name: 'Padaria Sol Ltda', cnpj: '12ABC34501DE35' })).body;
    expect(await drive.merge(one.id, one.id)).toMatchObject({ status: 422, body: { errors: [{ pointer: '/merged_id' }] } });
    expect(await drive.merge(one.id, randomUUID())).toMatchObject({ status: 422, body: { errors: [{ pointer: '/merged_id' }] } });
    expect((await drive.merge(randomUUID(), one.id, {}, 1)).status).toBe(404);
    expect(await drive.merge(one.id, gone.id)).toMatchObject({ status: 409, body: { code: 'client.not-mergeable', client_id: gone.id } });
    expect(await drive.merge(gone.id, one.id)).toMatchObject({ status: 409, body: { code: 'client.not-mergeable' } });
    expect(await drive.merge(one.id, company.id)).toMatchObject({ status: 409, body: { code: 'client.not-mergeable' } });
    expect(await drive.merge(one.id, two.id, { take: ['email'] })).toMatchObject({ status: 422, body: { errors: [{ pointer: '/take/0' }] } });
    expect(await drive.merge(one.id, two.id, { take: ['cpf'] })).toMatchObject({ status: 422, body: { errors: [{ pointer: '/take/0' }] } });
    expect(await drive.merge(one.id, two.id, { take: ['name', 'name'] })).toMatchObject({ status: 422, body: { errors: [{ pointer: '/take' }] } });
    expect(await drive.merge(one.id, two.id, {}, 7)).toMatchObject({ status: 412, body: { current_version: 1 } });
    const stale = await drive.merge(one.id, two.id, { merged_version: 7 });
    expect(stale).toMatchObject({ status: 412, body: { current_version: 1, errors: [{ pointer: '/merged_version' }] } });
    const bare = await drive.call('POST', `${clients}/${one.id}/merge`, { merged_id: two.id, merged_version: 1 });
    expect(bare.status).toBe(428);
    await asSuperuser(app, 'update clients set cpf = null where id = $1', [one.id]);
    expect(await drive.merge(one.id, two.id)).toMatchObject({ status: 409, body: { detail: expect.stringContaining('other way round'), merged_id: one.id } });
    expect((await drive.merge(two.id, one.id)).status).toBe(200);
  });

  it('a repeated key gives the first answer', async () => {
    const [keep, gone] = [await drive.created(), await drive.created()];
    const headers = { 'if-match': '"1"', 'idempotency-key': randomUUID() };
    const send = () => drive.call('POST', `${clients}/${keep.id}/merge`, { merged_id: gone.id, merged_version: 1 }, headers);
    const first = await send();
    expect(first.status).toBe(200);
    expect((await send()).body).toEqual(first.body);
    expect((await done(drive.call('GET', `${merges}?client_id=${gone.id}`))).items).toHaveLength(1);
  });
});

describe('in parallel', () => {
  it('A into B and B into A: one wins, whichever', async () => {
    for (let round = 0; round < 5; round += 1) {
      const [a, b] = [await drive.created(), await drive.created()];
      const into = (keep: string, gone: string) => drive.call('POST', `${clients}/${keep}/merge`, { merged_id: gone, merged_version: 1 }, { 'if-match': '"1"' });
      const answers = await Promise.all([into(a.id, b.id), into(b.id, a.id), into(a.id, b.id), into(b.id, a.id)]);
      const statuses = answers.map(({ status }) => status).sort();
      expect(statuses).toEqual([200, 409, 409, 409]);
      const both = [await drive.shown(a.id), await drive.shown(b.id)];
      expect(both.filter(({ is_active }) => is_active)).toHaveLength(1);
    }
  });

  it('a ring of merges and undoes ends without a deadlock, and every record leads to one that is not merged', async () => {
    const ring = await Promise.all(Array.from({ length: 6 }, () => drive.created()));
    const ids: string[] = ring.map(({ id }) => id);
    for (let round = 0; round < 4; round += 1) {
      const answers = await Promise.all([
        ...ids.map((id, place) => drive.merge(id, ids[(place + 1) % ids.length] ?? '')),
        ...((await drive.call('GET', `${merges}?undoable=true&limit=6`)).body.items as { id: string }[]).map(({ id }) => drive.undo(id)),
      ]);
      for (const { status, body } of answers) expect([200, 409, 412, body]).toContain(status);
    }
    const records = await Promise.all(ids.map((id) => drive.shown(id)));
    const leading = new Set(records.filter((one) => one.merged_into_id === null).map(({ id }) => id));
    for (const { id, merged_into_id } of records) expect([id, leading.has(merged_into_id ?? id)]).toEqual([id, true]);
  });

  it('twenty undoes of one merge: one', async () => {
    const [keep, gone] = [await drive.created(), await drive.created()];
    const { merge } = await done(drive.merge(keep.id, gone.id));
    const answers = await Promise.all(Array.from({ length: 20 }, () => drive.undo(merge.id)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(19);
  });
});

describe('how long a merge can be undone', () => {
  it('not after thirty days, when housekeeping has cleared what it replaced', async () => {
    const [keep, gone] = [await drive.created(), await drive.created({ email: 'gone@people.example' })];
    const { merge } = await done(drive.merge(keep.id, gone.id));
    const fresh = (await done(drive.merge(keep.id, (await drive.created()).id))).merge;
    await asSuperuser(app, "update client_merges set undo_until = now() - interval '1 second' where id = $1", [merge.id]);
    expect(await drive.undo(merge.id)).toMatchObject({ status: 409, body: { code: 'client.merge-expired' } });
    const { counts } = await purgeExpiredRows(app.api.deps);
    expect(counts).toMatchObject({ client_merges: 1 });
    expect(await formerOf(merge.id)).toEqual({ former_values: null, cleared: true });
    expect(await formerOf(fresh.id)).toMatchObject({ cleared: false });
    expect((await purgeExpiredRows(app.api.deps)).counts).toMatchObject({ client_merges: 0 });
    const ids = async (undoable: boolean) => (await done(drive.call('GET', `${merges}?client_id=${keep.id}&undoable=${undoable}`))).items.map(({ id }: { id: string }) => id);
    expect([await ids(true), await ids(false)]).toEqual([[fresh.id], [merge.id]]);
  });

  it('not after one of the two was erased, which clears it at once', async () => {
    const [keep, gone] = [await drive.created({ name: 'Before Erasure' }), await drive.created()];
    const { merge } = await done(drive.merge(keep.id, gone.id, { take: ['name'] }));
    await asSuperuser(app, 'update clients set cpf = null, erased_at = now() where id = $1', [gone.id]);
    expect(await formerOf(merge.id)).toEqual({ former_values: null, cleared: true });
    expect(await drive.undo(merge.id)).toMatchObject({ status: 409, body: { code: 'client.merge-not-undoable' } });
    const other_one = await drive.created();
    const later = (await done(drive.merge(keep.id, other_one.id))).merge;
    await done(drive.undo(later.id));
  });

  it('not where its contact belongs to another client by now', async () => {
    const [k1, k2] = [await createContact(app), await createContact(app)];
    const [keep, gone] = [await drive.created({ contact_id: k1.id }), await drive.created({ contact_id: k2.id })];
    const { merge, client } = await done(drive.merge(keep.id, gone.id));
    expect(await drive.call('POST', clients, person({ contact_id: k2.id }))).toMatchObject({ status: 409, body: { existing: { client_id: keep.id } } });
    await drive.call('DELETE', `${clients}/${keep.id}`, undefined, { 'if-match': `"${client.version}"` });
    const third = await drive.created({ contact_id: k2.id });
    expect(await drive.undo(merge.id)).toMatchObject({ status: 409, body: { code: 'client.merge-not-undoable', client_id: third.id } });
    await drive.call('DELETE', `${clients}/${third.id}`, undefined, { 'if-match': '"1"' });
    const undone = await done(drive.undo(merge.id));
    expect([undone.client.contact_id, undone.merged.contact_id]).toEqual([k1.id, k2.id]);
  });
});

describe('requests of clients about their data', () => {
  const requests = '/api/v1/client-data-requests';
  const asked = async (clientId: string, kind: 'access' | 'erasure'): Promise<Answer['body']> => {
    const { status, body } = await drive.call('POST', `${clients}/${clientId}/data-requests`, { kind });
    expect(status).toBe(201);
    return body;
  };
  const clientOf = async (requestId: string): Promise<unknown> => (await done(drive.call('GET', `${requests}/${requestId}`))).client_id;

  it('an open one follows its client and comes back, with its due date; an answered one stays', async () => {
    const [keep, gone] = [await drive.created(), await drive.created()];
    const answered = await asked(gone.id, 'access');
    await done(drive.call('POST', `${requests}/${answered.id}/refuse`, { reason: 'could not be identified' }));
    const [open, own] = [await asked(gone.id, 'access'), await asked(keep.id, 'erasure')];
    const { merge } = await done(drive.merge(keep.id, gone.id));
    expect(merge.moved).toEqual({ data_requests: [open.id] });
    expect([await clientOf(open.id), await clientOf(answered.id), await clientOf(own.id)]).toEqual([keep.id, gone.id, keep.id]);
    expect(await done(drive.call('GET', `${requests}/${open.id}`))).toMatchObject({ status: 'open', due_on: open.due_on });
    await done(drive.undo(merge.id));
    expect([await clientOf(open.id), await clientOf(own.id)]).toEqual([gone.id, keep.id]);
  });

  it('two open ones of a kind would be one: they are settled first', async () => {
    const [keep, gone] = [await drive.created(), await drive.created()];
    const [, theirs] = [await asked(keep.id, 'access'), await asked(gone.id, 'access')];
    expect(await drive.merge(keep.id, gone.id)).toMatchObject({
      status: 409,
      body: { code: 'client.not-mergeable', detail: 'Both clients have an open request for access. Answer or withdraw one of them first.' },
    });
    await done(drive.call('POST', `${requests}/${theirs.id}/withdraw`));
    await done(drive.merge(keep.id, gone.id));
  });
});

describe('whose business it is', () => {
  it('takes client:manage, which no module gives; the list takes client:read', async () => {
    const agent = await app.signIn('role-senior-agent');
    await grantClients(app, agent, ['create', 'read', 'update', 'delete']);
    const [keep, gone] = [await drive.created(), await drive.created()];
    const { merge } = await done(drive.merge(keep.id, gone.id));
    const body = { merged_id: gone.id, merged_version: 1 };
    const tag = { 'if-match': '"1"' };
    expect((await app.call('POST', `${clients}/${keep.id}/merge`, { body, headers: tag })).status).toBe(401);
    expect(await drive.call('POST', `${clients}/${keep.id}/merge`, body, tag, agent.token)).toMatchObject({ status: 403, body: { permission: 'client:manage' } });
    expect(await drive.call('POST', `${merges}/${merge.id}/undo`, undefined, {}, agent.token)).toMatchObject({ status: 403 });
    expect((await drive.call('GET', merges, undefined, {}, agent.token)).body.items.length).toBeGreaterThan(0);
    await grantClients(app, agent, []);
    expect((await drive.call('GET', merges, undefined, {}, agent.token)).status).toBe(403);
    expect((await drive.call('POST', `${merges}/${merge.id}/undo`, undefined, {}, other.admin.token)).status).toBe(404);
    expect((await drive.call('POST', `${clients}/${keep.id}/merge`, body, tag, other.admin.token)).status).toBe(404);
    expect((await drive.call('GET', `${merges}?client_id=${keep.id}`, undefined, {}, other.admin.token)).body.items).toEqual([]);
    expect((await drive.undo(randomUUID())).status).toBe(404);
    for (const [status, id, token] of [[403, merge.id, agent.token], [404, merge.id, other.admin.token], [404, randomUUID(), manager.token]] as const) {
      expect((await drive.call('GET', `${merges}/${id}`, undefined, {}, token)).status).toBe(status);
    }
  });

  it('one merge is shown as the list shows it, and reading it is an audit entry', async () => {
    const [keep, gone] = [await drive.created(), await drive.created()];
    const { merge } = await done(drive.merge(keep.id, gone.id));
    expect(await done(drive.call('GET', `${merges}/${merge.id}`))).toEqual(merge);
    expect(await entriesOf(merge.id, 'client-merge.read')).toHaveLength(1);
  });

  it('a list is paged, and one audit entry', async () => {
    const first = await done(drive.call('GET', `${merges}?limit=2`));
    const next = await done(drive.call('GET', `${merges}?limit=2&cursor=${first.next_cursor}`));
    expect(new Set([...first.items, ...next.items].map(({ id }: { id: string }) => id)).size).toBe(4);
    expect((await drive.call('GET', `${merges}?cursor=xx`)).status).toBe(400);
    const [entry] = (await drive.call('GET', '/admin/audit-logs?event=client-merge.list&limit=1')).body.items;
    expect((await drive.call('GET', `/admin/audit-logs/${entry.id}`)).body.new_values).toEqual({ count: 2 });
  });
});
