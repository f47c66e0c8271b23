import { TypedSearchAttributes } from '@temporalio/common';
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { ActorRef } from '../../domain/shared/actor.ts';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import type { Guard, GuardWatch, Measurement } from '../../domain/config/config-guard.ts';
import type { Rollout, RolloutCommand, RolloutPlan, RolloutStatus, RolloutTransition } from '../../domain/config/config-rollout.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { searchAttributes } from '../shared/search-attributes.ts';
import { workflowTaskTimeout } from '../shared/task-timeout.ts';

/** Names under which the workflows are registered. */
export const configRolloutWorkflowType = 'configRolloutWorkflow';
export const configBatchWorkflowType = 'configBatchWorkflow';

/** A change of one or more environments. Ids only: what is rolled out is in the database. */
export interface ConfigBatchInput {
  actor: ActorRef;
  batch_id: string;
}

/**
 * What the rollout of one environment starts with. The plan is frozen with the deployment, so every timer of the
 * workflow is an input.
 */
export interface ConfigRolloutInput {
  actor: ActorRef;
  deployment_id: string;
  environment: EnvironmentName;
  plan: RolloutPlan;
  /** State of the stage in the run before this one (continue-as-new); `bake_until` is null while nothing bakes. */
  carry: { step: number; stage: number; bake_until: number | null; watches: GuardWatch[] } | null;
  /** Events after which a new run is started; without it when the server suggests that, at some thousands. */
  max_run_events?: number;
}

/** A rollout after an activity, as committed. */
export interface RolloutState extends Rollout {
  deployment_id: string;
  /** The fencing number of the run; every write names it. */
  fence: number;
  candidate_percentage: number;
}

/** A part of a batch. */
export interface BatchPart extends Rollout {
  deployment_id: string;
  environment: EnvironmentName;
  plan: RolloutPlan;
}

/** Who gives a rollout a command, and why. */
export interface RolloutMessage {
  actor: ActorRef;
  reason: string | null;
  /** Id of the factor proof, where one was asked for; used up in the transaction that records the step. */
  mfa_proof_id: string | null;
  /** The command to be carried out (ADR 23); missing for what timers and guards bring about. */
  command_id?: string;
}

/** A step to check and record. */
export interface StepRollout extends RolloutMessage {
  deployment_id: string;
  /** Null when the run itself is gone and its end is recorded for it. */
  fence: number | null;
  command: RolloutTransition;
  /** The step that the command was judged on. */
  step: number;
  evidence: JsonObject;
}

/** The states of a rollout that people are notified of. */
export type RolloutNotification = 'held' | 'restored' | 'succeeded' | 'aborted';

/** The result of undoing a part. */
export interface UndonePart {
  deployment_id: string;
  result: 'undone' | 'nothing_to_undo' | 'changed_since';
}

/** The activities of the two workflows; `src/activities/config/config-rollout.activities.ts`. */
export interface ConfigRolloutActivities {
  loadRolloutBatch(input: ConfigBatchInput): Promise<BatchPart[]>;
  /** Takes the deployment over for this run: whatever another run tries to write is refused from then on. */
  beginRollout(input: { actor: ActorRef; deployment_id: string; run_id: string }): Promise<RolloutState>;
  stepRollout(input: StepRollout): Promise<RolloutState>;
  undoRolloutPart(input: { actor: ActorRef; deployment_id: string }): Promise<UndonePart>;
  /** Measures every guard once, in their order. What could not be measured is `unknown` and no failure. */
  measureGuards(input: { actor: ActorRef; deployment_id: string; environment: EnvironmentName; guards: Guard[] }): Promise<Measurement[]>;
  announceRollout(input: { actor: ActorRef; deployment_id: string; news: RolloutNotification; step: number }): Promise<void>;
}

export const pauseRolloutUpdate = defineUpdate<RolloutState, [RolloutMessage]>('pause');
export const resumeRolloutUpdate = defineUpdate<RolloutState, [RolloutMessage]>('resume');
export const promoteRolloutUpdate = defineUpdate<RolloutState, [RolloutMessage]>('promote');
export const abortRolloutUpdate = defineUpdate<RolloutState, [RolloutMessage]>('abort');

/** A deployment has come to a step, and the update that made it may have been lost before its workflow knew. */
export const refreshSignal = defineSignal<[{ deployment_id: string; step: number }]>('refresh');

/** The update of each command. */
export const rolloutUpdates = {
  pause: pauseRolloutUpdate,
  resume: resumeRolloutUpdate,
  promote: promoteRolloutUpdate,
  abort: abortRolloutUpdate,
} as const satisfies Record<RolloutCommand, unknown>;

/** The state of a rollout, for operators. Times are RFC 3339. */
export interface RolloutView extends Rollout {
  deployment_id: string;
  fence: number;
  bake_until: string | null;
  guards: JsonObject[];
}

export const rolloutStageQuery = defineQuery<RolloutView | null>('stage');

/** How the rollout of an environment ended; `fenced` when another run has taken it over. */
export interface ConfigRolloutOutcome {
  deployment_id: string;
  status: RolloutStatus | 'fenced';
}

/** How a batch ended: each part in order, and the undone parts in the order in which they were undone. */
export interface ConfigBatchOutcome {
  parts: ConfigRolloutOutcome[];
  undone: UndonePart[];
}

/** Id of a rollout's workflow: at most one runs in each environment. */
export function configRolloutWorkflowId(tenantId: string, environment: EnvironmentName): string {
  return `rollout/${tenantId}/${environment}`;
}

/** Id of a batch's workflow. */
export function configBatchWorkflowId(tenantId: string, batchId: string): string {
  return `rollout-batch/${tenantId}/${batchId}`;
}

/** Everything but the task queue that the start of a batch needs. */
export function configBatchStartOptions(input: ConfigBatchInput) {
  return {
    workflowId: configBatchWorkflowId(input.actor.tenant_id, input.batch_id),
    args: [input] as [ConfigBatchInput],
    typedSearchAttributes: attributesOf(input.actor),
    staticSummary: `Configuration change ${input.batch_id}`,
    staticDetails:
      `Rolls the parts of configuration change \`${input.batch_id}\` out one after the other; when one does not succeed, ` +
      'those before it are taken back in reverse order.',
  };
}

/** The options of the child workflow that rolls one environment out. */
export function configRolloutChildOptions(input: ConfigRolloutInput) {
  return {
    workflowId: configRolloutWorkflowId(input.actor.tenant_id, input.environment),
    args: [input] as [ConfigRolloutInput],
    workflowTaskTimeout,
    typedSearchAttributes: attributesOf(input.actor),
    staticSummary: `Rollout in ${input.environment}`,
    staticDetails:
      `Deployment \`${input.deployment_id}\` in \`${input.environment}\`, strategy \`${input.plan.strategy.kind}\`, ` +
      `${input.plan.guards.length} guards${input.plan.dry_run ? ', dry run' : ''}.`,
  };
}

function attributesOf({ tenant_id, user_id }: ActorRef): TypedSearchAttributes {
  return new TypedSearchAttributes([
    { key: searchAttributes.tenantId, value: tenant_id },
    { key: searchAttributes.actionType, value: 'config.apply' },
    ...(user_id === null ? [] : [{ key: searchAttributes.requestedBy, value: user_id }]),
  ]);
}
