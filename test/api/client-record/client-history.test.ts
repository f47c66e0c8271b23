import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { withClient } from '../../../src/dev/bootstrap-database.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { clientDriver, clients, grantClients, keepCpf } from '../../support/drivers/client-record.ts';
import { createClientRecord, someCpf } from '../../support/factories/client-record.ts';
import { makePerson, secondTenant } from '../../support/people.ts';
import type { OtherTenant } from '../../support/people.ts';
import { rowsRead } from '../../support/rows-read.ts';
import { callProven } from '../../support/second-factor.ts';
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

interface Entry {
  readonly event: string;
  readonly seq: number;
  readonly changes: readonly { readonly field: string; readonly before: unknown; readonly after: unknown }[];
  readonly details: Record<string, unknown>;
  readonly [field: string]: unknown;
}

const history = async (id: string, query = ''): Promise<Entry[]> => {
  const { status, body } = await drive.call('GET', `${clients}/${id}/history?limit=100${query}`);
  expect({ status, body }).toMatchObject({ status: 200 });
  return body.items;
};

describe('the history of a client', () => {
  it('says who did what, with what changed; numbers stay hidden', async () => {
    const [cpf, next] = [someCpf(), someCpf()];
    const { id } = await drive.created({ name: 'Lia Costa', cpf });
    await drive.call('PUT', `${clients}/${id}`, { name: 'Lia Prado', cpf: next }, { 'if-match': '"1"' });
    await drive.call('POST', `${clients}/${id}/reveal`, { reason: 'Tax form' });
    await drive.call('DELETE', `${clients}/${id}`, undefined, { 'if-match': '"2"' });
    await drive.call('POST', `${clients}/${id}/restore`, undefined, { 'if-match': '"3"' });
    const entries = await history(id);
    expect(entries.map(({ event, title }) => [event, title])).toEqual([
      ['client.restore', 'Restored'],
      ['client.delete', 'Deleted'],
      ['client.reveal-cpf', 'CPF revealed'],
      ['client.update', 'Changed'],
      ['client.create', 'Created'],
    ]);
    const [restored, deleted, revealed, changed, made] = entries;
    expect(restored).toMatchObject({ changes: [{ field: 'deleted_at', before: expect.any(String), after: null }], details: {} });
    expect(deleted).toMatchObject({ changes: [], details: { name: 'Lia Prado' } });
    expect(revealed).toMatchObject({ changes: [], details: { reason: 'Tax form' }, user_id: manager.user_id, user_name: expect.any(String), outcome: 'success' });
    expect(changed?.changes).toEqual([
      { field: 'cpf', before: '[redacted]', after: '[redacted, changed]' },
      { field: 'name', before: 'Lia Costa', after: 'Lia Prado' },
    ]);
    expect(made?.changes).toContainEqual({ field: 'name', before: null, after: 'Lia Costa' });
    expect(made?.changes).toContainEqual({ field: 'cpf', before: null, after: '[redacted]' });
    for (const digits of [cpf, next]) expect(JSON.stringify(entries)).not.toContain(digits);
    expect(new Set(entries.map(({ values_erased }) => values_erased))).toEqual(new Set([false]));
  });

  it('is read by pages, narrowed, and an entry itself', async () => {
    const { id } = await drive.created();
    for (let n = 0; n < 4; n += 1) await drive.call('GET', `${clients}/${id}`);
    const all = await history(id);
    expect(all.map(({ event }) => event)).toEqual([...Array.from({ length: 4 }, () => 'client.read'), 'client.create']);
    const seen: Entry[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const { body } = await drive.call('GET', `${clients}/${id}/history?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
      seen.push(...body.items);
      cursor = body.next_cursor;
    }
    expect(seen.filter(({ event }) => event !== 'client.read-history')).toEqual(all);
    expect((await history(id, '&action=create')).map(({ event }) => event)).toEqual(['client.create']);
    const last = all.at(-1);
    expect(await history(id, `&to=${String(last?.['occurred_at'])}`)).toEqual([]);
    expect((await history(id, `&from=${String(last?.['occurred_at'])}&action=create`)).length).toBe(1);
    const reads = (await history(id)).filter(({ event }) => event === 'client.read-history');
    expect(reads.length).toBe(7);
    expect(reads.at(-1)).toMatchObject({ title: 'History read', action: 'read', details: { count: 5 } });
    for (const query of ['action=steal', 'from=yesterday', 'limit=0']) {
      expect((await drive.call('GET', `${clients}/${id}/history?${query}`)).status).toBe(422);
    }
    expect((await drive.call('GET', `${clients}/${id}/history?cursor=xx`)).status).toBe(400);
  });

  it('holds what was done to a client that was merged into it, and to the file that it came with', async () => {
    const [keep, gone] = [await drive.created({ name: 'Keep Me' }), await drive.created({ name: 'Merge Me', email: 'merge@people.example' })];
    const import_id = randomUUID();
    await asSuperuser(app, 'update clients set import_id = $2 where id = $1', [keep.id, import_id]);
    const merged = await drive.merge(keep.id, gone.id);
    const entries = await history(keep.id);
    expect(entries.map(({ event, resource_id }) => [event, resource_id])).toContainEqual(['client.create', gone.id]);
    const own = entries.find(({ event, resource_id }) => event === 'client.merge' && resource_id === keep.id);
    expect(own).toMatchObject({ changes: [], details: { taken_fields: ['email'], replaced: { email: null }, merged_id: gone.id, merge_id: merged.body.merge.id } });
    // What was taken is about the other client, who may be somebody else after all.
    expect(JSON.stringify(own)).not.toContain('merge@people.example');
    expect((await history(gone.id)).every(({ resource_id }) => resource_id === gone.id)).toBe(true);
    await drive.undo(merged.body.merge.id);
    const after = await history(keep.id);
    expect(after.some(({ resource_id }) => resource_id === gone.id)).toBe(false);
    expect(after[0]).toMatchObject({ event: 'client.unmerge', title: 'Merge undone', details: { restored: { email: null } } });
    expect(JSON.stringify(after)).not.toContain('merge@people.example');
  });

  it('what a client has asked about their data is for those who answer it', async () => {
    const { id } = await drive.created();
    expect((await drive.call('POST', `${clients}/${id}/data-requests`, { kind: 'access', note: 'lawyer called' })).status).toBe(201);
    expect((await history(id)).map(({ event }) => event)).toContain('client-data-request.open');
    const agent = await app.signIn('role-senior-agent');
    await grantClients(app, agent, ['read']);
    const seen = await drive.call('GET', `${clients}/${id}/history`, undefined, {}, agent.token);
    expect(seen.status).toBe(200);
    expect(JSON.stringify(seen.body)).not.toMatch(/lawyer|data-request/);
    await grantClients(app, agent, []);
  });

  it('after an erasure the entries stay, say so, and their values are gone', async () => {
    const { id } = await drive.created({ name: 'Forget Me' });
    await asSuperuser(app, 'update audit_person_keys set key_ciphertext = null, destroyed_at = now() where person_id = $1', [id]);
    const second = await app.another();
    const answer = await fetch(`${second.url}${clients}/${id}/history`, { headers: { authorization: `Bearer ${manager.token}` } });
    const { items } = (await answer.json()) as { items: Entry[] };
    expect(items.find(({ event }) => event === 'client.create')).toMatchObject({ title: 'Created', changes: [], details: {}, values_erased: true });
    expect(JSON.stringify(items)).not.toContain('Forget Me');
  });

  it('among fifty thousand entries of others, the index gives its own', async () => {
    const { id } = await drive.created();
    for (let n = 0; n < 3; n += 1) await drive.call('GET', `${clients}/${id}`);
    await withClient(app.database.adminUrl, async (db) => {
      await db.query(
        `insert into audit_logs (chain_id, seq, recorded_at, entry, entry_hash, chain_hash, id, tenant_id, occurred_at, area, event, action, resource_type, resource_id, outcome)
         select chain_id, 10000000 + n, recorded_at, entry, entry_hash, chain_hash, gen_random_uuid(), tenant_id, now(), area, event, action, 'client', gen_random_uuid()::text, outcome
         from generate_series(1, 50000) n, (select * from audit_logs where resource_id = $1 limit 1) one`,
        [id],
      );
      await db.query('analyze audit_logs');
    });
    const one = () => drive.call('GET', `${clients}/${id}/history?limit=2`);
    expect(await rowsRead(app, ['audit_logs'], one)).toBeLessThan(20);
  });
});

describe('whose business it is', () => {
  it('takes client:read, in the tenant', async () => {
    const { id } = await drive.created();
    const agent = await app.signIn('role-senior-agent');
    const path = `${clients}/${id}/history`;
    expect((await app.call('GET', path)).status).toBe(401);
    expect(await drive.call('GET', path, undefined, {}, agent.token)).toMatchObject({ status: 403, body: { permission: 'client:read' } });
    await grantClients(app, agent, ['read']);
    expect((await drive.call('GET', path, undefined, {}, agent.token)).status).toBe(200);
    expect((await drive.call('GET', path, undefined, {}, other.admin.token)).status).toBe(404);
    expect((await drive.call('GET', `${clients}/${randomUUID()}/history`)).status).toBe(404);
  });
});

describe('S4-28: a person with clients', () => {
  it('is deleted when a successor is named, who gets them all with one audit entry', async () => {
    const leaver = await makePerson(app, defaultTenantId, 'role-junior-agent');
    const made = [await createClientRecord(app, { created_by: leaver.user_id }), await createClientRecord(app, { created_by: leaver.user_id })];
    await drive.call('DELETE', `${clients}/${made[1]?.id}`, undefined, { 'if-match': '"1"' });
    const path = `/admin/users/${leaver.user_id}`;
    const headers = { 'if-match': (await drive.call('GET', path)).headers.get('etag') ?? '' };
    const owns = await callProven(app, manager, 'DELETE', path, { headers });
    expect(owns).toMatchObject({ status: 409, body: { code: 'user.owns-things', owned: [{ resource: 'client', count: 2 }] } });
    expect((await callProven(app, manager, 'DELETE', `${path}?transfer_to=${manager.user_id}`, { headers })).status).toBe(204);
    expect(await drive.shown(made[0]?.id ?? '')).toMatchObject({ created_by: manager.user_id, version: 2 });
    expect(await drive.shown(made[1]?.id ?? '')).toMatchObject({ created_by: manager.user_id, version: 3 });
    const [entry] = (await drive.call('GET', '/admin/audit-logs?event=client.transfer')).body.items;
    expect((await drive.call('GET', `/admin/audit-logs/${entry.id}`)).body).toMatchObject({ old_values: { owner: leaver.user_id }, new_values: { owner: manager.user_id, count: 2 } });
    await expect(asSuperuser(app, 'delete from users where id = $1', [manager.user_id])).rejects.toThrow(/violates/);
  });
});
