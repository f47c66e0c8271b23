import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { webhookHeaders } from '../../../src/platform/outbound/webhook.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import type { KeyService } from '../../support/fakes/key-service.ts';
import { integrationDriver, oauthConfig, restConfig } from '../../support/drivers/integration.ts';
import { startIntegrationStack } from '../../support/integration-stack.ts';
import type { IntegrationStack } from '../../support/integration-stack.ts';
import { eventually } from '../../support/eventually.ts';
import { callProven } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { makePerson, otherTenantId, secondTenant } from '../../support/people.ts';

const nobodysId = '00000000-0000-4000-8000-00000000dead';

let stack: IntegrationStack;
let app: TestApi;
let service: KeyService;
let admin: SignedIn;
let support: SignedIn;
let outsider: SignedIn;
let drive: IntegrationStack['drive'];

beforeAll(async () => {
  stack = await startIntegrationStack();
  ({ app, service, admin, drive } = stack);
  support = await app.signIn('role-support-staff');
  outsider = await makePerson(app, otherTenantId, 'role-super-admin');
});

afterAll(async () => {
  await stack.close();
});

const records = (count: number, changes: object = {}) =>
  Array.from({ length: count }, (_, index) => ({ id: index + 1, name: `record ${index + 1}`, ...changes }));

describe('the registry (S2-17, S2-18, S2-20, S2-58)', () => {
  it('needs a token, the permission and a second factor', async () => {
    const body = { name: 'gated', environment: 'staging', config: restConfig(service), secret: 'some-secret-1' };
    expect((await app.call('POST', '/admin/integrations', { body })).status).toBe(401);
    expect((await app.call('POST', '/admin/integrations', { body, token: support.token })).status).toBe(403);
    const bare = await app.call('POST', '/admin/integrations', { body, token: admin.token });
    expect(bare).toMatchObject({ status: 403, body: { code: 'mfa.required' } });
  });

  it('S2-58: shows a mask of one length and a keyed fingerprint, never the secret', async () => {
    const { key_id, secret } = service.issue();
    const created = await drive.create({ name: 'masked', config: restConfig(service), secret, key_id });
    expect(created).toMatchObject({ status: 201, body: { name: 'masked', kind: 'rest_api_key', version: 1, key_id } });
    const twin = await drive.create({ config: restConfig(service), secret: 'another-secret-9', key_id: null });
    expect(created.body.secret).toBe(twin.body.secret);
    expect(created.body.secret_fingerprint).not.toBe(twin.body.secret_fingerprint);
    const list = await app.call('GET', '/admin/integrations?kind=rest_api_key&environment=staging', { token: admin.token });
    for (const { body } of [created, list, { body: await drive.details(created.body.id) }]) {
      expect(JSON.stringify(body)).not.toContain(secret);
    }
    expect(list.body.items.length).toBeGreaterThanOrEqual(2);
    expect(await drive.events(created.body.id)).toEqual(['create']);
  });

  it('pages through the list by cursor', async () => {
    await Promise.all([1, 2].map(() => drive.connected(service)));
    const first = await app.call('GET', '/admin/integrations?limit=1', { token: admin.token });
    const second = await app.call('GET', `/admin/integrations?limit=1&cursor=${first.body.next_cursor}`, { token: admin.token });
    expect(second.body.items[0].id).not.toBe(first.body.items[0].id);
    const foreign = Buffer.from(JSON.stringify(['name', 'no id'])).toString('base64url');
    const odd = await app.call('GET', `/admin/integrations?cursor=${foreign}`, { token: admin.token });
    expect(odd).toMatchObject({ status: 400, body: { code: 'request.cursor-invalid' } });
  });

  it('refuses bad input with a pointer for every issue, and a name that is in use', async () => {
    const bad = await drive.create({ config: { kind: 'rest_api_key', base_url: 'ftp://x', records_path: '//evil' }, secret: 'short' });
    expect(bad.status).toBe(422);
    const pointers = bad.body.errors.map(({ pointer }: { pointer: string }) => pointer);
    expect(pointers).toEqual(expect.arrayContaining(['/config/base_url', '/config/records_path', '/secret']));
    const none = await drive.create({ config: restConfig(service, { base_url: 'no address' }), secret: 'some-secret-1' });
    expect(none).toMatchObject({ status: 422, body: { errors: [{ pointer: '/config/base_url' }] } });
    const lacking = await drive.create({ config: restConfig(service), secret: null });
    expect(lacking).toMatchObject({ status: 422, body: { errors: [{ pointer: '/secret' }] } });
    await drive.create({ name: 'taken', config: restConfig(service), secret: 'some-secret-2' });
    const again = await drive.create({ name: 'taken', config: restConfig(service), secret: 'some-secret-3' });
    expect(again).toMatchObject({ status: 409, body: { code: 'resource.conflict' } });
  });

  it.each([
    ['a private address', restConfig({ url: 'https://10.0.0.7' }), '/config/base_url'],
    ['another port of an allowed host', restConfig({ url: 'http://127.0.0.1:9' }), '/config/base_url'],
    ['a metadata service', restConfig({ url: 'http://169.254.169.254' }), '/config/base_url'],
    ['a private token endpoint', 'token', '/config/token_url'],
    ['a private database', { kind: 'postgres_source', host: '192.168.3.4', database: 'd', user: 'u', table: 't' }, '/config/host'],
    ['a database on loopback', { kind: 'postgres_source', host: '127.0.0.1', database: 'd', user: 'u', table: 't' }, '/config/host'],
  ])('refuses to speak to %s', async (_, config, pointer) => {
    const target = config === 'token' ? oauthConfig(service, { token_url: 'http://127.0.0.1:1/token' }) : config;
    const answer = await drive.create({ config: target, secret: 'some-secret-4' });
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ pointer }] } });
  });

  it('S2-20: replaces the configuration under If-Match: 428 without, 412 when stale, once of two in parallel', async () => {
    const { id } = await drive.connected(service);
    const path = `/admin/integrations/${id}/config`;
    const body = { config: restConfig(service, { records_path: '/other' }) };
    const put = (version?: number) =>
      callProven(app, admin, 'PUT', path, { body, headers: version === undefined ? {} : { 'if-match': `"${version}"` } });
    expect((await put()).status).toBe(428);
    const both = await Promise.all([put(1), put(1)]);
    expect(both.map(({ status }) => status).sort()).toEqual([200, 412]);
    const changed = both.find(({ status }) => status === 200);
    expect(changed?.headers.get('etag')).toBe('"2"');
    expect(changed?.body.config.records_path).toBe('/other');
    expect((await put(1)).body).toMatchObject({ code: 'resource.version-mismatch', current_version: 2 });
    const kind = { config: { kind: 'webhook_source' } };
    const other = await callProven(app, admin, 'PUT', path, { body: kind, headers: { 'if-match': '"2"' } });
    expect(other).toMatchObject({ status: 422, body: { errors: [{ pointer: '/config/kind' }] } });
  });

  it('never sends a secret to another destination than it was given for', async () => {
    const { id } = await drive.connected(service);
    const other = restConfig(service, { base_url: `${service.url}/elsewhere` });
    const put = (secret: string | null) =>
      callProven(app, admin, 'PUT', `/admin/integrations/${id}/config`, {
        body: { config: other, secret },
        headers: { 'if-match': '"1"' },
      });
    expect(await put(null)).toMatchObject({ status: 422, body: { errors: [{ pointer: '/secret' }] } });
    expect(await put('a-new-secret-1')).toMatchObject({ status: 200, body: { key_id: null, version: 2 } });
  });

  it('reveals a secret with a permission of its own and a second factor, and audits it', async () => {
    const { id, secret } = await drive.connected(service);
    const path = `/admin/integrations/${id}/reveal-secret`;
    expect((await app.call('POST', path, { token: support.token })).status).toBe(403);
    expect((await app.call('POST', path, { token: admin.token })).body.code).toBe('mfa.required');
    const revealed = await callProven(app, admin, 'POST', path);
    expect(revealed).toMatchObject({ status: 200, body: { secret } });
    expect(revealed.headers.get('cache-control')).toBe('no-store');
    expect(await drive.events(id)).toEqual(['create', 'reveal-secret']);
  });

  it('switches off, renames and deletes; a deleted integration is not found', async () => {
    const { id } = await drive.connected(service);
    const path = `/admin/integrations/${id}`;
    const patch = (body: object, version: number) =>
      callProven(app, admin, 'PATCH', path, { body, headers: { 'if-match': `"${version}"` } });
    expect(await patch({ is_enabled: false, name: 'renamed' }, 1)).toMatchObject({ status: 200, body: { is_enabled: false } });
    expect(await drive.sync(id)).toMatchObject({ status: 409, body: { code: 'integration.not-syncable' } });
    expect(await drive.rotate(id)).toMatchObject({ status: 409, body: { code: 'integration.rotation-unsupported' } });
    const gone = await callProven(app, admin, 'DELETE', path, { headers: { 'if-match': '"2"' } });
    expect(gone.status).toBe(204);
    expect((await app.call('GET', path, { token: admin.token })).status).toBe(404);
    expect((await drive.sync(id)).status).toBe(404);
    expect(await drive.events(id)).toEqual(['create', 'update', 'delete']);
  });

  it('shows no data of another tenant', async () => {
    const { id } = await drive.connected(service);
    const other = await secondTenant(app);
    const as = (method: string, path: string, options = {}) => callProven(app, other.admin, method, path, options);
    const theirs: Answer[] = [
      await as('GET', `/admin/integrations/${id}`),
      await as('POST', `/admin/integrations/${id}/sync`),
      await as('POST', `/admin/integrations/${id}/rotate-key`, { body: { environment: 'staging' } }),
      await as('POST', `/admin/integrations/${id}/reveal-secret`),
      await as('GET', `/admin/integrations/${nobodysId}`),
    ];
    expect(theirs.map(({ status }) => status)).toEqual([404, 404, 404, 404, 404]);
    expect((await as('GET', '/admin/integrations')).body.items).toEqual([]);
  });
});

describe('syncs (S2-19, S2-22)', () => {
  it('are operations whose result counts created, updated, unchanged and failed records', async () => {
    const { id } = await drive.connected(service);
    service.items = [...records(23), { name: 'without id' }, { id: 1, name: 'again' }];
    const started = await drive.sync(id);
    expect(started).toMatchObject({ status: 202, body: { trigger: 'manual', requested_by: admin.user_id } });
    expect(started.headers.get('location')).toBe(`/admin/integrations/${id}/sync-jobs/${started.body.id}`);
    const first = await drive.ended(id, started.body.id);
    expect(first).toMatchObject({
      status: 'completed_with_failures',
      created_count: 23,
      // Its id was on an earlier page already: the newer record counts.
      updated_count: 1,
      unchanged_count: 0,
      failed_count: 1,
      page_count: 3,
      failures: [{ external_id: null, place: 3, reason: 'no_id' }],
    });
    service.items = [...records(20), ...records(4, { name: 'changed' }).map((item) => ({ ...item, id: item.id + 20 }))];
    const second = await drive.ended(id, (await drive.sync(id)).body.id);
    expect(second).toMatchObject({ status: 'succeeded', created_count: 1, updated_count: 4, unchanged_count: 19 });
    const history = await app.call('GET', `/admin/integrations/${id}/sync-jobs?limit=1`, { token: admin.token });
    expect(history.body.items).toMatchObject([{ id: second.id }]);
    const older = `/admin/integrations/${id}/sync-jobs?limit=1&cursor=${history.body.next_cursor}`;
    expect((await app.call('GET', older, { token: admin.token })).body).toMatchObject({ items: [{ id: first.id }], next_cursor: null });
    expect(await drive.details(id)).toMatchObject({ last_sync_status: 'succeeded', version: 1 });
    const kept = await app.call('GET', `/admin/integrations/${id}/records?limit=100`, { token: admin.token });
    expect(kept.body.items).toHaveLength(24);
    const page = await app.call('GET', `/admin/integrations/${id}/records?limit=20`, { token: admin.token });
    const rest = `/admin/integrations/${id}/records?limit=20&cursor=${page.body.next_cursor}`;
    expect((await app.call('GET', rest, { token: admin.token })).body.items).toHaveLength(4);
    expect(await drive.events(id)).toEqual(['create', 'sync-begin', 'sync-end', 'sync-begin', 'sync-end']);
  });

  it('join the running sync, also of two started at once, and can be cancelled', async () => {
    const { id } = await drive.connected(service);
    service.items = records(30);
    const held = service.hold(/^GET \/records.*cursor=10/);
    const both = await Promise.all([drive.sync(id), drive.sync(id)]);
    await held.arrived;
    const third = await drive.sync(id);
    const jobId = third.body.id;
    expect(both.map(({ body }) => body.id)).toEqual([jobId, jobId]);
    expect(third.body).toMatchObject({ status: 'running', created_count: 10, page_count: 1 });
    const cancel = () => app.call('POST', `/admin/integrations/${id}/sync-jobs/${jobId}/cancel`, { token: admin.token });
    const stopped = await cancel();
    held.release();
    expect(stopped).toMatchObject({ status: 200, body: { status: 'cancelled', created_count: 10 } });
    expect(await cancel()).toMatchObject({ status: 409, body: { code: 'integration.sync-ended' } });
    expect((await drive.ended(id, (await drive.sync(id)).body.id)).created_count).toBe(20);
  });

  it('retry transient errors of the remote system, and fail with the reason when the key is refused', async () => {
    const { id, key_id } = await drive.connected(service, oauthConfig(service));
    service.items = records(5);
    service.trouble(/^GET \/records/, 503);
    expect(await drive.ended(id, (await drive.sync(id)).body.id)).toMatchObject({ status: 'succeeded', created_count: 5 });
    service.revoke(key_id);
    const failed = await drive.ended(id, (await drive.sync(id)).body.id);
    expect(failed).toMatchObject({ status: 'failed', error_code: 'refused' });
    const notified = await eventually(
      () =>
        asSuperuser<{ event: string }>(app, 'select event from notification_deliveries where event_key = $1', [
          `integration/${id}/sync/${failed.id}`,
        ]),
      (rows) => rows.length > 0,
    );
    expect(notified).toEqual([{ event: 'integration.sync-failed' }]);
  });

  it.each([
    ['records', 429, restConfig, /^GET \/records/],
    ['records', 503, restConfig, /^GET \/records/],
    ['a token', 429, oauthConfig, /^POST \/oauth\/token/],
    ['a token', 503, oauthConfig, /^POST \/oauth\/token/],
  ])('asks for %s again after %i no sooner than the remote system said', async (_, status, config, call) => {
    const { id } = await drive.connected(service, config(service));
    service.items = records(1);
    service.retryAfter = '2';
    service.trouble(call, status);
    const startedAt = performance.now();
    const job = await drive.ended(id, (await drive.sync(id)).body.id);
    service.retryAfter = undefined;
    // The retry policy alone would retry after a second.
    expect(performance.now() - startedAt).toBeGreaterThan(1_900);
    expect(job).toMatchObject({ status: 'succeeded', created_count: 1 });
  });

  it('mark records that a complete sync misses, remove those that the next one misses too, and count both', async () => {
    const { id } = await drive.connected(service);
    const sync = async () => drive.ended(id, (await drive.sync(id)).body.id);
    const kept = async () => {
      const { body } = await app.call('GET', `/admin/integrations/${id}/records?limit=100`, { token: admin.token });
      const rows: { external_id: string; missing_since: string | null }[] = body.items;
      const ids = (found: typeof rows) => found.map(({ external_id }) => Number(external_id)).sort((a, b) => a - b);
      return { all: rows.length, missing: ids(rows.filter(({ missing_since }) => missing_since !== null)) };
    };
    service.items = records(25);
    expect(await sync()).toMatchObject({ created_count: 25, missing_count: 0, removed_count: 0 });

    service.items = records(25).filter(({ id: one }) => one !== 3 && one !== 17);
    expect(await sync()).toMatchObject({ status: 'succeeded', unchanged_count: 23, missing_count: 2, removed_count: 0 });
    expect(await kept()).toEqual({ all: 25, missing: [3, 17] });

    // One comes back; a pass that is cancelled, fails or cannot store a record does not tell what is missing.
    service.items = [...records(25).filter(({ id: one }) => one !== 17), { name: 'without id' }];
    expect(await sync()).toMatchObject({ status: 'completed_with_failures', unchanged_count: 24, removed_count: 0 });
    expect(await kept()).toEqual({ all: 25, missing: [17] });
    service.items = [];
    service.trouble(/^GET \/records/, 404);
    expect(await sync()).toMatchObject({ status: 'failed', missing_count: 0, removed_count: 0 });
    expect(await kept()).toEqual({ all: 25, missing: [17] });

    service.items = records(25).filter(({ id: one }) => one !== 17 && one !== 25);
    expect(await sync()).toMatchObject({ status: 'succeeded', unchanged_count: 23, missing_count: 1, removed_count: 1 });
    expect(await kept()).toEqual({ all: 24, missing: [25] });
  });

  it('fail with the reason when the answer is no page, or its cursor does not advance', async () => {
    const { id } = await drive.connected(service, restConfig(service, { paging: { items_pointer: '/rows' } }));
    const failed = await drive.ended(id, (await drive.sync(id)).body.id);
    expect(failed).toMatchObject({ status: 'failed', error_code: 'unexpected' });
    const lost = await drive.connected(service, restConfig(service, { records_path: '/nothing' }));
    expect(await drive.ended(lost.id, (await drive.sync(lost.id)).body.id)).toMatchObject({ error_code: 'unexpected' });
  });

  it('need the permission to sync, and an integration that is fetched from', async () => {
    const { id } = await drive.connected(service);
    const denied = await app.call('POST', `/admin/integrations/${id}/sync`, { token: support.token });
    expect(denied).toMatchObject({ status: 403, body: { permission: 'integration:sync' } });
    const source = await drive.create({ config: { kind: 'webhook_source' } });
    expect((await drive.sync(source.body.id)).body.code).toBe('integration.not-syncable');
    const missing = await app.call('GET', `/admin/integrations/${id}/sync-jobs/${nobodysId}`, { token: admin.token });
    expect(missing.status).toBe(404);
  });

  it('S2-22: have no history for an unknown integration or that of another tenant; a deleted one keeps its history', async () => {
    const { id } = await drive.connected(service);
    service.items = records(2);
    const job = await drive.ended(id, (await drive.sync(id)).body.id);
    const lists = ['sync-jobs', 'rotations', 'records'];
    for (const list of lists) {
      const ask = (person: { token: string }, of: string) =>
        app.call('GET', `/admin/integrations/${of}/${list}`, { token: person.token });
      const missing = await ask(admin, nobodysId);
      expect(missing).toMatchObject({ status: 404, body: { code: 'resource.not-found' } });
      const theirs = await ask(outsider, id);
      expect(theirs).toMatchObject({ status: 404, body: { code: 'resource.not-found', detail: missing.body.detail } });
    }
    const removed = await callProven(app, admin, 'DELETE', `/admin/integrations/${id}`, { headers: { 'if-match': '"1"' } });
    expect(removed.status).toBe(204);
    const history = await app.call('GET', `/admin/integrations/${id}/sync-jobs`, { token: admin.token });
    expect(history.body.items).toMatchObject([{ id: job.id }]);
  });

  it('run on a Schedule that follows the row', async () => {
    const { id } = await drive.connected(service, restConfig(service), { sync_every_seconds: 3_600 });
    service.items = records(3);
    const { client } = app.api.deps.temporal;
    const schedule = client.schedule.getHandle(`sync/00000000-0000-0000-0000-000000000000/${id}`);
    const described = await eventually(
      () => schedule.describe().catch(() => null),
      (found) => found !== null,
    );
    expect(described?.spec.intervals).toMatchObject([{ every: 3_600_000 }]);
    await schedule.trigger();
    const jobs = () => app.call('GET', `/admin/integrations/${id}/sync-jobs`, { token: admin.token });
    const { body } = await eventually(jobs, (answer) => answer.body.items[0]?.status === 'succeeded');
    expect(body.items).toMatchObject([{ trigger: 'schedule', requested_by: null, created_count: 3 }]);
    await callProven(app, admin, 'PATCH', `/admin/integrations/${id}`, {
      body: { sync_every_seconds: null },
      headers: { 'if-match': '"1"' },
    });
    await eventually(
      () => schedule.describe().then(() => true, () => false),
      (isThere) => !isThere,
    );
  });
});

describe('a PostgreSQL source', () => {
  it('is read page by page, in a read-only transaction, from an allowed host only', async () => {
    await asSuperuser(app, 'create table remote_things (id int primary key, name text)');
    await asSuperuser(app, "insert into remote_things select n, 'thing ' || n from generate_series(1, 25) n");
    await asSuperuser(app, "create role remote_reader login password 'remote-reader-pass'");
    await asSuperuser(app, 'grant usage on schema public to remote_reader');
    await asSuperuser(app, 'grant select on remote_things to remote_reader');
    const { hostname, port, pathname } = new URL(app.database.adminUrl);
    await asSuperuser(app, `grant connect on database "${pathname.slice(1)}" to remote_reader`);
    const second = await app.another({ OUTBOUND_ALLOW: [service.host, `${hostname}:${port}`] });
    const config = {
      kind: 'postgres_source',
      host: hostname,
      port: Number(port),
      database: pathname.slice(1),
      user: 'remote_reader',
      tls: 'disable',
      table: 'remote_things',
      page_size: 10,
    };
    expect((await drive.create({ config, secret: 'remote-reader-pass' })).status).toBe(422);
    const allowed = { ...app, url: second.url, call: (...call: Parameters<TestApi['call']>) => callAt(second.url, ...call) };
    const there = integrationDriver(allowed, admin);
    const made = await there.create({ config, secret: 'remote-reader-pass' });
    expect(made.status).toBe(201);
    // The worker checks the address again by its own allow-list, whatever was permitted at configuration.
    const refused = await there.ended(made.body.id, (await there.sync(made.body.id)).body.id);
    expect(refused).toMatchObject({ status: 'failed', error_code: 'address_refused' });
    await stack.restartWorker({ OUTBOUND_ALLOW: [service.host, `${hostname}:${port}`] });
    const job = await there.ended(made.body.id, (await there.sync(made.body.id)).body.id);
    expect(job).toMatchObject({ error_detail: null, status: 'succeeded', created_count: 25, page_count: 3 });
    await asSuperuser(app, "alter role remote_reader password 'another-password'");
    const wrong = await there.ended(made.body.id, (await there.sync(made.body.id)).body.id);
    expect(wrong).toMatchObject({ status: 'failed', error_code: 'refused' });
    await asSuperuser(app, 'drop table remote_things');
    await asSuperuser(app, 'drop owned by remote_reader');
    await asSuperuser(app, 'drop role remote_reader');
  });

  const callAt = async (url: string, ...[method, path, options]: Parameters<TestApi['call']>): Promise<Answer> => {
    const { callApi } = await import('../../support/api.ts');
    return callApi(url, method, path, options);
  };
});

describe('a signed webhook source', () => {
  const send = (id: string, secret: string, body: string, changes: { id?: string; sentAt?: Date } = {}) => {
    const options = { id: changes.id ?? `msg_${body.length}`, sentAt: changes.sentAt ?? new Date(), body };
    return app.call('POST', `/integrations/${id}/webhook`, { body, headers: webhookHeaders([secret], options) });
  };
  const message = (data: object) => JSON.stringify({ type: 'thing.changed', timestamp: new Date().toISOString(), data });

  it('stores a message once by its id, and its records as created, updated or unchanged', async () => {
    const { body } = await drive.create({ config: { kind: 'webhook_source', id_pointer: '/thing/id' } });
    expect(body.webhook_url).toContain(`/integrations/${body.id}/webhook`);
    const { secret } = (await callProven(app, admin, 'POST', `/admin/integrations/${body.id}/reveal-secret`)).body;
    const first = message({ thing: { id: 'a' }, n: 1 });
    const twice = await Promise.all([1, 2].map(() => send(body.id, secret, first, { id: 'm1' })));
    expect(twice.map((answer) => [answer.status, answer.body.outcome]).sort()).toEqual([[200, 'created'], [200, 'repeated']]);
    expect((await send(body.id, secret, message({ thing: { id: 'a' }, n: 2 }), { id: 'm2' })).body.outcome).toBe('updated');
    expect((await send(body.id, secret, message({ n: 3 }), { id: 'm3' })).body).toMatchObject({ external_id: 'm3' });
    expect(await drive.events(body.id)).toEqual(['create', 'reveal-secret', 'receive', 'receive', 'receive']);
  });

  it('refuses a wrong signature, a changed body, an old message and one without an object', async () => {
    const { body } = await drive.create({ config: { kind: 'webhook_source' } });
    const { secret } = (await callProven(app, admin, 'POST', `/admin/integrations/${body.id}/reveal-secret`)).body;
    const text = message({ id: 1 });
    const wrong = await send(body.id, `whsec_${Buffer.alloc(32).toString('base64')}`, text);
    expect(wrong).toMatchObject({ status: 401, body: { code: 'integration.signature-refused' } });
    const headers = webhookHeaders([secret], { id: 'x', sentAt: new Date(), body: text });
    const altered = await app.call('POST', `/integrations/${body.id}/webhook`, { body: `${text} `, headers });
    expect(altered.status).toBe(401);
    const old = await send(body.id, secret, text, { sentAt: new Date(Date.now() - 301_000) });
    expect(old.status).toBe(401);
    expect((await app.call('POST', `/integrations/${body.id}/webhook`, { body: text })).status).toBe(401);
    expect((await send(body.id, secret, JSON.stringify({ data: 'text' }))).status).toBe(422);
    expect((await send(nobodysId, secret, text)).status).toBe(404);
    const { id } = await drive.connected(service);
    expect((await send(id, secret, text)).status).toBe(404);
  });
});
