import { actorRef } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { isRolloutClosed } from '../../domain/config/config-rollout.ts';
import type { RolloutCommand, RolloutPlan } from '../../domain/config/config-rollout.ts';
import { read } from '../../platform/database/read.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import { invalidInput } from '../../platform/input-issues.ts';
import { OutboundFailedError, OutboundRefusedError } from '../../platform/outbound/outbound-http.ts';
import { Problem } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import type { MfaProof } from '../../platform/security/mfa-token.ts';
import type { GatedCaller } from '../actions/gated-caller.ts';
import { runAfterCommit, runGatedAction, runAction } from '../actions/run-action.ts';
import type { ApprovalRequests } from '../approval/approval-request.service.ts';
import { configApply, guardingEnvironment } from './config-apply.action.ts';
import { batchDeploymentsQuery, findDeployment } from './config-deployment.queries.ts';
import { batchIdOf } from './config-deployment.service.ts';
import { writeProposal } from './config-proposal.service.ts';
import type { ProposedChange, ProposedConfig } from './config-proposal.service.ts';
import { configRollback, takesFullPath } from './config-rollback.action.ts';
import { sendRolloutCommand } from './config-rollout.client.ts';

type Deps = Pick<ProcessDeps, 'db' | 'keyring' | 'log' | 'outbound' | 'temporal'> & { readonly approvals: ApprovalRequests };

interface Proposal {
  readonly changes: readonly ProposedConfig[];
  readonly reason: string;
}

/**
 * Stores a proposal and lets it roll out, or opens the approval request that it needs. The gate is that of the
 * environment nearest to production.
 *
 * @returns the proposal with the view of the request (`approval`) or the deployments that were started.
 */
export async function proposeConfigChange(deps: Deps, caller: GatedCaller, { changes, reason }: Proposal) {
  const { actor, mfa } = caller;
  await assertPermittedGuardAddresses(deps, changes);
  const environment = guardingEnvironment(changes.map((change) => change.environment));
  const gate = await deps.approvals.resolveGate(actor, configApply.name, environment);
  if (gate === 'approval' && mfa !== null) {
    // A proposal by itself changes nothing that is served; the proof is consumed where the request is opened.
    const written = await unitOfWork(deps.db, actor, (tx) => writeProposal(tx, deps.keyring, { changes, reason }));
    const payload = applyPayload(written, reason);
    const approval = await deps.approvals.open({ actor, action: configApply.name, environment, payload, mfa });
    return { kind: 'requested', proposal: { ...written, reason }, approval } as const;
  }
  const { written, prepared, result } = await caller.unitOfWork(async (tx) => {
    const proposed = await writeProposal(tx, deps.keyring, { changes, reason });
    const change = configApply.prepare(applyPayload(proposed, reason));
    return { written: proposed, prepared: change, result: await runAction(tx, change, { kind: 'mfa' }) };
  });
  await runAfterCommit(deps, actor, prepared, result);
  const deployments = await read(deps.db, actor, batchDeploymentsQuery(batchIdOf(result)));
  return { kind: 'started', proposal: { ...written, reason }, deployments } as const;
}

/**
 * Goes back to what a deployment brought, at once for everybody, or opens the approval request that this needs.
 *
 * @returns the view of the request (`approval`) or the deployment that was started.
 * @throws Problem `resource.not-found`
 */
export async function rollbackConfig(
  deps: Deps,
  caller: GatedCaller,
  { deployment_id, reason }: { readonly deployment_id: string; readonly reason: string },
) {
  const { actor, mfa } = caller;
  const { environment, config_version: version, digest } = await findDeployment(deps, actor, deployment_id);
  const prepared = configRollback.prepare({ deployment_id, environment, version, digest, reason });
  const gate = await deps.approvals.resolveGate(actor, configRollback.name, environment);
  const isFullPath =
    gate === 'approval' || (await unitOfWork(deps.db, actor, (tx) => takesFullPath(tx, { environment, digest })));
  if (isFullPath && mfa !== null) {
    const { payload } = prepared;
    const approval = await deps.approvals.open({ actor, action: configRollback.name, environment, payload, mfa });
    return { kind: 'requested', approval } as const;
  }
  const result = await runGatedAction({ deps, actor, gate: 'mfa', unitOfWork: caller.unitOfWork }, prepared);
  const [deployment] = await read(deps.db, actor, batchDeploymentsQuery(batchIdOf(result)));
  return { kind: 'started', deployment } as const;
}

/**
 * Gives a rollout a person's command.
 *
 * @returns the deployment after the step.
 * @throws Problem `resource.not-found`, `rollout.closed`, `rollout.not-possible`
 */
export async function commandRollout(
  deps: Pick<ProcessDeps, 'db' | 'temporal'>,
  { actor, mfa }: { readonly actor: Actor; readonly mfa: MfaProof | null },
  deploymentId: string,
  { command, reason }: { readonly command: RolloutCommand; readonly reason: string | null },
) {
  const { environment, status } = await findDeployment(deps, actor, deploymentId);
  if (isRolloutClosed(status)) throw new Problem({ code: 'rollout.closed', detail: `The rollout is ${status}.` });
  const message = { actor: actorRef(actor), reason, mfa_proof_id: mfa?.delegate() ?? null };
  await sendRolloutCommand(deps, environment, command, message);
  return findDeployment(deps, actor, deploymentId);
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
