import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { routes } from '../../src/api/routes.ts';
import { startTestApi } from '../support/api.ts';
import type { SignedIn, TestApi } from '../support/api.ts';
import { callProven } from '../support/second-factor.ts';

const tracker = '/api/v1/master-admin';
const nobody = randomUUID();
const nothing = 2_147_483_000;
const later = new Date(Date.now() + 3_600_000).toISOString();

let app: TestApi;
let admin: SignedIn;
/** What the addresses of the requests name, which is all there. */
const there: Record<string, string> = {};

const send = (method: string, path: string, body: unknown, headers: Record<string, string> = {}) =>
  callProven(app, admin, method, path, { body, headers });

async function create(path: string, body: object): Promise<string> {
  const made = await send('POST', path, body);
  expect(made.status).toBe(201);
  return String(made.body.id);
}

beforeAll(async () => {
  app = await startTestApi();
  admin = await app.signIn('role-super-admin');
  const person = await app.signIn('role-support-staff');
  there['user'] = person.user_id;
  there['role'] = await create('/admin/roles', { code: 'referring', name: 'Referring', permissions: [] });
  there['prospect'] = await create(`${tracker}/prospects`, { name: 'There' });
  there['client'] = await create('/api/v1/clients', { name: 'There', birth_date: '1980-01-01' });
  there['meeting'] = await create(`${tracker}/meetings`, { title: 'Template', type: 'discovery' });
});

afterAll(async () => {
  await app.close();
});

interface Line {
  readonly method: string;
  /** With the name of a thing of {@link there} in braces. */
  readonly path: string;
  readonly body: object;
  /** The field as it is written in the schema of the body. */
  readonly field: string;
  readonly pointer?: string;
  readonly headers?: Record<string, string>;
}

const threshold = { name: 'T', metric: 'temporal.backlog', comparator: 'gt', threshold: 1 };
const meeting = { title: 'M', type: 'discovery' };
const activity = { type: 'call', status: 'pending', date: '2026-01-05' };
const link = { recipient_name: 'New', recipient_email: 'new@people.example', purpose: 'To join' };
const contact_ids = [randomUUID()];

const lines: Line[] = [
  { method: 'POST', path: '/admin/users', body: { full_name: 'New', email: 'new@people.example', roles: [{ role_id: nobody }] }, field: '/roles/#/role_id', pointer: '/roles/0/role_id' },
  { method: 'POST', path: '/admin/roles', body: { code: 'heir', name: 'Heir', permissions: [], parent_role_id: nobody }, field: '/parent_role_id' },
  { method: 'PUT', path: '/admin/roles/{role}', body: { parent_role_id: nobody }, field: '/parent_role_id', headers: { 'if-match': '"1"' } },
  { method: 'POST', path: '/admin/users/{user}/roles', body: { role_id: nobody }, field: '/role_id' },
  { method: 'POST', path: '/admin/users/confirm', body: { how: 'video', accounts: [{ user_id: nobody, acts: [nobody] }] }, field: '/accounts/#/user_id', pointer: '/accounts/0/user_id' },
  { method: 'POST', path: '/rbac/check-permission', body: { user_id: nobody, permission: 'user:read' }, field: '/user_id' },
  { method: 'POST', path: '/api/admin/users/{user}/assign-contacts', body: { contact_ids, campaign_id: nobody, mode: 'round_robin' }, field: '/campaign_id' },
  { method: 'POST', path: '/api/admin/users/{user}/assign-contacts', body: { contact_ids, campaign_id: nobody, mode: 'manual' }, field: '/campaign_id' },
  { method: 'POST', path: '/api/admin/users/{user}/hand-over', body: { to_user_id: nobody }, field: '/to_user_id' },
  { method: 'PUT', path: '/admin/system-health/alerts', body: { thresholds: [{ ...threshold, channel_ids: [nobody] }] }, field: '/thresholds/#/channel_ids/#', pointer: '/thresholds/0/channel_ids/0', headers: { 'if-match': '"0"' } },
  { method: 'POST', path: '/admin/alert-silences', body: { reason: 'Quiet', threshold_id: nobody, ends_at: later }, field: '/threshold_id' },
  { method: 'POST', path: '/api/admin/onboarding/create-link', body: { ...link, account: { roles: [{ role_id: nobody }] } }, field: '/account/roles/#/role_id', pointer: '/account/roles/0/role_id' },
  { method: 'POST', path: '/api/admin/onboarding/create-link', body: { ...link, account: { campaign_ids: [nobody] } }, field: '/account/campaign_ids/#', pointer: '/account/campaign_ids/0' },
  { method: 'POST', path: '/api/v1/clients', body: { name: 'New', birth_date: '1980-01-01', contact_id: nobody }, field: '/contact_id' },
  { method: 'POST', path: '/api/v1/clients/{client}/merge', body: { merged_id: nobody, merged_version: 1 }, field: '/merged_id', headers: { 'if-match': '"1"' } },
  { method: 'POST', path: '/api/v1/clients/convert', body: { source: { type: 'contact', id: nobody } }, field: '/source/id' },
  { method: 'POST', path: '/api/v1/clients/convert', body: { source: { type: 'prospect', id: nothing } }, field: '/source/id' },
  { method: 'POST', path: '/api/v1/clients/exports', body: { filters: { created_by: nobody }, reason: 'a test' }, field: '/filters/created_by' },
  { method: 'POST', path: `${tracker}/activities`, body: { ...activity, prospect_id: nothing }, field: '/prospect_id' },
  { method: 'POST', path: `${tracker}/meetings`, body: { ...meeting, prospect_id: nothing }, field: '/prospect_id' },
  { method: 'PUT', path: `${tracker}/meetings/{meeting}`, body: { prospect_id: nothing }, field: '/prospect_id' },
  { method: 'PATCH', path: `${tracker}/meetings/{meeting}`, body: { prospect_id: nothing }, field: '/prospect_id' },
  { method: 'POST', path: `${tracker}/meetings/{meeting}/plan`, body: { scheduled_at: later, prospect_id: nothing }, field: '/prospect_id' },
  { method: 'POST', path: `${tracker}/prospects`, body: { name: 'X', stage_id: nothing }, field: '/stage_id' },
  { method: 'POST', path: `${tracker}/prospects/{prospect}/move`, body: { stage_id: nothing }, field: '/stage_id', headers: { 'if-match': '"1"' } },
];

/** Fields that name something in another way, each with what is answered. */
const others: Readonly<Record<string, string>> = {
  'POST /admin/mfa/verify /challenge_id': 'The challenge is what is acted on: 404, as for that of another session.',
  'POST /admin/feature-flags /rules/#/tenants/#': 'A rule may name a tenant that does not exist yet, or any more.',
  'PUT /admin/feature-flags/:key /rules/#/tenants/#': 'A rule may name a tenant that does not exist yet, or any more.',
  'POST /api/v1/clients/search /created_by': 'A filter: what nobody has made is an empty list.',
  'POST /rbac/check-permission /resource/id': 'The answer is whether it is allowed, which it is not for what is not there.',
  'POST /api/admin/campaigns/:campaign_id/auto-assign /contact_ids/#': 'Each contact has an outcome of its own.',
  'POST /api/admin/users/:user_id/assign-campaigns /campaign_ids/#': 'Each campaign has an outcome of its own.',
  'POST /api/admin/users/:user_id/assign-contacts /contact_ids/#': 'Each contact has an outcome of its own.',
  'PUT /admin/approval-policies /steps/#/users/#': 'A fault of the policy, which names the step.',
  'POST /admin/users/:id/confirm /acts/#': 'Acts that have changed since they were read: 409.',
  'POST /admin/users/confirm /accounts/#/acts/#': 'Acts that have changed since they were read: 409.',
  'PUT /admin/approval-policies /bypassers/#': 'A fault of the policy, which names the person.',
};

type Json = Readonly<Record<string, unknown>>;

/** Pointers of the fields below a schema that hold ids of rows, `#` for the entries of a list. */
function idsIn(root: Json): string[] {
  const visit = (schema: Json, pointer: string, open: readonly string[]): string[] => {
    const name = /^#\/\$defs\/(.+)$/.exec(typeof schema['$ref'] === 'string' ? schema['$ref'] : '')?.[1];
    if (name !== undefined && !open.includes(name)) return visit((root['$defs'] as Record<string, Json>)[name]!, pointer, [...open, name]);
    const parts = ['anyOf', 'oneOf', 'allOf'].flatMap((union) => (schema[union] ?? []) as Json[]);
    const members = Object.entries((schema['properties'] ?? {}) as Record<string, Json>);
    const isId = schema['format'] === 'uuid' || (schema['type'] === 'integer' && /_ids?(\/#)?$/.test(pointer));
    return [
      ...(isId ? [pointer] : []),
      ...parts.flatMap((part) => visit(part, pointer, open)),
      ...members.flatMap(([member, part]) => visit(part, `${pointer}/${member}`, open)),
      ...(typeof schema['items'] === 'object' ? visit(schema['items'] as Json, `${pointer}/#`, open) : []),
    ];
  };
  return visit(root, '', []);
}

describe('U-29: a reference of a body to something that is not there is a fault of the body, with its pointer', () => {
  it.each(lines.map((line) => [`${line.method} ${line.path}`, line.field, line] as const))('%s %s', async (_name, field, line) => {
    const path = line.path.replace(/\{(\w+)\}/, (_, name: string) => there[name] ?? '');
    const answer = await send(line.method, path, line.body, line.headers);
    expect(answer).toMatchObject({ status: 422, body: { code: 'request.invalid', errors: [{ pointer: line.pointer ?? field }] } });
  });

  it('is tried for every field of every body that holds the id of a row', () => {
    const found = routes.flatMap(({ method, path, body }) => {
      if (body === undefined) return [];
      const schema = z.toJSONSchema(body, { io: 'input', unrepresentable: 'any' });
      return [...new Set(idsIn(schema as Json))].map((field) => `${method.toUpperCase()} ${path} ${field}`);
    });
    const named = ({ method, path, field }: Line) => `${method} ${path} ${field}`;
    const anyThing = (text: string) => text.replace(/\{\w+\}|:\w+/, '*');
    const tried = [...lines.map(named), ...Object.keys(others)].map(anyThing);
    expect([...new Set(found.map(anyThing))].sort()).toEqual([...new Set(tried)].sort());
  });
});
