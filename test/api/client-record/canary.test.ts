import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApi } from '../../../src/api/server.ts';
import type { RunningApi } from '../../../src/api/server.ts';
import { withClient } from '../../../src/dev/bootstrap-database.ts';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { createLogger } from '../../../src/platform/observability/logger.ts';
import { callApi, startTestApi } from '../../support/api.ts';
import type { Answer, TestApi } from '../../support/api.ts';
import { maskOf } from '../../support/document-numbers.ts';
import { Recording, dumpTables, dumpWorkflows } from '../../support/dumps.ts';
import { someCpf } from '../../support/factories/client-record.ts';
import { runStateVariable } from '../../support/run-state.ts';
import { asSuperuser } from '../../support/superuser.ts';

const recording = new Recording();
const clients = '/api/v1/clients';
/** Bodies that anybody may see who is not shown the number on purpose. */
const shown: string[] = [];

const cpf = someCpf();
const secondCpf = someCpf();
/** One digit wrong, so that it is no CPF. */
const misspelt = cpf.slice(0, 10) + String((Number(cpf.charAt(10)) + 1) % 10);
const numbers = [cpf, secondCpf, misspelt];

let app: TestApi;
let api: RunningApi;
let token: string;

beforeAll(async () => {
  app = await startTestApi();
  api = await startApi(app.env, createLogger({ level: 'trace', name: 'canary', destination: recording }));
  ({ token } = await app.signIn('role-super-admin'));
});

afterAll(async () => {
  await api.close();
  await app.close();
});

async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const answer = await callApi(api.url, method, path, { token, headers, ...(body === undefined ? {} : { body }) });
  if (!path.endsWith('/reveal') || answer.status !== 200) shown.push(JSON.stringify(answer.body));
  return answer;
}

const person = (number: unknown) => ({ name: 'Canary Pereira', cpf: number, birth_date: '1985-03-02' });

describe('a CPF is shown and kept nowhere but where it belongs', () => {
  it('is used in requests that succeed and that fail', async () => {
    const key = { 'idempotency-key': randomUUID() };
    const created = await call('POST', clients, person(maskOf(cpf)), key);
    expect(created.status).toBe(201);
    expect((await call('POST', clients, person(maskOf(cpf)), key)).headers.get('idempotency-replayed')).toBe('true');
    expect((await call('POST', clients, person(cpf), key)).status).toBe(422);
    const one = `${clients}/${created.body.id}`;
    expect((await call('GET', one)).status).toBe(200);
    expect((await call('GET', clients)).status).toBe(200);
    expect((await call('POST', `${clients}/search`, { cpf: maskOf(cpf) })).body.items).toHaveLength(1);
    expect((await call('POST', `${clients}/search`, { q: cpf })).status).toBe(200);
    expect((await call('POST', `${clients}/search`, { cpf: misspelt })).status).toBe(422);

    expect((await call('POST', clients, person(cpf))).status).toBe(409);
    for (const wrong of [misspelt, maskOf(misspelt), Number(cpf), [cpf]]) expect((await call('POST', clients, person(wrong))).status).toBe(422);
    expect((await call('POST', clients, { ...person(cpf), birth_date: '2999-01-01' })).status).toBe(422);
    // The pointer names the field that the caller has made up, and only to the caller.
    const madeUp = await callApi(api.url, 'POST', clients, { token, body: { ...person(cpf), [cpf]: cpf } });
    expect(madeUp).toMatchObject({ status: 422, body: { errors: [{ pointer: `/${cpf}` }] } });
    expect((await call('POST', clients, `{"cpf":"${cpf}`)).status).toBe(400);
    // A caller who does it all the same: the number stands in the address of the request.
    expect((await call('GET', `${clients}?q=${cpf}`)).status).toBe(422);
    const wide = cpf.replaceAll(/\d/g, (digit) => String.fromCodePoint(0xff10 + Number(digit)));
    for (const q of [wide, cpf.replaceAll(/\d/g, (digit) => String.fromCodePoint(0x966 + Number(digit))), 'canary@people.example']) {
      expect((await call('GET', `${clients}?q=${encodeURIComponent(q)}`)).status).toBe(422);
    }
    expect((await call('GET', `${clients}?cpf=${maskOf(cpf)}`)).status).toBe(422);
    expect((await call('GET', `${clients}/${cpf}`)).status).toBe(404);

    const other = await call('POST', clients, { ...person(null), name: 'Canary Lima' });
    expect(other.status).toBe(201);
    expect((await call('PUT', `${clients}/${other.body.id}`, { cpf }, { 'if-match': '"1"' })).status).toBe(409);
    expect((await call('PUT', `${clients}/${other.body.id}`, { cpf: misspelt }, { 'if-match': '"1"' })).status).toBe(422);
    expect((await call('PUT', `${clients}/${other.body.id}`, { cpf: secondCpf }, { 'if-match': '"1"' })).status).toBe(200);

    const revealed = await call('POST', `${one}/reveal`, { reason: `Tax form of ${maskOf(cpf)}` });
    expect(revealed.body).toMatchObject({ cpf });
    expect((await call('POST', `${one}/reveal`, { reason: 'x', cpf })).status).toBe(422);
    expect((await call('DELETE', one, undefined, { 'if-match': '"1"' })).status).toBe(204);
    expect((await call('POST', clients, person(cpf))).body.existing.is_deleted).toBe(true);
  });

  it('is refused by the database itself: twice at once, and with a wrong digit', async () => {
    const cpfOfMany = someCpf();
    numbers.push(cpfOfMany);
    const answers = await Promise.all(Array.from({ length: 12 }, () => call('POST', clients, person(cpfOfMany))));
    expect(answers.map(({ status }) => status).toSorted().slice(0, 2)).toEqual([201, 409]);
    const insert = "insert into clients (tenant_id, name, cpf, birth_date) values ($1, 'Canary', $2, '1985-03-02')";
    await withClient(app.database.appUrl, async (db) => {
      await db.query("select set_config('app.tenant_id', $1, false)", [defaultTenantId]);
      for (const [number, constraint] of [[cpf, 'clients_tenant_cpf_key'], [misspelt, 'clients_cpf_check']]) {
        const refusal = await db.query(insert, [defaultTenantId, number]).catch((error: unknown) => error);
        expect(refusal).toMatchObject({ constraint });
        shown.push(JSON.stringify(refusal), String(refusal));
      }
    });
  });

  it('is read out of files, with faults and without, and masked in those that are written', async () => {
    const [inFile, another] = [someCpf(), someCpf()];
    numbers.push(inFile, another);
    const csv = { 'content-type': 'text/csv' };
    const file = (...rows: readonly string[]) => ['name,cpf,birth_date', ...rows, ''].join('\n');
    const faulty = file(`Canary Prado,${maskOf(inFile)},1985-03-02`, `Canary Prado,${misspelt},1985-03-02`, `C,${another},1985-03-02`, `"${another}`);
    expect((await call('POST', `${clients}/import?mode=preview`, faulty, csv)).body.fault_count).toBe(3);
    expect((await call('POST', `${clients}/import`, faulty, csv)).status).toBe(422);
    const whole = file(`Canary Prado,${maskOf(inFile)},1985-03-02`, `Canary Prado,${another},1985-03-02`);
    expect((await call('POST', `${clients}/import?mode=preview`, whole, csv)).body).toMatchObject({ would_create: 2 });
    expect((await call('POST', `${clients}/import`, whole, csv)).body).toMatchObject({ created: 2 });
    expect((await call('POST', `${clients}/import`, whole, csv)).status).toBe(422);
    expect((await call('GET', `${clients}/export`)).body).toContain('Canary Prado');
  });

  it('is not in logs, refusals, metrics, the audit, or any other table or workflow', async () => {
    shown.push((await call('GET', '/metrics')).body);
    const { items } = (await call('GET', '/admin/audit-logs?limit=100')).body;
    for (const { id } of items) await call('GET', `/admin/audit-logs/${id}`);
    const tables = await dumpTables(app.database.adminUrl);
    tables.delete('clients');
    const workflows = await dumpWorkflows(api.deps.temporal.client, app.env.TEMPORAL_TASK_QUEUE);
    const serverLog = await readFile(join(dirname(process.env[runStateVariable] ?? ''), 'postgres.log'), 'utf8');
    const places = new Map<string, string>([
      ['log', recording.text],
      ['answers', shown.join('\n')],
      ['log of PostgreSQL', serverLog],
      ...[...tables].map(([name, text]) => [`table ${name}`, text] as const),
      ...[...workflows].map(([id, text]) => [`workflow ${id}`, text] as const),
    ]);
    // The search covers what it should: each kind of place has content.
    expect(recording.text).toContain('/api/v1/clients/:client_id');
    expect(shown.join('\n')).toContain('Canary Pereira');
    expect(shown.join('\n')).toContain('http_request');
    expect(serverLog).toContain('clients_tenant_cpf_key');
    expect(serverLog).toContain('clients_cpf_check');
    expect(tables.get('audit_logs')).toContain('client.reveal-cpf');
    expect(tables.get('client_name_words')).toContain('canary');

    const found: string[] = [];
    for (const number of numbers) {
      for (const form of [number, maskOf(number)]) {
        for (const [place, text] of places) if (text.includes(form)) found.push(`${form} in ${place}`);
      }
    }
    expect(found).toEqual([]);
  });
});

describe('who can read the column', () => {
  it('is the application, its login and the owner', async () => {
    const readers = await asSuperuser<{ rolname: string }>(
      app,
      `select rolname from pg_roles where has_column_privilege(oid, 'clients', 'cpf', 'select') and not rolsuper and rolname !~ '^pg_'`,
    );
    const [app_login, owner] = [app.database.appUrl, app.database.ownerUrl].map((url) => new URL(url).username);
    expect(readers.map(({ rolname }) => rolname).toSorted()).toEqual(['castellan_app', app_login, owner].toSorted());
    // These read and dump everything; nobody of Castellan is among their members.
    expect(await asSuperuser(app, "select member::regrole::text from pg_auth_members where roleid = 'pg_read_all_data'::regrole")).toEqual([]);
  });

  it('row-level security hides all rows from the owner too', async () => {
    const seen = await withClient(app.database.ownerUrl, async (db) => (await db.query('select count(*)::int as seen from clients')).rows);
    expect(seen).toEqual([{ seen: 0 }]);
  });

  it('no view has it, and no function with rights of its own reads the table', async () => {
    const views = await asSuperuser(
      app,
      `select distinct r.ev_class::regclass::text as name from pg_rewrite r join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
       where d.refclassid = 'pg_class'::regclass and d.refobjid in ('clients'::regclass, 'client_name_words'::regclass)`,
    );
    expect(views).toEqual([]);
    const functions = await asSuperuser(
      app,
      String.raw`select oid::regprocedure::text as name from pg_proc where prosecdef and prosrc ~ '\m(clients|client_name_words)\M'`,
    );
    expect(functions).toEqual([]);
    expect(await asSuperuser(app, "select pubname from pg_publication")).toEqual([]);
  });
});
