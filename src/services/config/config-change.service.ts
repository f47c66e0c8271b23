import { randomUUID } from 'node:crypto';
import { actorRef } from '../../domain/shared/actor.ts';
import type { WorkflowCommand } from '../../domain/shared/workflow-command.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { isRolloutClosed } from '../../domain/config/config-rollout.ts';
import type { RolloutCommand, RolloutPlan } from '../../domain/config/config-rollout.ts';
import { read } from '../../platform/database/read.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import { invalidInput } from '../../platform/input-issues.ts';
import { OutboundFailedError, OutboundRefusedError } from '../../platform/outbound/outbound-http.ts';
import { Problem } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { assertNotUsedUp } from '../../platform/security/mfa-token.ts';
import type { MfaProof } from '../../platform/security/mfa-token.ts';
import type { GatedCaller } from '../actions/gated-caller.ts';
import { runGatedAction } from '../actions/run-action.ts';
import type { ApprovalView } from '../../domain/approval/approval-presentation.ts';
import type { ApprovalRequests } from '../approval/approval-request.service.ts';
import { configApply, guardingEnvironment } from './config-apply.action.ts';
import { batchDeploymentsQuery, findDeployment } from './config-deployment.queries.ts';
import { batchIdOf } from './config-deployment.service.ts';
import type { SchemaJudge } from './config-json-schema.ts';
import { checkProposal } from './config-proposal-check.service.ts';
import type { CheckedChanges } from './config-proposal-check.service.ts';
import { writeProposal } from './config-proposal.service.ts';
import type { ProposedChange, ProposedConfig } from './config-proposal.service.ts';
import { findConfigProposal } from './config.queries.ts';
import { configRollback } from './config-rollback.action.ts';
import { forgetRefresh } from '../commands/workflow-start.repository.ts';
import { sendRolloutCommand } from './config-rollout.client.ts';

type Deps = Pick<ProcessDeps, 'db' | 'keyring' | 'log' | 'outbound' | 'temporal'> & {
  readonly approvals: ApprovalRequests;
  readonly schemas: SchemaJudge;
};

interface RequestedProposal {
  readonly proposal: object;
  readonly approval: ApprovalView;
}

interface StartedProposal {
  readonly proposal: { readonly proposal_id: string; readonly reason: string };
  readonly deployments: readonly unknown[];
}

interface Proposal {
  readonly changes: readonly ProposedConfig[];
  readonly reason: string;
}

/** How the outcomes of a change that may need an approval are answered. */
interface Presenter<Requested, Started> {
  readonly requested: (outcome: Requested) => unknown;
  readonly started: (outcome: Started) => unknown;
}

/**
 * Stores a proposal and lets it roll out, or opens the approval request that it needs. The gate is that of the
 * environment nearest to production.
 *
 * @returns the answer: the proposal with the view of the request or with the deployments that were started.
 */
export async function proposeConfigChange(
  deps: Deps,
  caller: GatedCaller,
  { changes, reason }: Proposal,
  answer: Presenter<RequestedProposal, StartedProposal>,
): Promise<unknown> {
  const { actor, mfa } = caller;
  await assertPermittedGuardAddresses(deps, changes);
  const environment = guardingEnvironment(changes.map((change) => change.environment));
  const gate = await deps.approvals.resolveGate(actor, configApply.name, environment, () => null);
  // Before the command begins, whose deadline a check would use up.
  const checked = caller.isReplayed ? noChecks : await checkOnce(deps, caller, changes);
  if (mfa !== null && (caller.isReplayed || gate === 'approval')) {
    await caller.rehearse(async (tx) => {
      const written = await writeProposal(tx, deps.keyring, { id: randomUUID(), changes, reason }, checked);
      await deps.approvals.assertOpenable(tx, configApply.prepare(applyPayload(written, reason)));
    });
    const outcome = await caller.throughWorkflow<RequestedProposal>(
      async (command) => {
        const id = command.command_id;
        // A proposal by itself changes nothing that is served; the proof is consumed where the request is opened.
        const written = await unitOfWork(deps.db, actor, (tx) => writeProposal(tx, deps.keyring, { id, changes, reason }, checked));
        const request = { actor, action: configApply.name, environment, payload: applyPayload(written, reason), mfa };
        return { proposal: { ...written, reason }, approval: await deps.approvals.open(request, command) };
      },
      async (stored, id) => ({
        proposal: await findConfigProposal(deps, actor, id),
        approval: deps.approvals.viewOf(stored),
      }),
    );
    return answer.requested(outcome);
  }
  return caller.change(async (tx) => {
    const proposed = await writeProposal(tx, deps.keyring, { id: randomUUID(), changes, reason }, checked);
    const prepared = configApply.prepare(applyPayload(proposed, reason));
    const result = await runGatedAction(tx, { deps, gate: 'mfa' }, prepared);
    const deployments = await read(tx, actor, batchDeploymentsQuery(batchIdOf(result)));
    return answer.started({ proposal: { ...proposed, reason }, deployments });
  });
}

/** A repetition writes nothing, so nothing of it is checked. */
const noChecks: CheckedChanges = new Map();

/**
 * Checks a proposal, unless its proof is used up: the check costs too much to be had again and again. Without a proof it is
 * bounded by the rate limit of the caller, and by the fair share of the tenant at the judge.
 */
async function checkOnce(deps: Deps, { actor, mfa, isRehearsal }: GatedCaller, changes: readonly ProposedConfig[]): Promise<CheckedChanges> {
  if (mfa !== null && !isRehearsal) await unitOfWork(deps.db, actor, (tx) => assertNotUsedUp(tx, mfa.challenge_id, actor));
  return checkProposal(deps, actor, changes);
}

/**
 * Goes back to what a deployment brought, at once for everybody, or opens the approval request that this needs.
 *
 * @returns the answer: the view of the request or the deployment that was started.
 * @throws Problem `resource.not-found`
 */
export async function rollbackConfig(
  deps: Deps,
  caller: GatedCaller,
  { deployment_id, reason }: { readonly deployment_id: string; readonly reason: string },
  answer: Presenter<ApprovalView, { readonly id: string }>,
): Promise<unknown> {
  const { actor, mfa } = caller;
  const { environment, config_version: version, digest } = await findDeployment(deps, actor, deployment_id);
  const prepared = configRollback.prepare({ deployment_id, environment, version, digest, reason });
  const gate = await deps.approvals.resolveGate(actor, configRollback.name, environment, () => prepared.payload);
  if (mfa !== null && (caller.isReplayed || gate === 'approval')) {
    await caller.rehearse((tx) => deps.approvals.assertOpenable(tx, prepared));
    const request = { actor, action: configRollback.name, environment, payload: prepared.payload, mfa };
    const open = (command: WorkflowCommand) => deps.approvals.open(request, command);
    return answer.requested(await caller.throughWorkflow(open, deps.approvals.viewOf));
  }
  return caller.change(async (tx) => {
    const result = await runGatedAction(tx, { deps, gate: 'mfa' }, prepared);
    const [deployment] = await read(tx, actor, batchDeploymentsQuery(batchIdOf(result)));
    if (deployment === undefined) throw new Error('A rollback has started no deployment.');
    return answer.started(deployment);
  });
}

/**
 * Gives a rollout a person's command; returns when the step is recorded.
 *
 * @throws Problem `resource.not-found`, `rollout.closed`, `rollout.not-possible`
 */
export async function commandRollout(
  deps: Pick<ProcessDeps, 'db' | 'temporal'>,
  { actor, mfa }: { readonly actor: Actor; readonly mfa: MfaProof | null },
  { deployment_id, verb, reason }: RolloutRequest,
  command: WorkflowCommand,
): Promise<void> {
  const { environment, status } = await findDeployment(deps, actor, deployment_id);
  if (isRolloutClosed(status)) throw new Problem({ code: 'rollout.closed', detail: `The rollout is ${status}.` });
  const message = { actor: actorRef(actor), reason, mfa_proof_id: mfa?.delegate() ?? null };
  await sendRolloutCommand(deps, environment, verb, message, command);
  forgetRefresh(deps, actor.tenant_id, command.command_id);
}

/** A person's command to a rollout. */
interface RolloutRequest {
  readonly deployment_id: string;
  readonly verb: RolloutCommand;
  readonly reason: string | null;
}

function applyPayload({ proposal_id, changes }: { proposal_id: string; changes: readonly ProposedChange[] }, reason: string) {
  return {
    proposal_id,
    changes: changes.map(({ environment, version, base_version, digest, plan }) => ({
      environment,
      version,
      base_version,
      digest,
      plan,
    })),
    reason,
  };
}

/** @throws Problem `request.invalid` for guards with an address that outbound requests may not go to. */
async function assertPermittedGuardAddresses(
  { outbound }: Pick<ProcessDeps, 'outbound'>,
  changes: readonly { readonly plan: RolloutPlan }[],
): Promise<void> {
  for (const [index, { plan }] of changes.entries()) {
    for (const [place, { source }] of plan.guards.entries()) {
      if (source.kind === 'health') continue;
      try {
        await outbound.check(source.url);
      } catch (error) {
        if (!(error instanceof OutboundRefusedError || error instanceof OutboundFailedError)) throw error;
        throw invalidInput([{ pointer: `/changes/${index}/plan/guards/${place}/source/url`, detail: error.message }]);
      }
    }
  }
}
