import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApi } from '../../support/api.ts';
import type { Answer, TestApi } from '../../support/api.ts';
import { day, fromNow } from '../../support/factories/defaults.ts';
import { newMember, secondTenant } from '../../support/people.ts';
import type { Member } from '../../support/people.ts';
import { callProven } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';

let app: TestApi;
let admin: Member;
let people: Member[];

const modules = ['client_management', 'pdf_processing', 'reports_analysis', 'audio_recording'] as const;
/** Days until the end of each person's permission in each module; a past one is written into the row. */
const ends = [null, 30, 2, -1] as const;

beforeAll(async () => {
  app = await startTestApi();
  ({ admin } = await secondTenant(app));
  people = [await newMember(app, admin), await newMember(app, admin)];
  for (const person of people) {
    for (const [index, agent_name] of modules.entries()) {
      const days = ends[index] ?? null;
      const expires_at = days === null ? null : fromNow(Math.abs(days) * day);
      const body = { agent_name, can_read: true, expires_at };
      const given = await callProven(app, admin, 'POST', `/api/v1/users/${person.user_id}/agent-permissions`, { body });
      expect(given.status).toBe(201);
      if (days === -1) await asSuperuser(app, 'update user_agent_permissions set expires_at = $2 where id = $1', [given.body.id, fromNow(-day)]);
    }
  }
});

afterAll(() => app.close());

const list = (query = '', token = admin.token): Promise<Answer> => app.call('GET', `/api/v1/agent-permissions${query}`, { token });

interface Listed {
  readonly id: string;
  readonly agent_name: string;
  readonly created_at: string;
  readonly expires_at: string | null;
}

/** All pages of a list, two rows each. */
async function pages(query: string): Promise<Listed[]> {
  const seen: Listed[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { status, body }: Answer = await list(`?limit=2${query}${cursor === '' ? '' : `&cursor=${cursor}`}`);
    expect(status).toBe(200);
    seen.push(...body.items);
    cursor = body.next_cursor;
  }
  expect(new Set(seen.map(({ id }) => id)).size).toBe(seen.length);
  return seen;
}

const namesOf = (rows: readonly Listed[]) => [...new Set(rows.map(({ agent_name }) => agent_name))].sort();

describe('S4-19: module permissions of all people', () => {
  it('are listed with names, newest first, page by page', async () => {
    const { body } = await list();
    expect(body.items).toHaveLength(8);
    expect(body.items[0]).toMatchObject({
      user_id: people[1]!.user_id,
      user_name: 'Some Member',
      granted_by: admin.user_id,
      granted_by_name: 'Other Boss',
      is_expired: true,
    });
    const all = await pages('');
    expect(all.map(({ id }) => id)).toEqual((body.items as Listed[]).map(({ id }) => id));
    const times = all.map(({ created_at }) => Date.parse(created_at));
    expect(times).toEqual(times.toSorted((a, b) => b - a));
  });

  it('S4-25: are narrowed to person, module and state as of now', async () => {
    const [first] = people;
    expect(namesOf(await pages(`&user_id=${first!.user_id}`))).toHaveLength(4);
    expect(namesOf(await pages('&agent_name=pdf_processing'))).toEqual(['pdf_processing']);
    expect(namesOf(await pages('&state=active'))).toEqual(['client_management', 'pdf_processing', 'reports_analysis']);
    expect(namesOf(await pages('&state=expiring'))).toEqual(['reports_analysis']);
    expect(namesOf(await pages('&state=expired'))).toEqual(['audio_recording']);
    expect(await pages('&state=active')).toHaveLength(6);
    expect(await pages(`&state=expired&user_id=${first!.user_id}`)).toHaveLength(1);
    expect(await pages('&state=expired&agent_name=pdf_processing')).toEqual([]);
  });

  it('keep their names when the person is deleted or the granter unknown', async () => {
    const gone = await newMember(app, admin);
    const body = { agent_name: 'pdf_processing' };
    const given = await callProven(app, admin, 'POST', `/api/v1/users/${gone.user_id}/agent-permissions`, { body });
    await asSuperuser(app, 'update user_agent_permissions set granted_by = null where id = $1', [given.body.id]);
    const shown = await list(`?user_id=${gone.user_id}`);
    expect(shown.body.items).toEqual([expect.objectContaining({ user_name: 'Some Member', granted_by: null, granted_by_name: null })]);
  });

  it('are refused without token or permission, are those of the tenant, and bad queries are named', async () => {
    expect((await app.call('GET', '/api/v1/agent-permissions')).status).toBe(401);
    expect((await list('', people[0]!.token)).status).toBe(403);
    const stranger = await app.signIn('role-super-admin');
    expect((await list('', stranger.token)).body.items).toEqual([]);
    for (const bad of ['?state=gone', '?agent_name=x', '?user_id=1', '?limit=0', '?order=up']) {
      expect({ bad, status: (await list(bad)).status }).toEqual({ bad, status: 422 });
    }
    expect((await list('?cursor=x')).body.code).toBe('request.cursor-invalid');
  });
});
