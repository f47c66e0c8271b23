import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../src/domain/shared/actor.ts';
import { withClient } from '../../src/dev/bootstrap-database.ts';
import { startTestApi } from '../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../support/api.ts';
import { addPeople } from '../support/drivers/assignment.ts';
import { createCampaign, createCampaignMember } from '../support/factories/assignment.ts';
import { rowsRead } from '../support/rows-read.ts';

const million = 1_000_000;
/** The agent sees five hundred contacts; a page is looked for among them. A hundredth of the table is far from both. */
const fewRows = 10_000;
const own = 300;
const waiting = 200;

let app: TestApi;
let agent: SignedIn;
let manager: SignedIn;
let campaign: string;

beforeAll(async () => {
  app = await startTestApi();
  agent = await app.signIn('role-junior-agent');
  manager = await app.signIn('role-super-admin');
  ({ id: campaign } = await createCampaign(app, { status: 'active' }));
  await createCampaignMember(app, { campaign_id: campaign, user_id: agent.user_id, can_view: true });
  const people = await addPeople(app, 50);
  await fill(people);
});

afterAll(() => app.close());

/** Ids in the order of the rows: a million random ones would be spread over the whole index while they are inserted. */
const nthId = (kind: string) => `('${kind}0000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid`;

/**
 * A million contacts, six of ten with somebody else, and a million flags in two environments. Contacts of the agent and those
 * that wait are the oldest, so that whoever walks through the list from its newest end passes all others.
 */
async function fill(people: readonly string[]): Promise<void> {
  await withClient(app.database.adminUrl, async (db) => {
    await db.query("set session_replication_role = replica; set synchronous_commit = off; set maintenance_work_mem = '256MB'");
    await db.query(`insert into contacts (id, tenant_id, name, email, created_at)
      select ${nthId('1')}, '${defaultTenantId}', 'Contact ' || n, 'c' || n || '@people.example',
        timestamptz '2026-01-01' + n * interval '1 second' from generate_series(1, ${million}) n`);
    await db.query(
      `insert into user_contact_assignment (id, tenant_id, user_id, contact_id, method, reason)
      select ${nthId('2')}, '${defaultTenantId}', ($1::uuid[])[1 + n % 50], ${nthId('1')}, 'manual', '{"kind":"manual"}'
      from generate_series(${million * 0.4}, ${million}) n`,
      [people],
    );
    await db.query(
      `insert into user_contact_assignment (tenant_id, user_id, contact_id, method, reason)
      select '${defaultTenantId}', $1, ${nthId('1')}, 'manual', '{"kind":"manual"}' from generate_series(1, ${own}) n`,
      [agent.user_id],
    );
    await db.query(
      `insert into assignment_queue (tenant_id, campaign_id, contact_id, reason)
      select '${defaultTenantId}', $1, ${nthId('1')}, '{"kind":"behind_others"}' from generate_series(${own + 1}, ${own + waiting}) n`,
      [campaign],
    );
    await db.query(`insert into admin_feature_flags (id, tenant_id, key, environment, value_type, variants, on_variant, off_variant)
      select ${nthId('3')}, '${defaultTenantId}', 'flag-' || lpad((n / 2)::text, 7, '0'),
        case n % 2 when 0 then 'staging' else 'production' end, 'boolean', '{"on":true,"off":false}', 'on', 'off'
      from generate_series(0, ${million - 1}) n`);
    await db.query('vacuum (analyze) contacts, user_contact_assignment, assignment_queue, admin_feature_flags');
  });
}

const contactTables = ['contacts', 'user_contact_assignment', 'assignment_queue'] as const;

describe('U-9: the contacts that an agent may see, among a million', () => {
  const list = (query: string): Promise<Answer> => app.call('GET', `/api/admin/contacts?limit=50${query}`, { token: agent.token });

  it.each([
    ['the first page', ''],
    ['a search', '&q=contact 17'],
    ['a filter', '&source=none'],
  ])('%s reads the rows of the agent', async (_, query) => {
    expect(await rowsRead(app, contactTables, () => list(query))).toBeLessThan(fewRows);
  });

  it('every page is there, and nothing else', async () => {
    const seen = new Set<string>();
    for (let cursor: string | null = ''; cursor !== null; ) {
      const { body }: Answer = await list(cursor === '' ? '' : `&cursor=${cursor}`);
      for (const { id } of body.items) seen.add(id);
      cursor = body.next_cursor;
    }
    expect(seen.size).toBe(own + waiting);
  });

  it('one contact', async () => {
    const { body } = await list('');
    const one = () => app.call('GET', `/api/admin/contacts/${body.items[0].id}`, { token: agent.token });
    expect(await rowsRead(app, contactTables, one)).toBeLessThan(fewRows);
  });
});

describe('U-23: flags by key, a million of them', () => {
  const flags = (query: string): Promise<Answer> => app.call('GET', `/admin/feature-flags?limit=50${query}`, { token: manager.token });

  it.each([
    ['the first page', ''],
    ['of one environment', '&environment=production'],
  ])('%s and the next one read their rows', async (_, filter) => {
    const first = await flags(filter);
    expect(new Set(first.body.items.map(({ key }: { key: string }) => key)).size).toBe(50);
    for (const query of [filter, `${filter}&cursor=${first.body.next_cursor}`]) {
      expect(await rowsRead(app, ['admin_feature_flags'], () => flags(query))).toBeLessThan(fewRows);
    }
  });
});
