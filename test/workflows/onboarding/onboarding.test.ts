import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { onboardingLinkWorkflowId } from '../../../src/workflows/onboarding/onboarding-link.contract.ts';
import { onboardingSweepWorkflowType } from '../../../src/workflows/onboarding/onboarding-sweep.contract.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { recordedHistories } from '../../support/temporal/histories.ts';
import { eventually } from '../../support/eventually.ts';
import { callProven } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { secondTenant } from '../../support/people.ts';
import { startInVirtualTime } from '../../support/temporal/virtual-time.ts';
import type { VirtualTime } from '../../support/temporal/virtual-time.ts';
import { auditEvents } from '../../support/audit-events.ts';

const base = '/api/admin/onboarding';
const histories = recordedHistories('onboarding-link');
const hour = 3_600_000;
const day = 24 * hour;

interface Made {
  readonly id: string;
  readonly token: string;
  readonly expires_at: string;
}

/** Weeks pass at once: the clock of the workflows is virtual, that of the database real. */
describe('onboarding links in virtual time', () => {
  let stage: VirtualTime;
  let time: TestWorkflowEnvironment;
  let app: TestApi;
  let manager: SignedIn;

  beforeAll(async () => {
    stage = await startInVirtualTime();
    ({ time, app } = stage);
    manager = await app.signIn('role-super-admin');
  });

  afterAll(async () => {
    await stage.close();
  });

  let names = 0;
  async function makeLink(body: object = {}, token = manager.token): Promise<Made> {
    names += 1;
    // The virtual clock runs ahead of the real one, which the API uses.
    const ahead = Math.ceil(((await time.currentTimeMs()) - Date.now()) / 1000);
    const answer = await app.call('POST', `${base}/create-link`, {
      token,
      body: {
        recipient_name: 'Ada',
        recipient_email: `ada${names}@example.com`,
        purpose: 'Agent onboarding',
        life_seconds: 7 * 24 * 3600 + Math.max(ahead, 0),
        timing: { first_reminder_seconds: 2 * 24 * 3600 + Math.max(ahead, 0) },
        ...body,
      },
    });
    expect({ status: answer.status, body: answer.body }).toMatchObject({ status: 201 });
    return answer.body;
  }
  const post = ({ id }: Made, verb: string, body: object = {}) =>
    app.call('POST', `${base}/link/${id}/${verb}`, { token: manager.token, body });
  const detail = async ({ id }: Made) => (await app.call('GET', `${base}/link/${id}`, { token: manager.token })).body;
  const row = async ({ id }: Made) => {
    const [found] = await asSuperuser<{ status: string; reminder_count: number; announced: string[]; attended_at: Date | null }>(
      app,
      'select status, reminder_count, announced, attended_at from onboarding_link where id = $1',
      [id],
    );
    if (found === undefined) throw new Error('no such link');
    return found;
  };
  const told = (link: Made, key: string) => eventually(() => row(link), ({ announced }) => announced.includes(key), 30_000);
  const attended = (link: Made) => eventually(() => row(link), ({ attended_at }) => attended_at !== null);
  const handleOf = ({ id }: Made, tenant_id: string = defaultTenantId) =>
    app.api.deps.temporal.client.workflow.getHandle(onboardingLinkWorkflowId({ tenant_id, link_id: id }));
  let sweeps = 0;
  const sweep = () =>
    app.api.deps.temporal.client.workflow.execute(onboardingSweepWorkflowType, {
      taskQueue: app.env.TEMPORAL_TASK_QUEUE,
      workflowId: `onboarding-sweep-${(sweeps += 1)}`,
      args: [],
    });
  /** The history of a link whose workflow has ended. */
  const record = async (name: string, link: Made) => histories.record(name, await handleOf(link).fetchHistory());
  const events = async ({ id }: Made) =>
    (await auditEvents(app, 'onboarding_link', id)).map((event) => event.replace('onboarding_link.', ''));
  const mailsTo = async (email: string) => {
    const rows = await asSuperuser<{ text: string }>(app, 'select t::text as text from development_mails t where t::text like $1', [
      `%${email}%`,
    ]);
    return rows.map(({ text }) => text);
  };

  it('the history of a workflow holds no token', async () => {
    const link = await makeLink();
    await attended(link);
    const history = await handleOf(link).fetchHistory();
    expect(JSON.stringify(history)).not.toContain(link.token);
    const payloads = (history.events ?? []).flatMap(({ workflowExecutionStartedEventAttributes: started }) =>
      (started?.input?.payloads ?? []).map(({ data }) => Buffer.from(data ?? []).toString()),
    );
    expect(payloads.map((text) => Object.keys(JSON.parse(text) as object))).toEqual([['tenant_id', 'link_id']]);
  });

  /** What the page of a link sends with its call; without it the look is that of a scanner. */
  const page = { headers: { 'x-requested-with': 'XMLHttpRequest' } };

  it('notifies the creator of the first opening and of the completion, once each', async () => {
    const link = await makeLink({ recipient_email: null });
    await app.call('GET', `${base}/o/${link.token}`, page);
    await told(link, 'opened');
    await app.call('GET', `${base}/o/${link.token}`, page);
    const done = await app.call('POST', `${base}/o/${link.token}/complete`, { body: {} });
    expect(done.status).toBe(200);
    await told(link, 'completed');
    expect(await handleOf(link).result()).toEqual({ status: 'completed' });
    await record('completed', link);
    const deliveries = await eventually(
      () =>
        asSuperuser<{ event: string }>(app, 'select event from notification_deliveries where event_key like $1 order by event', [
          `onboarding/${link.id}/%`,
        ]),
      (rows) => rows.length >= 2,
    );
    expect(deliveries.map(({ event }) => event)).toEqual(['onboarding.completed', 'onboarding.opened']);
  });

  it('S3-55: the sweep expires what a workflow has missed, signals it, and repeats nothing', async () => {
    const link = await makeLink({ recipient_email: null });
    await attended(link);
    await handleOf(link).terminate('lost');
    await asSuperuser(app, "update onboarding_link set expires_at = now() - interval '1 minute' where id = $1", [link.id]);
    expect((await detail(link)).status).toBe('expired');
    expect(await sweep()).toMatchObject({ expired: 1 });
    await told(link, 'expired/0');
    expect(await sweep()).toMatchObject({ expired: 0 });
    expect(await events(link)).toEqual(['create', 'expire']);
  });

  it('S3-55: reminds, warns a day before the end and expires at the minute, each once', async () => {
    const link = await makeLink();
    await attended(link);
    await time.sleep(2 * day + hour);
    await eventually(() => row(link), ({ reminder_count }) => reminder_count === 1);
    await time.sleep(4 * day);
    await told(link, 'expiring/0');
    await time.sleep(1 * day);
    await told(link, 'expired/0');
    await handleOf(link).result();
    expect(await events(link)).toEqual(['create', 'remind', 'remind', 'warn', 'remind', 'expire']);
    const mails = await eventually(() => mailsTo(`ada${names}@example.com`), (sent) => sent.length >= 3);
    expect(mails).toHaveLength(3);
    expect(mails.join()).not.toContain(link.token);
    await record('expired', link);
  });

  it('extending re-arms warning and expiry, revoking cancels both', async () => {
    const link = await makeLink({ recipient_email: null });
    await attended(link);
    await time.sleep(6 * day + hour);
    await told(link, 'expiring/0');
    const extended = await post(link, 'extend', { extend_seconds: 7 * 24 * 3600 });
    expect(Date.parse(extended.body.expires_at) - Date.parse(link.expires_at)).toBe(7 * 24 * 3600_000);
    await time.sleep(2 * day);
    expect((await row(link)).status).toBe('pending');
    await time.sleep(5 * day);
    await told(link, 'expiring/1');
    expect((await post(link, 'revoke', { reason: 'left' })).status).toBe(200);
    expect(await handleOf(link).result()).toEqual({ status: 'revoked' });
    expect(await events(link)).toEqual(['create', 'warn', 'extend', 'warn', 'revoke']);
    await record('extended-revoked', link);
  });

  it('S1-63: a suspended tenant reminds nobody; once it is resumed, one of its overdue reminders is sent', async () => {
    const other = await secondTenant(app);
    const link = await makeLink({}, other.admin.token);
    const handle = handleOf(link, other.tenant_id);
    await attended(link);
    const approver = await app.signIn('role-super-admin', 1);
    /** It takes two of the platform's staff. */
    const turn = async (what: 'suspend' | 'resume', version: number) => {
      const options = { headers: { 'if-match': `"${version}"` }, body: { reason: 'unpaid' } };
      const asked = await callProven(app, manager, 'POST', `/tenants/${other.tenant_id}/${what}`, options);
      const body = { digest: asked.body.digest };
      await callProven(app, approver, 'POST', `/admin/approvals/${asked.body.id}/approve`, { body });
      await eventually(
        () => app.call('GET', `/admin/approvals/${asked.body.id}`, { token: manager.token }),
        (answer) => answer.body.status === 'executed',
      );
    };
    await turn('suspend', 1);
    const before = (await row(link)).attended_at?.getTime() ?? 0;
    await time.sleep(5 * day);
    // It has read the row when the first reminder was due. Not asked by a query, which can hang the time-skipping server.
    await eventually(() => row(link), ({ attended_at }) => (attended_at?.getTime() ?? 0) > before);
    const mails = () => mailsTo(`ada${names}@example.com`);
    expect(await mails()).toEqual([]);
    await turn('resume', 2);
    await sweep();
    await eventually(mails, (sent) => sent.length === 1);
    await eventually(() => row(link), ({ reminder_count }) => reminder_count === 1);
    expect(await mails()).toHaveLength(1);
    expect(await events(link)).toEqual(['create', 'remind']);
    await handle.terminate('seen enough');
  });
});

describe('recorded histories of onboarding links', () => {
  it('replay with the current code', async () => {
    expect(await histories.names()).toEqual(
      expect.arrayContaining(['completed', 'expired', 'extended-revoked']),
    );
    await histories.replayAll();
  });
});
