import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { jsonb } from '../../../src/platform/database/jsonb.ts';
import { plainFlag } from '../../support/drivers/approval.ts';
import { eventually } from '../../support/eventually.ts';
import { createApprovalPolicy, createBreakGlassReview } from '../../support/factories/approval.ts';
import { fromNow, uniqueName } from '../../support/factories/defaults.ts';
import { createFlag, createFlagVersion } from '../../support/factories/flag.ts';
import { byWorkflow, ifMatch, inTransaction } from './command-line.ts';
import type { CommandLine, Example } from './command-line.ts';
import type { CommandStage, Person } from './stage.ts';

const definition = { ...plainFlag, description: '', rules: [] };

/** A flag that is off, at version 1. */
async function flagIn({ db }: CommandStage, environment: 'development' | 'production'): Promise<string> {
  const flag = await createFlag(db, { environment });
  await createFlagVersion(db, { flag_id: flag.id, key: flag.key, environment, definition: jsonb(definition) });
  return flag.key;
}

const toggle = (environment: string) => ({ environment, enabled: true, version: 1, reason: 'launch day' });

/** The payload of a change that production has approved. */
async function productionChange(stage: CommandStage) {
  return { key: await flagIn(stage, 'production'), ...toggle('production') };
}

interface Opened {
  readonly id: string;
  readonly digest: string;
}

/** A request for approval that waits for somebody. */
async function opened(stage: CommandStage): Promise<Opened> {
  const { key, ...body } = await productionChange(stage);
  return (await stage.done(stage.admin, 'POST', `/admin/feature-flags/${key}/toggle`, { body })).body;
}

/** What somebody says to a request. */
function said(verb: string, person: Person, { id, digest }: Opened): Example {
  const path = `/admin/approvals/${id}/${verb}`;
  return { person, path, body: { ...(verb === 'cancel' || verb === 'withdraw' ? {} : { digest }), reason: 'seen' } };
}

/** The gate of an action that no other line makes a change by. */
const ownGate = { action: 'flag.create', environment: 'staging' } as const;

async function gateVersion({ db }: CommandStage): Promise<number> {
  const { action, environment } = ownGate;
  const policies = db.selectFrom('admin_approval_policies').where('tenant_id', '=', defaultTenantId);
  const policy = policies.where('action', '=', action).where('environment', '=', environment).select('version');
  return (await policy.executeTakeFirst())?.version ?? 0;
}

/** A rollout in a tenant of its own, where it is the only one. */
async function rolloutOf(stage: CommandStage, steps: readonly (object | null)[]) {
  const { person, tenant_id } = await stage.tenant();
  const deployments: string[] = [];
  for (const [index, strategy] of steps.entries()) {
    const plan = strategy === null ? {} : { plan: { strategy } };
    const change = { environment: 'development', base_version: index || null, document: { limit: index }, schema: { type: 'object' }, ...plan };
    const body = { changes: [change], reason: 'a test wants it' };
    const proposed = await stage.done(person, 'POST', '/admin/environment-config/proposals', { body });
    const { id } = proposed.body.deployments[0];
    deployments.push(id);
    const wanted = strategy === null ? 'succeeded' : 'running';
    await eventually(
      () => stage.app.call('GET', `/admin/deployments/${id}`, { token: person.token }),
      ({ body: { status } }) => status === wanted,
    );
  }
  return { person, tenant_id, deployments, path: `/admin/deployments/${deployments.at(-1)}` };
}

const slowly = { kind: 'custom', stages: [50, 75, 100].map((percentage) => ({ percentage, bake_seconds: 3_600 })) };

async function commandTo(stage: CommandStage, verb: string): Promise<Example> {
  const { person, path } = await rolloutOf(stage, [null, slowly]);
  if (verb === 'resume') await stage.done(person, 'POST', `${path}/pause`, { body: {} });
  return { person, path: `${path}/${verb}`, body: { reason: 'enough' } };
}

async function proposal(stage: CommandStage, environment: string): Promise<Example> {
  const { person } = await stage.tenant();
  const change = { environment, base_version: null, document: { limit: 1 }, schema: { type: 'object' } };
  return { person, path: '/admin/environment-config/proposals', body: { changes: [change], reason: 'a test wants it' } };
}

const proposalStays = 'the proposal and its audit entry are committed before the request is opened, and stay when it is not';

export const changeLines: readonly CommandLine[] = [
  byWorkflow('createApprovalRequest', async (stage) => {
    const body = { action: 'flag.toggle', payload: await productionChange(stage), reason: 'launch' };
    return { path: '/admin/approvals', body };
  }),
  byWorkflow('approveRequest', async (stage) => said('approve', stage.approver, await opened(stage))),
  byWorkflow('rejectRequest', async (stage) => said('reject', stage.approver, await opened(stage))),
  byWorkflow('breakGlass', async (stage) => {
    const { person, other, tenant_id } = await stage.tenant();
    const steps = jsonb([{ name: 'administrator', roles: ['role-super-admin'], users: [], quorum: 1 }]);
    const bypassers = [other.user_id];
    await createApprovalPolicy(stage.db, { tenant_id, action: 'flag.create', environment: 'production', gate: 'approval', steps, bypassers });
    const flag = { ...plainFlag, key: uniqueName('flag'), environment: 'production', reason: 'outage' };
    const { body } = await stage.done(person, 'POST', '/admin/feature-flags', { body: flag });
    return said('break-glass', other, body);
  }),
  byWorkflow('cancelRequest', async (stage) => said('cancel', stage.admin, await opened(stage))),
  byWorkflow('withdrawApproval', async (stage) => {
    const { person, other, tenant_id } = await stage.tenant();
    await stage.person(tenant_id);
    const steps = jsonb([{ name: 'two', roles: ['role-super-admin'], users: [], quorum: 2 }]);
    await createApprovalPolicy(stage.db, { tenant_id, action: 'flag.create', environment: 'production', gate: 'approval', steps });
    const flag = { ...plainFlag, key: uniqueName('flag'), environment: 'production', reason: 'launch day' };
    const { body } = await stage.done(person, 'POST', '/admin/feature-flags', { body: flag });
    await stage.done(other, 'POST', `/admin/approvals/${body.id}/approve`, { body: { digest: body.digest } });
    return said('withdraw', other, body);
  }),
  byWorkflow('editRequest', async (stage) => {
    const { id, digest } = await opened(stage);
    const { body: detail } = await stage.app.call('GET', `/admin/approvals/${id}`, { token: stage.admin.token });
    const body = { digest, payload: { ...detail.payload, reason: 'launch evening' }, reason: 'later' };
    return { path: `/admin/approvals/${id}/edit`, body };
  }),
  inTransaction('putApprovalPolicy', async (stage) => {
    const body = { ...ownGate, gate: 'mfa', version: await gateVersion(stage) };
    return { path: '/admin/approval-policies', body, other: { body: { ...body, gate: 'approval' } } };
  }),
  inTransaction('deleteApprovalPolicy', async (stage) => {
    const { person, tenant_id } = await stage.tenant();
    const { id } = await createApprovalPolicy(stage.db, { tenant_id, ...ownGate });
    return { person, path: `/admin/approval-policies/${id}`, headers: ifMatch(1) };
  }),
  inTransaction('completeBreakGlassReview', async ({ db, approver }) => {
    const { id } = await createBreakGlassReview(db, { user_id: approver.user_id });
    return { path: `/admin/break-glass-reviews/${id}/complete`, body: { verdict: 'justified', comment: 'it burned' } };
  }),
  inTransaction('createFeatureFlag', async () => {
    return { path: '/admin/feature-flags', body: { ...plainFlag, key: uniqueName('flag'), environment: 'development' } };
  }),
  inTransaction('updateFeatureFlag', async (stage) => {
    const key = await flagIn(stage, 'development');
    const body = { ...plainFlag, environment: 'development', rollout_percentage: 50, description: 'half of them' };
    return { path: `/admin/feature-flags/${key}`, body, headers: ifMatch(1) };
  }),
  inTransaction('toggleFeatureFlag', async (stage) => {
    return { path: `/admin/feature-flags/${await flagIn(stage, 'development')}/toggle`, body: toggle('development') };
  }),
  byWorkflow(
    'toggleFeatureFlag',
    async (stage) => {
      return { path: `/admin/feature-flags/${await flagIn(stage, 'production')}/toggle`, body: toggle('production') };
    },
    { variant: 'by approval' },
  ),
  inTransaction('emergencyOffFeatureFlag', async (stage) => {
    const { key } = await createFlag(stage.db, { environment: 'development', enabled: true });
    return { path: `/admin/feature-flags/${key}/emergency-off`, body: { environment: 'development', reason: 'it burns' } };
  }),
  { operationId: 'evaluateFlag', kind: 'none', reason: 'a read by POST' },
  { operationId: 'evaluateFlags', kind: 'none', reason: 'a read by POST' },
  inTransaction('proposeConfigChange', (stage) => proposal(stage, 'development')),
  byWorkflow('proposeConfigChange', (stage) => proposal(stage, 'production'), {
    variant: 'by approval',
    knownFaults: { 'no worker': proposalStays, 'gone caller': proposalStays },
  }),
  { operationId: 'reportConfigVersion', kind: 'none', reason: 'the last report of an instance holds, however often it comes' },
  inTransaction('rollbackConfig', async (stage) => {
    const { person, deployments } = await rolloutOf(stage, [null, null]);
    return { person, path: `/admin/deployments/${deployments[0]}/rollback`, body: { reason: 'it was better' } };
  }),
  byWorkflow('pauseRollout', (stage) => commandTo(stage, 'pause')),
  byWorkflow('resumeRollout', (stage) => commandTo(stage, 'resume')),
  byWorkflow('promoteRollout', (stage) => commandTo(stage, 'promote')),
  byWorkflow('abortRollout', (stage) => commandTo(stage, 'abort')),
  inTransaction('createAlertSilence', async () => {
    return { path: '/admin/alert-silences', body: { reason: 'a release', ends_at: fromNow(600) } };
  }),
];
