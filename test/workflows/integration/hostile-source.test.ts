import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { startGuest } from '../../../src/platform/guest/guest-process.ts';
import { startWorker } from '../../../src/worker.ts';
import type { RunningWorker } from '../../../src/worker.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { integrationDriver, restConfig } from '../../support/drivers/integration.ts';
import { eventually } from '../../support/eventually.ts';
import { KeyService } from '../../support/fakes/key-service.ts';
import { makePerson, otherTenantId } from '../../support/people.ts';
import { callProven } from '../../support/second-factor.ts';
import { startHostileHttp } from '../../support/servers/hostile-http.ts';
import type { HostileHttp } from '../../support/servers/hostile-http.ts';
import { startHostilePostgres } from '../../support/servers/hostile-postgres.ts';
import type { HostileMode, HostilePostgres } from '../../support/servers/hostile-postgres.ts';
import { asSuperuser } from '../../support/superuser.ts';

let server: HostilePostgres;
let hostileHttp: HostileHttp;
let service: KeyService;
let app: TestApi;
let worker: RunningWorker;
let admin: SignedIn;
let drive: ReturnType<typeof integrationDriver>;
let neighbour: ReturnType<typeof integrationDriver>;

beforeAll(async () => {
  server = await startHostilePostgres();
  hostileHttp = await startHostileHttp();
  service = await KeyService.start();
  service.items = [{ id: 1 }, { id: 2 }];
  app = await startTestApi({ OUTBOUND_ALLOW: [service.host, hostileHttp.host, `${server.host}:${server.port}`].join(',') });
  worker = await startWorker(app.env);
  admin = await app.signIn('role-super-admin');
  drive = integrationDriver(app, admin);
  neighbour = integrationDriver(app, await makePerson(app, otherTenantId, 'role-super-admin'));
});

afterAll(async () => {
  await worker.close();
  await app.close();
  await service.stop();
  await server.close();
  await hostileHttp.close();
});

const configOf = (mode: HostileMode) => ({
  kind: 'postgres_source',
  host: server.host,
  port: server.port,
  database: mode,
  user: 'reader',
  tls: 'disable',
  table: 'things',
});

/** An integration with the server in a mode. */
async function hostile(mode: HostileMode): Promise<string> {
  const made = await drive.create({ config: configOf(mode), secret: 'some-password' });
  expect(made.status).toBe(201);
  return made.body.id;
}

async function synced(id: string, timeoutMs = 60_000) {
  const started = await drive.sync(id);
  expect(started.status).toBe(202);
  return drive.ended(id, started.body.id, timeoutMs);
}

/** A sync of another tenant, over HTTP, from its request to its end. */
async function neighbourIsServed(): Promise<void> {
  const { id } = await neighbour.connected(service, restConfig(service));
  const { body } = await neighbour.sync(id);
  expect(await neighbour.ended(id, body.id)).toMatchObject({ status: 'succeeded', created_count: 2 });
}

describe('T-21: a hostile database', () => {
  it.each([
    ['seven_bytes', 'unexpected'],
    ['error_without_end', 'unexpected'],
    ['notice_without_end', 'unexpected'],
    ['error_inside_query', 'unexpected'],
    ['short_length', 'unexpected'],
    ['huge_message', 'too_large'],
    ['huge_row', 'too_large'],
    ['endless_rows', 'too_large'],
    ['endless_empty_rows', 'too_large'],
    ['endless_notices', 'too_large'],
    ['other_columns', 'unexpected'],
    ['deep_row', 'unexpected'],
    ['no_json', 'unexpected'],
  ] as const)('%s: the sync fails as %s, and nobody else notices', async (mode, error_code) => {
    const id = await hostile(mode);
    const [job] = await Promise.all([synced(id), neighbourIsServed()]);
    expect(job).toMatchObject({ status: 'failed', error_code, page_count: 0 });
    expect(server.connections(mode)).toBe(1);
    // The server is refused what it sends; that has ended no process.
    expect(await drive.details(id)).toMatchObject({ strikes: 0, quarantined_at: null });
  });

  it.each(['drip', 'endless_scram', 'rows_without_query'] as const)('%s: holds up nobody else and can be cancelled', async (mode) => {
    const id = await hostile(mode);
    const { body } = await drive.sync(id);
    await eventually(async () => server.connections(mode), (count) => count > 0);
    await neighbourIsServed();
    await app.call('POST', `/admin/integrations/${id}/sync-jobs/${body.id}/cancel`, { token: admin.token });
    expect((await drive.ended(id, body.id)).status).not.toBe('running');
    expect(await drive.details(id)).toMatchObject({ strikes: 0, quarantined_at: null });
  });

  it('keeps its connection open: the sync ends nevertheless', async () => {
    expect(await synced(await hostile('honest_open'))).toMatchObject({ status: 'succeeded', created_count: 1 });
  });

  it('ends its reader twice: it is quarantined, told, refused, and not read a third time', async () => {
    const body = { kind: 'email', name: 'quarantine', email: 'ops@castellan.test', events: ['integration.quarantined'] };
    expect((await callProven(app, admin, 'POST', '/admin/notifications/channels', { body })).status).toBe(201);
    const id = await hostile('expanding_json');
    const [job] = await Promise.all([synced(id, 240_000), neighbourIsServed()]);
    expect(job).toMatchObject({ status: 'failed', error_code: 'quarantined' });
    // More than twice only where a busy machine has let an attempt stall, which is no strike.
    const read = server.connections('expanding_json');
    expect(read).toBeGreaterThanOrEqual(2);
    const details = await drive.details(id);
    expect(details).toMatchObject({ strikes: 2, last_strike_reason: expect.stringMatching(/^(crashed|memory)$/) });
    expect(details.quarantined_at).not.toBeNull();
    expect(await drive.sync(id)).toMatchObject({ status: 409, body: { code: 'integration.quarantined' } });
    expect(await scheduledRun(id)).toBe('refused');
    expect(server.connections('expanding_json')).toBe(read);
    const deliveries = async () => (await app.call('GET', '/admin/notifications/deliveries', { token: admin.token })).body.items;
    await eventually(deliveries, (items) => items.filter(({ event }: { event: string }) => event === 'integration.quarantined').length === 1);
    const failures = await asSuperuser(
      app,
      `select entry::jsonb ->> 'event' as event from audit_logs where resource_id = '${id}' and entry::jsonb ->> 'outcome' = 'failed' order by seq`,
    );
    expect(failures.map(({ event }) => event)).toEqual(['integration.strike', 'integration.quarantine', 'integration.sync-end']);
  });

  /** What the Schedule of an integration would start now. */
  async function scheduledRun(id: string): Promise<string> {
    const { client, taskQueue } = app.api.deps.temporal;
    const tenant_id = '00000000-0000-0000-0000-000000000000';
    const scheduled = await client.workflow.start('scheduledSyncWorkflow', {
      workflowId: `scheduled-${id}`,
      taskQueue,
      args: [{ tenant_id, integration_id: id }],
    });
    await scheduled.result();
    const result = (await client.workflow.getHandle(`sync/${tenant_id}/${id}`).result()) as { status: string };
    return result.status;
  }

  it('is released by a person, and by a new configuration', async () => {
    const strikes = 'strikes = 2, last_strike_at = now(), last_strike_reason = $$deadline$$, quarantined_at = now()';
    const id = await hostile('honest');
    const release = () => callProven(app, admin, 'POST', `/admin/integrations/${id}/release`);
    expect(await release()).toMatchObject({ status: 409, body: { code: 'resource.conflict' } });
    await asSuperuser(app, `update admin_integrations set ${strikes} where id = '${id}'`);
    expect(await release()).toMatchObject({ status: 200, body: { strikes: 0, quarantined_at: null, last_strike_reason: 'deadline', version: 2 } });
    expect(await synced(id)).toMatchObject({ status: 'succeeded', created_count: 2 });
    await asSuperuser(app, `update admin_integrations set ${strikes} where id = '${id}'`);
    expect((await drive.sync(id)).status).toBe(409);
    const changed = await callProven(app, admin, 'PUT', `/admin/integrations/${id}/config`, {
      body: { config: { ...configOf('honest'), table: 'others' } },
      headers: { 'if-match': '"2"' },
    });
    expect(changed).toMatchObject({ status: 200, body: { strikes: 0, quarantined_at: null } });
    await asSuperuser(app, `update admin_integrations set strikes = 1 where id = '${id}'`);
    expect(await synced(id)).toMatchObject({ status: 'succeeded', unchanged_count: 2 });
    expect(await drive.details(id)).toMatchObject({ strikes: 0 });
    expect(await drive.events(id)).toEqual([
      'create', 'release', 'sync-begin', 'sync-end', 'configure', 'sync-begin', 'sync-end',
    ]);
  });

  it('was read by a process that ended: it is a suspect, runs alone, and an innocent one is acquitted', async () => {
    const claim = (id: string) => `update admin_integrations set running_by = gen_random_uuid(), running_since = now() where id = '${id}'`;
    const { id } = await drive.connected(service, restConfig(service));
    await asSuperuser(app, claim(id));
    expect(await synced(id)).toMatchObject({ status: 'succeeded', created_count: 2 });
    const database = await hostile('honest');
    await asSuperuser(app, claim(database));
    expect(await synced(database)).toMatchObject({ status: 'succeeded', created_count: 2 });
    const left = await asSuperuser(app, 'select 1 from admin_integrations where running_by is not null');
    expect(left).toEqual([]);
    expect(await drive.details(id)).toMatchObject({ strikes: 0, quarantined_at: null });
  });
});

describe('T-21: a hostile service over HTTP', () => {
  it.each([
    ['deep', 'unexpected'],
    ['endless', 'too_large'],
    ['bomb', 'unexpected'],
  ] as const)('%s: the sync fails as %s, at once', async (path, error_code) => {
    const { id } = await drive.connected(service, restConfig({ url: `http://${hostileHttp.host}` }, { records_path: `/${path}` }));
    const [job] = await Promise.all([synced(id), neighbourIsServed()]);
    expect(job).toMatchObject({ status: 'failed', error_code });
  });
});

describe('T-21: generated messages', () => {
  const kinds = Array.from('123ACDEGHIKNRSTVWZcdnstv');
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc.array(fc.constantFrom(0, 1, 2, 0x7f, 0x80, 0xff, 0x53, 0x43), { maxLength: 40 }).map((bytes) => Uint8Array.from(bytes)),
  );
  const message = fc.tuple(fc.constantFrom(...kinds), body, fc.option(fc.nat(80), { freq: 4, nil: null }));

  function bytesOf([kind, bytes, lie]: [string, Uint8Array, number | null]): Buffer {
    const head = Buffer.alloc(5);
    head.write(kind, 0, 'latin1');
    head.writeUInt32BE(lie ?? bytes.length + 4, 1);
    return Buffer.concat([head, bytes]);
  }

  it('of every kind end the page, and never the worker', async () => {
    const modes: HostileMode[] = [];
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 6 }), (messages) => {
        const name = String(modes.length);
        server.bodies.set(name, Buffer.concat(messages.map(bytesOf)));
        modes.push(`body_${name}`);
      }),
      { numRuns: 200 },
    );
    for (const kind of kinds) {
      for (const bytes of [[], [0], [0, 0], [1], [255, 255], [0x7f, 0xff, 0]]) {
        const name = `${kind}${bytes.join('_')}`;
        server.bodies.set(name, bytesOf([kind, Uint8Array.from(bytes), null]));
        modes.push(`body_${name}`);
      }
    }
    // One process reads them all: what counts is that each read comes to an end, and the process does not.
    const entry = new URL('../../../src/activities/integration/page-guest.ts', import.meta.url);
    const guest = await startGuest(entry, { maxRssMb: 300, cpuSeconds: 60, niceness: 0 }, app.api.deps.log);
    try {
      for (const mode of modes) {
        const config = { ...configOf(mode), schema: 'public', id_column: 'id', page_size: 10 };
        const job = { config, secret: 'some-password', cursor: null, address: server.host, allow: [] };
        const answer = (await guest.ask(job, { deadlineMs: 20_000 })) as { page?: unknown; fault?: string };
        expect({ mode, ended: answer.page !== undefined || answer.fault !== undefined }).toEqual({ mode, ended: true });
      }
    } finally {
      guest.close();
    }
    await neighbourIsServed();
  });
});
