import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { chooseNext, assignRound } from '../../../src/domain/assignment/auto-assign.ts';
import type { PoolMember } from '../../../src/domain/assignment/auto-assign.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { addContacts, addPeople, assignmentDriver, openCounts } from '../../support/drivers/assignment.ts';
import { eventually } from '../../support/eventually.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { secondTenant } from '../../support/people.ts';
import type { OtherTenant } from '../../support/people.ts';
import { createApprovalPolicy } from '../../support/factories/approval.ts';

let app: TestApi;
let manager: SignedIn;
let agent: SignedIn;
let other: OtherTenant;
let drive: ReturnType<typeof assignmentDriver>;

beforeAll(async () => {
  app = await startTestApi();
  other = await secondTenant(app);
  manager = await app.signIn('role-regional-manager');
  agent = await app.signIn('role-junior-agent');
  drive = assignmentDriver(app, manager);
});

afterAll(async () => {
  await app.close();
});

/** A campaign with a pool of new users; settings by position in the pool. */
async function poolOf(count: number, settings: readonly Record<string, unknown>[] = []) {
  const campaign = await drive.campaign();
  const people = await addPeople(app, count);
  for (const [index, person] of people.entries()) {
    expect((await drive.join(person, campaign, settings[index] ?? {})).body.results[0].outcome).toBe('assigned');
  }
  return { campaign, people, lead: people[0] ?? '' };
}

const outcomesOf = (answer: { body: { results: { outcome: string; reason: string; user_id: string | null }[] } }) =>
  answer.body.results.map(({ outcome, reason, user_id }) => ({ outcome, reason, user_id }));

describe('S3-2..7: assignments of a user', () => {
  it('S3-3, S3-43: adds a user to campaigns; a repetition changes nothing, an unknown campaign is a conflict', async () => {
    const campaign = await drive.campaign();
    const [person = ''] = await addPeople(app, 1);
    const ask = { campaign_ids: [campaign, randomUUID()], permissions: { can_edit: true }, weight: 200 };
    const first = await drive.call('POST', `/api/admin/users/${person}/assign-campaigns`, ask);
    expect(first).toMatchObject({ status: 200, body: { results: [{ outcome: 'assigned' }, { outcome: 'conflict', reason: 'not_found' }] } });
    const second = await drive.call('POST', `/api/admin/users/${person}/assign-campaigns`, ask);
    expect(second.body.results[0]).toMatchObject({ outcome: 'skipped', reason: 'already_assigned' });
    const { body } = await drive.call('GET', `/api/admin/users/${person}/assignments`);
    expect(body.campaigns).toEqual([
      expect.objectContaining({ campaign_id: campaign, weight: 200, can_view: true, can_edit: true, can_send: false }),
    ]);
  });

  it('S3-4, S3-41, S3-43: assigns contacts by hand; owned ones are skipped, reassigned or refused as asked', async () => {
    const [one = '', two = ''] = await addPeople(app, 2);
    const contacts = await addContacts(app, 2);
    expect(outcomesOf(await drive.give(one, contacts))).toEqual(
      contacts.map(() => ({ outcome: 'assigned', reason: 'by_hand', user_id: one })),
    );
    expect(outcomesOf(await drive.give(one, contacts))[0]).toEqual({ outcome: 'skipped', reason: 'already_assigned', user_id: one });
    expect(outcomesOf(await drive.give(two, contacts))[0]).toEqual({ outcome: 'skipped', reason: 'owned_by_another', user_id: one });
    const failed = await drive.give(two, contacts, { on_conflict: 'fail' });
    expect(failed).toMatchObject({ status: 409, body: { code: 'assignment.contact-owned', contact_ids: contacts } });
    const moved = await drive.give(two, [...contacts, randomUUID()], { on_conflict: 'reassign' });
    expect(outcomesOf(moved).map(({ outcome }) => outcome)).toEqual(['assigned', 'assigned', 'conflict']);
    const history = await drive.call('GET', `/api/admin/contacts/${contacts[0]}/assignments`);
    expect(history.body.items).toMatchObject([
      { user_id: two, method: 'reassign', released_at: null, reason: { kind: 'manual', from_user_id: one } },
      { user_id: one, method: 'manual', released_at: expect.any(String) },
    ]);
  });

  it('S3-5, S3-11, S3-12, X-4: users are listed with their counts', async () => {
    const { campaign, lead } = await poolOf(1);
    await drive.deal(lead, campaign, await addContacts(app, 3));
    const { body } = await drive.call('GET', `/api/admin/users/${lead}`);
    expect(body).toMatchObject({ id: lead, campaign_count: 1, contact_count: 3 });
    const list = await drive.call('GET', '/api/admin/users?limit=100');
    expect(list.body.items.find(({ id }: { id: string }) => id === lead)).toMatchObject({ campaign_count: 1, contact_count: 3 });
  });

  it('S3-6, S3-7, S3-43: a removal works once, keeps the history, and answers 404 when repeated', async () => {
    const { campaign, lead } = await poolOf(1);
    const [contact = ''] = await addContacts(app, 1);
    await drive.deal(lead, campaign, [contact]);
    expect((await drive.take(lead, contact)).status).toBe(204);
    expect((await drive.take(lead, contact)).status).toBe(404);
    const path = `/api/admin/users/${lead}/campaigns/${campaign}`;
    expect((await drive.call('DELETE', path)).status).toBe(204);
    expect((await drive.call('DELETE', path)).status).toBe(404);
    const rows = await asSuperuser(app, 'select is_active, removed_at from user_campaign_assignment where user_id = $1', [lead]);
    expect(rows).toEqual([{ is_active: false, removed_at: expect.any(Date) }]);
    const again = await drive.join(lead, campaign);
    expect(again.body.results[0].outcome).toBe('assigned');
  });

  it('X-25: a removal follows the gate policy of the tenant; by default there is none', async () => {
    const { campaign, lead } = await poolOf(1);
    await createApprovalPolicy(app, { action: 'assignment.remove-campaign', environment: 'any', gate: 'mfa', updated_by: manager.user_id });
    const refused = await drive.call('DELETE', `/api/admin/users/${lead}/campaigns/${campaign}`);
    expect(refused).toMatchObject({ status: 403, body: { code: 'mfa.required', action: 'assignment.remove-campaign' } });
    await asSuperuser(app, "delete from admin_approval_policies where action = 'assignment.remove-campaign'");
    expect((await drive.call('DELETE', `/api/admin/users/${lead}/campaigns/${campaign}`)).status).toBe(204);
  });

  it('S3-32: users, campaigns and contacts of another tenant do not exist', async () => {
    const { campaign, lead } = await poolOf(1);
    const [contact = ''] = await addContacts(app, 1);
    const { token } = other.admin;
    const calls = [
      ['GET', `/api/admin/users/${lead}/assignments`],
      ['GET', `/api/admin/campaigns/${campaign}`],
      ['GET', `/api/admin/contacts/${contact}`],
      ['GET', `/api/admin/campaigns/${campaign}/queue`],
      ['DELETE', `/api/admin/users/${lead}/campaigns/${campaign}`],
    ] as const;
    for (const [method, path] of calls) expect((await app.call(method, path, { token })).status).toBe(404);
    const mine = { contact_ids: [contact], mode: 'manual' };
    const given = await app.call('POST', `/api/admin/users/${other.admin.user_id}/assign-contacts`, { token, body: mine });
    expect(given.body.results).toEqual([{ contact_id: contact, outcome: 'conflict', reason: 'not_found', user_id: null }]);
  });

  it('without the permission users see their own assignments and no others', async () => {
    const contacts = await addContacts(app, 1);
    await drive.give(agent.user_id, contacts);
    const refused = await app.call('GET', `/api/admin/users/${agent.user_id}/assignments`, { token: agent.token });
    expect(refused).toMatchObject({ status: 403, body: { code: 'auth.forbidden' } });
    const mine = await app.call('GET', '/users/me/assignments', { token: agent.token });
    expect(mine.body.contacts.items.map(({ contact_id }: { contact_id: string }) => contact_id)).toEqual(contacts);
  });
});

describe('S3-40: auto-assigning', () => {
  it('S3-40: 1,000 contacts assigned by 50 parallel callers to 10 equal members end at exactly 100 each', async () => {
    const { campaign, people, lead } = await poolOf(10);
    const contacts = await addContacts(app, 1000);
    const callers = Array.from({ length: 50 }, async (_, caller) => {
      for (let n = 0; n < 20; n += 1) {
        const contact = contacts[caller * 20 + n] ?? '';
        // A caller who waits too long for one of the five connections gets 503, and repeats the call.
        const answer = await eventually(() => drive.deal(lead, campaign, [contact]), ({ status }) => status !== 503);
        expect(answer).toMatchObject({ status: 200, body: { results: [{ outcome: 'assigned' }] } });
      }
    });
    await Promise.all(callers);
    const counts = await openCounts(app, campaign);
    expect(people.map((person) => counts.get(person))).toEqual(people.map(() => 100));
    const [owners] = await asSuperuser<{ owned: string; rows: string }>(
      app,
      'select count(distinct contact_id) as owned, count(*) as rows from user_contact_assignment where campaign_id = $1',
      [campaign],
    );
    expect(owners).toEqual({ owned: '1000', rows: '1000' });
  });

  it('S3-40: the rule in SQL keeps to the weights', async () => {
    const weights = [100, 200, 300];
    const { campaign, people, lead } = await poolOf(3, weights.map((weight) => ({ weight })));
    for (const contact of await addContacts(app, 60)) await drive.deal(lead, campaign, [contact]);
    const counts = await openCounts(app, campaign);
    expect(people.map((person) => counts.get(person))).toEqual([10, 20, 30]);
  });

  it('a member who joins or returns gets a fair share of what follows, and no backlog', async () => {
    const { campaign, people, lead } = await poolOf(5, [{}, {}, {}, {}, { paused_until: '2099-01-01T00:00:00Z' }]);
    await drive.deal(lead, campaign, await addContacts(app, 300));
    const [newcomer = ''] = await addPeople(app, 1);
    await drive.join(newcomer, campaign);
    await drive.change(people[4] ?? '', campaign, { paused_until: null });
    for (const contact of await addContacts(app, 60)) await drive.deal(lead, campaign, [contact]);
    const counts = await openCounts(app, campaign);
    expect([counts.get(newcomer), counts.get(people[4] ?? '')]).toEqual([10, 10]);
  });

  it('S3-40: deactivated, absent, excluded and full members and those without the permission are not chosen; by hand they can be', async () => {
    const { campaign, people, lead } = await poolOf(6, [
      {}, {}, { paused_until: '2099-01-01T00:00:00Z' }, { auto_assign: false }, { max_open_contacts: 0 }, {},
    ]);
    const [, closed = '', away = '', manual = '', full = '', expired = ''] = people;
    await asSuperuser(app, "update users set status = 'inactive' where id = $1", [closed]);
    await asSuperuser(app, "update admin_role_assignments set assigned_at = now() - interval '2 days', valid_until = now() - interval '1 day' where user_id = $1", [expired]);
    const [contact = '', byHand = ''] = await addContacts(app, 2);
    await drive.deal(lead, campaign, [contact]);
    const { body } = await drive.why(lead, contact);
    expect(body).toMatchObject({ reason: { kind: 'dealt', rule_version: 1, chosen_user_id: lead }, replay: { user_id: lead, agrees: true } });
    const excluded = new Map(body.reason.excluded.map((one: { user_id: string; reason: string }) => [one.user_id, one.reason]));
    expect(excluded).toEqual(
      new Map([[closed, 'inactive'], [away, 'absent'], [manual, 'excluded'], [full, 'full'], [expired, 'permission_expired']]),
    );
    expect(outcomesOf(await drive.give(manual, [byHand], { campaign_id: campaign }))[0]?.outcome).toBe('assigned');
    expect(await drive.give(closed, [byHand])).toMatchObject({ status: 409, body: { code: 'assignment.user-inactive' } });
  });

  it('S3-36: every assignment stores its reason, and repeating the choice gives the same owner', async () => {
    const { campaign, people, lead } = await poolOf(3, [{ weight: 50 }, { weight: 150 }, { max_open_contacts: 2 }]);
    for (const contact of await addContacts(app, 20)) await drive.deal(lead, campaign, [contact]);
    for (const person of people) {
      const { body } = await drive.call('GET', `/api/admin/users/${person}/assignments?limit=100`);
      for (const { contact_id } of body.contacts.items) {
        const why = await drive.why(person, contact_id);
        expect(why.body.replay).toEqual({ user_id: person, agrees: true });
        expect(why.body.reason.candidates[0]).toMatchObject({ user_id: person, shortfall: expect.any(Number), share: expect.any(Number) });
      }
    }
  });

  it('many contacts at once get the owners that they get one by one, and a repeated key adds nothing', async () => {
    const settings = [{ weight: 70 }, { weight: 110, max_open_contacts: 9 }, { weight: 300 }, { paused_until: '2099-01-01T00:00:00Z' }];
    const [single, bulk] = [await poolOf(4, settings), await poolOf(4, settings)];
    const [ones, many] = [await addContacts(app, 40), await addContacts(app, 40)];
    const oneByOne: number[] = [];
    for (const contact of ones) {
      const { body } = await drive.deal(single.lead, single.campaign, [contact]);
      oneByOne.push(single.people.indexOf(body.results[0].user_id));
    }
    const headers = { 'idempotency-key': randomUUID() };
    const path = `/api/admin/users/${bulk.lead}/assign-contacts`;
    const body = { contact_ids: many, campaign_id: bulk.campaign, mode: 'round_robin' };
    const first = await drive.call('POST', path, body, headers);
    expect(outcomesOf(first).map(({ user_id }) => bulk.people.indexOf(user_id ?? ''))).toEqual(oneByOne);
    const second = await drive.call('POST', path, body, headers);
    expect(second.body).toEqual(first.body);
    expect(second.headers.get('idempotency-replayed')).toBe('true');
    const third = await drive.call('POST', path, body);
    expect(new Set(outcomesOf(third).map(({ reason }) => reason))).toEqual(new Set(['already_assigned']));
    const pools = await Promise.all([single, bulk].map(async ({ campaign }) => (await drive.pool(campaign)).body.items));
    const bare = (items: PoolMember[]) => items.map(({ user_id: _, ...rest }) => rest);
    expect(bare(pools[1])).toEqual(bare(pools[0]));
  });

  it('the rule in SQL equals the rule of the domain: the same choice, order and shares for random pools', async () => {
    for (let round = 0; round < 12; round += 1) {
      const size = 2 + (round % 4);
      const settings = Array.from({ length: size }, () => ({
        weight: 1 + Math.floor(Math.random() * 300),
        max_open_contacts: Math.random() < 0.3 ? Math.floor(Math.random() * 4) : null,
        auto_assign: Math.random() < 0.85,
      }));
      const { campaign, lead } = await poolOf(size, settings);
      for (const contact of await addContacts(app, 8)) {
        const pool: PoolMember[] = (await drive.pool(campaign)).body.items;
        const expected = chooseNext(pool);
        const { body } = await drive.deal(lead, campaign, [contact]);
        expect(body.results[0].user_id).toBe(expected.chosen_user_id);
        if (expected.chosen_user_id === null) break;
        const why = await drive.why(expected.chosen_user_id, contact);
        expect(why.body.reason.candidates).toEqual(expected.candidates.map((one) => ({
          ...one,
          share: expect.closeTo(one.share, 2),
          shortfall: expect.closeTo(one.shortfall, 2),
        })));
        expect(why.body.reason.excluded).toEqual(expected.excluded);
        const after = assignRound(pool, [{ contact_id: contact, preferred_user_id: null }]).pool;
        expect((await drive.pool(campaign)).body.items).toEqual(after);
      }
    }
  });

  it('keep_owner assigns a contact to its previous owner again', async () => {
    const { campaign, people, lead } = await poolOf(3);
    const [contact = '', ...rest] = await addContacts(app, 6);
    const { body } = await drive.deal(lead, campaign, [contact]);
    const owner = body.results[0].user_id;
    await drive.take(owner, contact);
    await drive.give(owner, rest, { campaign_id: campaign });
    const again = await drive.deal(people[1] ?? '', campaign, [contact], { keep_owner: true });
    expect(outcomesOf(again)).toEqual([{ outcome: 'assigned', reason: 'previous_owner', user_id: owner }]);
  });

  it('S3-40: without capacity contacts wait in order, and a later one does not overtake them', async () => {
    const { campaign, lead } = await poolOf(1, [{ max_open_contacts: 1 }]);
    const [first = '', second = '', third = '', fourth = ''] = await addContacts(app, 4);
    await drive.deal(lead, campaign, [first]);
    expect(outcomesOf(await drive.deal(lead, campaign, [second]))).toEqual([{ outcome: 'queued', reason: 'no_candidate', user_id: null }]);
    await drive.deal(lead, campaign, [third]);
    const queue = await drive.queue(campaign);
    expect(queue.body.items.map(({ contact_id }: { contact_id: string }) => contact_id)).toEqual([second, third]);
    expect(queue.body.items[0].reason).toMatchObject({ kind: 'no_candidate', excluded: [{ user_id: lead, reason: 'full' }] });
    expect(outcomesOf(await drive.deal(lead, campaign, [second]))[0]?.reason).toBe('already_waiting');
    // No worker runs in this file: the next assignment serves the contact that has waited longest.
    await drive.take(lead, first);
    expect(outcomesOf(await drive.deal(lead, campaign, [fourth]))[0]?.outcome).toBe('queued');
    expect((await drive.why(lead, second)).status).toBe(200);
  });
});

describe('S3-38: row-level security', () => {
  it('shows a session its own rows only and lets it write none, unless assignments were opened to it', async () => {
    const contacts = await addContacts(app, 1);
    await drive.give(agent.user_id, contacts);
    const session = await app.api.deps.db.readPool.connect();
    try {
      await session.query('begin');
      await session.query(
        "select set_config('app.tenant_id', '00000000-0000-0000-0000-000000000000', true), set_config('app.user_id', $1, true)",
        [agent.user_id],
      );
      const own = await session.query('select distinct user_id from user_contact_assignment');
      expect(own.rows).toEqual([{ user_id: agent.user_id }]);
      const moved = await session.query('update user_contact_assignment set user_id = $1', [manager.user_id]);
      expect(moved.rowCount).toBe(0);
      await session.query("select set_config('app.assignment_access', 'manage', true)");
      const all = await session.query('select distinct user_id from user_contact_assignment');
      expect(all.rows.length).toBeGreaterThan(1);
    } finally {
      await session.query('rollback');
      session.release();
    }
  });
});
