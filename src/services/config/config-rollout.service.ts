import type { JsonObject } from '../../domain/shared/canonical.ts';
import type { LedgerEvent } from '../../domain/config/config-ledger.ts';
import {
  applyRolloutTransition,
  isRolloutClosed,
  rolloutRefusal,
  servedBy,
  shareOf,
} from '../../domain/config/config-rollout.ts';
import type { Rollout, RolloutTransition } from '../../domain/config/config-rollout.ts';
import { Problem } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { authorsOf } from '../../domain/approval/approval-independence.ts';
import { defaultWindows } from '../../domain/approval/approval-policy.ts';
import { personRef } from '../approval/approval-request.service.ts';
import { authorsOfApprovalQuery } from '../approval/break-glass-review.queries.ts';
import { putSafeguardNews } from '../approval/safeguard-news.repository.ts';
import { openBreakGlassReview } from '../approval/break-glass-review.service.ts';
import { independenceOf } from '../identity/account-act/account-act.queries.ts';
import { assertDecisionsCount } from '../identity/role/decider.queries.ts';
import { findAnswerablePerson } from '../identity/sign-in/answerable-person.queries.ts';
import { deploymentColumns, lockDeployment } from './config-deployment.repository.ts';
import type { DeploymentRow } from './config-deployment.repository.ts';
import { configDigest, fenced, serve } from './environment-config.repository.ts';
import type { EnvironmentSlot } from './environment-config.repository.ts';
import { jsonb } from '../../platform/database/jsonb.ts';
import { nextVersion } from '../../platform/row-version.ts';

/**
 * Takes a deployment over for a run of its workflow: the fence of its environment is raised, and whatever another run
 * still tries to write is refused. A repetition by the same run keeps its fence.
 *
 * @throws Problem `approval.payload-changed` when what is stored is not what was approved.
 */
export async function beginDeployment(tx: Tx, id: string, runId: string): Promise<DeploymentRow> {
  const { slot, row } = await lockDeployment(tx, id);
  if (isRolloutClosed(row.status) || (row.run_id === runId && row.fence === slot.fence)) return row;
  await assertUnaltered(tx, row);
  const fence = slot.fence + 1;
  await tx.sql
    .updateTable('admin_environment_configs')
    .set({ fence, version: nextVersion(), updated_at: new Date().toISOString() })
    .where('id', '=', slot.id)
    .execute();
  const started = row.fence === null ? { started_at: new Date().toISOString() } : {};
  await tx.sql
    .updateTable('admin_deployments')
    .set({ fence, run_id: runId, updated_at: new Date().toISOString(), ...started })
    .where('id', '=', id)
    .execute();
  return { ...row, fence, run_id: runId };
}

async function assertUnaltered(tx: Tx, row: DeploymentRow): Promise<void> {
  const stored = await tx.sql
    .selectFrom('admin_config_versions')
    .where('environment', '=', row.environment)
    .where('config_version', '=', row.config_version)
    .select(['environment', 'schema', 'document'])
    .executeTakeFirstOrThrow();
  if (configDigest(stored) === row.digest) return;
  throw new Problem({
    code: 'approval.payload-changed',
    detail: 'The stored configuration is not the one that was approved.',
  });
}

/** A step of a rollout: the command, the state it was judged on, and the evidence for it. */
interface RolloutStep {
  readonly deployment_id: string;
  /** Null for the end of a run that is gone: it takes the present fence. */
  readonly fence: number | null;
  readonly command: RolloutTransition;
  /** The step that the command was judged on, by which a repetition is recognised. */
  readonly step: number;
  readonly evidence: JsonObject;
}

/** A deployment after a step; `is_repetition` when an earlier call has made the step. */
export type SteppedDeployment = DeploymentRow & { readonly is_repetition: boolean };

/**
 * Makes one step of a rollout: its state, what the environment serves and the ledger row commit together, under the
 * fence of the run.
 *
 * @returns the deployment after the step, also when an earlier call made it already.
 * @throws Problem `rollout.fenced` for a run that was overtaken; the refusal of the rules for a command out of place.
 */
export async function stepDeployment(tx: Tx, input: RolloutStep): Promise<SteppedDeployment> {
  const { slot, row } = await lockDeployment(tx, input.deployment_id);
  const fence = input.fence ?? slot.fence;
  if (slot.fence !== fence || (input.fence !== null && row.fence !== fence)) throw fenced();
  if (row.step === input.step + 1) return { ...row, is_repetition: true };
  const refused = rolloutRefusal(row, input.command);
  if (row.step !== input.step || refused !== null) throw new Problem(refused ?? overtaken);
  if (input.command === 'promote') await assertApartFromAuthors(tx, row);
  if (input.command === 'pause') putSafeguardNews(tx, 'rollout-paused', { subject: rolledOut(row) });
  if (input.command === 'abort') await tellOfAbort(tx, row, input.evidence);
  const next = applyRolloutTransition(row.plan, row, input.command);
  const saved = await write(tx, slot, row, { next, fence, evidence: input.evidence, command: input.command });
  return { ...saved, is_repetition: false };
}

/**
 * Checks whether a person could give a rollout a command now.
 *
 * @throws Problem as {@link stepDeployment}.
 */
export async function assertCommandable(tx: Tx, id: string, command: RolloutTransition): Promise<void> {
  const { row } = await lockDeployment(tx, id);
  const refused = rolloutRefusal(row, command);
  if (refused !== null) throw new Problem(refused);
  if (command === 'promote') await assertApartFromAuthors(tx, row);
}

/**
 * Approvers agreed to the guards, so nobody takes an approved rollout past them who is not apart from those who asked for it or
 * wrote it (R9), and no machine does.
 *
 * @throws Problem `rollout.own-promotion`, `tenant.naming-waits`, `auth.forbidden`.
 */
async function assertApartFromAuthors(tx: Tx, { approval_id }: DeploymentRow): Promise<void> {
  if (approval_id === null) return;
  const { user_id } = personRef(tx.actor);
  await assertDecisionsCount(tx);
  const { rows } = await tx.sql.executeQuery(authorsOfApprovalQuery(approval_id).compile());
  const authors = rows.flatMap(authorsOf);
  const independence = await independenceOf(tx, tx.actor, [user_id, ...authors]);
  if (independence.isApartFromAll(user_id, authors)) return;
  throw new Problem({
    code: 'rollout.own-promotion',
    detail: 'Somebody who is apart from those who asked for it or wrote it promotes past guards.',
  });
}

/**
 * Aborting is the safe direction and stays open to one: everybody who decides is told, and whoever answers for having undone what
 * two agreed to owes a review (R8). Where the operator has ended the workflow, nobody of the tenant does.
 */
async function tellOfAbort(tx: Tx, row: DeploymentRow, evidence: JsonObject): Promise<void> {
  const { approval_id } = row;
  if (approval_id === null || (await findAnswerablePerson(tx, tx.actor)) === null) {
    putSafeguardNews(tx, 'rollout-aborted', { subject: rolledOut(row) });
    return;
  }
  await openBreakGlassReview(tx, {
    kind: 'rollout_abort',
    approval_id,
    subject: `rollout of ${rolledOut(row)}`,
    reason: typeof evidence['reason'] === 'string' ? evidence['reason'] : 'No reason was given.',
    due_in_seconds: defaultWindows.bypass_review_seconds,
  });
}

function rolledOut({ config_version, environment }: DeploymentRow): string {
  return `configuration version ${config_version} in ${environment}`;
}

const overtaken = { code: 'rollout.not-possible', detail: 'The rollout has changed since; read it again.' } as const;

interface Move {
  readonly next: Rollout;
  readonly fence: number;
  readonly evidence: JsonObject;
  readonly command: RolloutTransition;
}

async function write(tx: Tx, slot: EnvironmentSlot, row: DeploymentRow, move: Move): Promise<DeploymentRow> {
  const { next, fence, command } = move;
  const isClosed = isRolloutClosed(next.status);
  const evidence = { ...move.evidence, command, ...(row.plan.dry_run ? { dry_run: true, would_serve: wouldServe(row, next) } : {}) };
  const outcome = isClosed ? { status: next.status, stage: next.stage, evidence } : null;
  const share = shareOf(row.plan, next);
  const served = servedBy(row.plan, next, { version: row.config_version, previous: row.previous_version });
  // Before the first stage and in a dry run `served` is what is served already.
  await serve(tx, slot, { ...served, fence }, {
    event: ledgerEventOf(row, next, command),
    deployment_id: row.id,
    approval_id: row.approval_id,
    evidence,
  });
  const saved = await tx.sql
    .updateTable('admin_deployments')
    .set({
      status: next.status,
      stage: next.stage,
      step: next.step,
      candidate_percentage: share,
      outcome: outcome === null ? null : jsonb(outcome),
      updated_at: new Date().toISOString(),
      ended_at: isClosed ? new Date().toISOString() : null,
    })
    .where('id', '=', row.id)
    .returning(deploymentColumns)
    .executeTakeFirstOrThrow();
  tx.audit({
    event: `deployment.${command}`,
    action: 'update',
    resource_type: 'deployment',
    resource_id: row.id,
    old_values: { status: row.status, stage: row.stage, candidate_percentage: row.candidate_percentage },
    new_values: { status: next.status, stage: next.stage, candidate_percentage: share, environment: row.environment, evidence },
  });
  return saved;
}

/** The share that a dry run would have served. */
function wouldServe(row: DeploymentRow, next: Rollout): number {
  return shareOf({ ...row.plan, dry_run: false }, next);
}

function ledgerEventOf(row: DeploymentRow, next: Rollout, command: RolloutTransition): LedgerEvent {
  switch (next.status) {
    case 'paused':
      return 'paused';
    case 'holding':
      return 'held';
    case 'succeeded':
    case 'restored':
    case 'aborted':
      return next.status;
    case 'pending':
    case 'running':
      if (command === 'resume') return 'resumed';
      return row.stage < 0 ? 'started' : 'stage';
  }
}
