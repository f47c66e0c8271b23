import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Migration20261130120000_writers_are_authors as WritersAreAuthors } from '../../../migrations/20261130120000_writers_are_authors.ts';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { withClient } from '../../../src/dev/bootstrap-database.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { startApprovalStage } from '../../support/approval-stage.ts';
import type { ApprovalStage } from '../../support/approval-stage.ts';
import type { ApprovalDriver } from '../../support/drivers/approval.ts';
import { configDriver } from '../../support/drivers/config.ts';
import type { Change } from '../../support/drivers/config.ts';
import { eventually } from '../../support/eventually.ts';
import { uniqueName } from '../../support/factories/defaults.ts';
import { makePerson, roleIds, secondTenant, testPassword } from '../../support/people.ts';
import { callProven } from '../../support/second-factor.ts';
import type { Person } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';

let stage: ApprovalStage;
let app: TestApi;
let ann: SignedIn;
/** Writes what others ask for. */
let mal: SignedIn;
let provider: SignedIn;
let drive: ApprovalDriver;

beforeAll(async () => {
  stage = await startApprovalStage();
  ({ app, admin: ann, second: mal, provider, drive } = stage);
});

afterAll(() => stage.close());

const send = (person: Person, method: string, path: string, body?: object): Promise<Answer> => callProven(app, person, method, path, { body });
const shown = (path: string, person: Person = ann) => app.call('GET', path, { token: person.token });

const stages = [50, 100].map((percentage) => ({ percentage, bake_seconds: 3_600 }));
let limit = 0;

/** A proposal for production whose own request its writer has cancelled. @returns what the request carried. */
async function written(by: Person, more: Partial<Change> = {}): Promise<object> {
  limit += 1;
  const schema = { type: 'object' };
  const plan = { strategy: { kind: 'custom', stages } };
  const asked = await configDriver(app, by as SignedIn).propose({ environment: 'production', schema, document: { limit }, plan, ...more });
  expect(asked).toMatchObject({ status: 202, body: { editors: [] } });
  const { payload } = (await shown(`/admin/approvals/${asked.body.id}`, by)).body;
  expect((await send(by, 'POST', `/admin/approvals/${asked.body.id}/cancel`, {})).status).toBe(200);
  return payload;
}

const ask = (by: Person, action: string, payload: object) => send(by, 'POST', '/admin/approvals', { action, payload });
const apply = (by: Person, payload: object) => ask(by, 'config.apply', payload);

/** The rollout that a request has started, once it serves its first stage. */
async function runningOf(approvalId: string) {
  const newest = async () => (await shown('/admin/deployments?environment=production&limit=1')).body.items[0];
  return eventually(newest, (one) => one?.approval_id === approvalId && one.status === 'running');
}

async function expectRefused(person: Person, id: string): Promise<void> {
  const { digest, can_decide } = (await shown(`/admin/approvals/${id}`, person)).body;
  expect(can_decide).toMatchObject({ allowed: false, code: 'approval.own-request', detail: 'You cannot decide on what you asked for or wrote.' });
  for (const verdict of ['approve', 'reject']) {
    const said = await send(person, 'POST', `/admin/approvals/${id}/${verdict}`, { digest, reason: 'mine' });
    expect(said).toMatchObject({ status: 403, body: { code: 'approval.own-request' } });
  }
}

describe('R1: whoever wrote what a request carries is an author of it', () => {
  it('does not count for a proposal that somebody else asks for, nor break its glass, nor promote it', async () => {
    await drive.setPolicy({ action: 'config.apply', bypassers: [mal.user_id] });
    const opened = await apply(ann, await written(mal));
    expect(opened).toMatchObject({ status: 201, body: { requested_by: ann.user_id, editors: [mal.user_id] } });
    const { id, digest } = opened.body;
    expect((await shown(`/admin/approvals/${id}`)).body.names).toEqual({
      [ann.user_id]: 'Super Administrator',
      [mal.user_id]: 'Second Administrator',
    });
    await expectRefused(mal, id);
    const broken = await send(mal, 'POST', `/admin/approvals/${id}/break-glass`, { digest, reason: 'it burns' });
    expect(broken).toMatchObject({ status: 403, body: { code: 'approval.bypass-own-request' } });
    // The database refuses behind the rules.
    const vote = `insert into admin_approval_decisions (tenant_id, approval_id, revision, digest, step, approver_id, approver_roles, verdict, mfa_proof_id)
      select tenant_id, id, revision, digest, 0, $2, '{}', 'approved', gen_random_uuid() from admin_approvals where id = $1`;
    await expect(asSuperuser(app, vote, [id, mal.user_id])).rejects.toThrow('nobody decides on a change of their own');
    // Whoever the writer stands behind does not count either.
    const puppet = await makePerson(app, defaultTenantId, 'role-super-admin');
    await asSuperuser(app, "insert into account_acts (tenant_id, target_id, actor_id, kind) values ($1, $2, $3, 'create')", [
      defaultTenantId,
      puppet.user_id,
      mal.user_id,
    ]);
    expect((await send(puppet, 'POST', `/admin/approvals/${id}/approve`, { digest })).body.code).toBe('approval.not-independent');

    expect((await drive.approve(provider, opened.body)).body.status).toBe('approved');
    const rollout = await runningOf(id);
    const promoted = await send(mal, 'POST', `/admin/deployments/${rollout.id}/promote`, {});
    expect(promoted).toMatchObject({ status: 403, body: { code: 'rollout.own-promotion' } });

    expect((await send(ann, 'POST', `/admin/deployments/${rollout.id}/abort`, { reason: 'no' })).body.status).toBe('aborted');
    await drive.dropPolicy('config.apply');
  });

  it('counts the writer of an edit’s content from then on', async () => {
    const theirs = await written(mal);
    const opened = await apply(ann, await written(ann));
    expect(opened.body).toMatchObject({ status: 'pending', editors: [] });
    expect((await shown(`/admin/approvals/${opened.body.id}`, mal)).body.can_decide.allowed).toBe(true);
    const edited = await drive.say(ann, 'edit', opened.body, { digest: opened.body.digest, payload: theirs });
    expect(edited).toMatchObject({ status: 200, body: { revision: 2, editors: expect.arrayContaining([ann.user_id, mal.user_id]) } });
    await expectRefused(mal, opened.body.id);
    // A request of the release before lacks the name until the migration has run.
    await asSuperuser(app, "update admin_approvals set editors = '{}' where id = $1", [opened.body.id]);
    const migration = new WritersAreAuthors(undefined as never, undefined as never);
    migration.up();
    await withClient(app.database.ownerUrl, async (owner) => {
      for (const query of migration.getQueries()) await owner.query(query as string);
    });
    expect((await drive.detail(opened.body.id)).editors).toEqual([mal.user_id]);
    expect((await drive.say(ann, 'cancel', opened.body, {})).status).toBe(200);
  });

  it('counts the writer of the version that a rollback brings back without a standing approval', async () => {
    const [aborted] = (await shown('/admin/deployments?environment=production&status=aborted&limit=1')).body.items;
    const first = await apply(ann, await written(ann, { plan: { strategy: { kind: 'all_at_once' } } }));
    await drive.approve(provider, first.body);
    await drive.settled(first.body.id, 'executed');
    await eventually(() => shown('/admin/deployments?environment=production&limit=1'), ({ body }) => body.items[0].status === 'succeeded');
    const back = await send(ann, 'POST', `/admin/deployments/${aborted.id}/rollback`, { reason: 'it was fine' });
    expect(back).toMatchObject({ status: 202, body: { action: 'config.rollback', editors: [mal.user_id] } });
    await expectRefused(mal, back.body.id);
    expect((await drive.say(ann, 'cancel', back.body, {})).status).toBe(200);
  });

  it('counts whoever made the onboarding link whose waiting roles are assigned', async () => {
    const [role_id] = await roleIds(app, ann, ['role-provider-admin']);
    const link = await send(mal, 'POST', '/api/admin/onboarding/create-link', {
      recipient_name: 'Linked Person', recipient_email: `${uniqueName('linked')}@people.test`, purpose: 'joins', account: { roles: [{ role_id }] },
    });
    const path = `/api/admin/onboarding/o/${link.body.token}/complete`;
    expect((await app.call('POST', path, { body: { answers: {}, password: testPassword() } })).status).toBe(200);
    const opened = await ask(ann, 'onboarding.grant-roles', { link_id: link.body.id });
    expect(opened).toMatchObject({ status: 201, body: { editors: [mal.user_id] } });
    await expectRefused(mal, opened.body.id);
    const { description, changes } = await drive.detail(opened.body.id);
    expect(description).toContain('Linked Person');
    expect(changes).toEqual([{ field: 'roles', before: null, after: [expect.stringContaining('role-provider-admin')] }]);
    expect((await drive.approve(provider, opened.body)).body.status).toBe('approved');
    await drive.settled(opened.body.id, 'executed');
  });

  it('is not opened where nobody is left but its writer, who may ask in the other’s place', async () => {
    const { tenant_id, admin: boss } = await secondTenant(app);
    const peer = await makePerson(app, tenant_id, 'role-super-admin');
    const payload = await written(boss);
    expect(await apply(peer, payload)).toMatchObject({ status: 409, body: { code: 'approval.no-second-person' } });
    const opened = await apply(boss, payload);
    expect(opened).toMatchObject({ status: 201, body: { editors: [] } });
    const { id, digest } = opened.body;
    expect((await send(peer, 'POST', `/admin/approvals/${id}/approve`, { digest })).body.status).toBe('approved');
  });
});

describe('R8, R11: an act of a service token is its owner’s', () => {
  async function tokenOf(owner: Person, permissions: string[]): Promise<{ name: string; token: string }> {
    const name = uniqueName('ci');
    const made = await send(owner, 'POST', '/admin/service-tokens', { name, permissions, environment: null });
    expect(made.status).toBe(201);
    return { name, token: made.body.token };
  }

  const told = (address: string, text: string) =>
    eventually(
      () => asSuperuser<{ subject: string }>(app, 'select subject from development_mails where recipient = $1', [address]),
      (mails) => mails.some(({ subject }) => subject.includes(text)),
      30_000,
    );

  it('tells everybody who decides of a pause and an abort, and has the owner owe a review that no author closes', async () => {
    const { name, token } = await tokenOf(mal, ['config:apply']);
    const opened = await apply(ann, await written(ann));
    await drive.approve(provider, opened.body);
    const rollout = await runningOf(opened.body.id);
    const say = (verb: string) => app.call('POST', `/admin/deployments/${rollout.id}/${verb}`, { token, body: { reason: 'errors' } });
    expect(await say('pause')).toMatchObject({ status: 200, body: { status: 'paused' } });
    expect(await say('promote')).toMatchObject({ status: 403 });
    expect(await say('abort')).toMatchObject({ status: 200, body: { status: 'aborted' } });
    const who = `The service token '${name}' of Second Administrator has`;
    for (const { email } of [ann, mal, provider]) {
      await told(email, `${who} paused a rollout: configuration version ${rollout.config_version} in production`);
      await told(email, `${who} made an emergency change without the usual approvals: rollout of configuration version`);
    }
    const { items } = (await shown(`/admin/break-glass-reviews?state=open&user_id=${mal.user_id}`)).body;
    expect(items).toMatchObject([{ kind: 'rollout_abort', approval_id: opened.body.id, reason: 'errors' }]);
    const close = (person: Person) =>
      send(person, 'POST', `/admin/break-glass-reviews/${items[0].id}/complete`, { verdict: 'justified', comment: 'it was red' });
    for (const involved of [mal, ann]) expect(await close(involved)).toMatchObject({ status: 403, body: { code: 'approval.own-request' } });
    const third = await makePerson(app, defaultTenantId, 'role-super-admin');
    expect((await close(third)).status).toBe(200);
    const [entry] = await asSuperuser<{ kind: string }>(
      app,
      "select entry #>> '{actor,kind}' as kind from audit_logs where event = 'deployment.abort' and resource_id = $1",
      [rollout.id],
    );
    expect(entry).toEqual({ kind: 'service' });
  });

  it('tells everybody who decides of an abort that owes no review', async () => {
    const config = configDriver(app, ann);
    const plan = { strategy: { kind: 'custom', stages } };
    const { id } = await config.started({ environment: 'staging', schema: { type: 'object' }, document: { a: 1 }, plan });
    await config.settled(id, 'running');
    expect((await config.say(id, 'abort', { reason: 'enough' })).status).toBe(200);
    await told(provider.email, 'Super Administrator has aborted a rollout: configuration version 1 in staging');
    expect((await shown(`/admin/break-glass-reviews?state=open&user_id=${ann.user_id}`)).body.items).not.toContainEqual(
      expect.objectContaining({ subject: expect.stringContaining('staging') }),
    );
  });
});
