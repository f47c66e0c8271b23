import type { EnvironmentName } from '../shared/environment.ts';
import type { Guard } from './config-guard.ts';
import type { ProblemCode } from '../shared/problem-codes.ts';
import { bucketCount, bucketOf } from '../shared/stable-hash.ts';

/** A share of the instances, and how long it is watched before the next one. */
export interface RolloutStage {
  /** From above 0 to 100. */
  readonly percentage: number;
  readonly bake_seconds: number;
}

/** How the share grows. */
export type RolloutStrategy =
  | { readonly kind: 'all_at_once'; readonly bake_seconds: number }
  | { readonly kind: 'linear'; readonly step_percentage: number; readonly bake_seconds: number }
  | {
      readonly kind: 'exponential';
      readonly start_percentage: number;
      readonly factor: number;
      readonly bake_seconds: number;
    }
  | { readonly kind: 'custom'; readonly stages: readonly RolloutStage[] };

/** Everything that decides how a rollout goes; frozen with the proposal and part of what is approved. */
export interface RolloutPlan {
  readonly strategy: RolloutStrategy;
  readonly guards: readonly Guard[];
  /** How often the guards are measured. */
  readonly check_interval_seconds: number;
  /** Goes through all stages and serves nothing; what would have been served is recorded. */
  readonly dry_run: boolean;
}

/** The most stages that a strategy may have. */
export const maximumStages = 50;

/** The states of a rollout. `holding` waits for a person, because the verdict of a guard was `unknown`. */
export const rolloutStatuses = [
  'pending',
  'running',
  'paused',
  'holding',
  'succeeded',
  'restored',
  'aborted',
] as const;

export type RolloutStatus = (typeof rolloutStatuses)[number];

/** The states of a rollout that is under way, begun or not. */
export const activeRolloutStatuses = ['pending', 'running', 'paused', 'holding'] as const satisfies readonly RolloutStatus[];

/** A rollout as the rules see it. */
export interface Rollout {
  readonly status: RolloutStatus;
  /** Index of the stage that is served, -1 before the first. */
  readonly stage: number;
  /** Counts transitions, by which a repeated command is recognised. */
  readonly step: number;
}

/**
 * What moves a rollout: `advance`, `hold` and `restore` come from its guards, the others from people. `promote` goes to
 * the next stage without waiting for the rest of the bake.
 */
export const rolloutTransitions = ['advance', 'hold', 'restore', 'pause', 'resume', 'promote', 'abort'] as const;

export type RolloutTransition = (typeof rolloutTransitions)[number];

/** The transitions that people can ask for. */
export type RolloutCommand = 'pause' | 'resume' | 'promote' | 'abort';

/** A rollout that has not begun. */
export const pendingRollout: Rollout = { status: 'pending', stage: -1, step: 0 };

/** The strategy where none is asked for: in production by stages, elsewhere at once. */
function defaultStrategy(environment: EnvironmentName): RolloutStrategy {
  if (environment !== 'production') return { kind: 'all_at_once', bake_seconds: 0 };
  const stages = [1, 10, 50, 100].map((percentage) => ({ percentage, bake_seconds: 600 }));
  return { kind: 'custom', stages };
}

/** Fills in what was left out of a plan for an environment. */
export function completePlan(
  environment: EnvironmentName,
  plan: Omit<RolloutPlan, 'strategy'> & { readonly strategy?: RolloutStrategy | undefined },
): RolloutPlan {
  return { ...plan, strategy: plan.strategy ?? defaultStrategy(environment) };
}

/**
 * The stages of a strategy. The last one is always 100 %, and its bake the last chance to take the change back.
 *
 * @throws RangeError for a strategy that comes to more than {@link maximumStages}, or shrinks.
 */
export function stagesOf(strategy: RolloutStrategy): RolloutStage[] {
  switch (strategy.kind) {
    case 'all_at_once':
      return [{ percentage: 100, bake_seconds: strategy.bake_seconds }];
    case 'linear':
      return grow(strategy.step_percentage, (share) => share + strategy.step_percentage, strategy.bake_seconds);
    case 'exponential':
      return grow(strategy.start_percentage, (share) => share * strategy.factor, strategy.bake_seconds);
    case 'custom':
      return checked(strategy.stages);
  }
}

function grow(start: number, next: (share: number) => number, bakeSeconds: number): RolloutStage[] {
  const stages: RolloutStage[] = [];
  for (let share = start; thousandths(share) < 100; share = next(share)) {
    if (stages.length === maximumStages || next(share) <= share) {
      throw new RangeError(`The strategy comes to more than ${maximumStages} stages.`);
    }
    stages.push({ percentage: thousandths(share), bake_seconds: bakeSeconds });
  }
  return checked([...stages, { percentage: 100, bake_seconds: bakeSeconds }]);
}

/** Shares have three decimals: one that rounds to 100 % is the last stage, not one before it. */
function thousandths(share: number): number {
  return Math.round(share * 1000) / 1000;
}

function checked(stages: readonly RolloutStage[]): RolloutStage[] {
  if (stages.length > maximumStages) throw new RangeError(`The strategy comes to more than ${maximumStages} stages.`);
  const shares = stages.map(({ percentage }) => percentage);
  const isGrowing = shares.every((share, index) => index === 0 || share > (shares[index - 1] ?? 0));
  if (shares.at(-1) !== 100 || !isGrowing) throw new RangeError('The stages must grow and end at 100 %.');
  return [...stages];
}

/** True when nothing can happen to the rollout any more. */
export function isRolloutClosed(status: RolloutStatus): boolean {
  return status === 'succeeded' || status === 'restored' || status === 'aborted';
}

const allowedFrom: Record<RolloutTransition, readonly RolloutStatus[]> = {
  advance: ['pending', 'running'],
  hold: ['running'],
  restore: ['pending', 'running', 'paused', 'holding'],
  pause: ['running'],
  resume: ['paused', 'holding'],
  promote: ['running', 'paused', 'holding'],
  abort: ['pending', 'running', 'paused', 'holding'],
};

/** Why a command cannot be given now, or null when it can. */
export function rolloutRefusal(rollout: Rollout, command: RolloutTransition): { code: ProblemCode; detail: string } | null {
  if (allowedFrom[command].includes(rollout.status)) return null;
  const code = isRolloutClosed(rollout.status) ? 'rollout.closed' : 'rollout.not-possible';
  return { code, detail: `A rollout that is ${rollout.status} cannot ${command}.` };
}

/** The rollout after a command that {@link rolloutRefusal} let through. */
export function applyRolloutTransition(plan: RolloutPlan, rollout: Rollout, command: RolloutTransition): Rollout {
  const step = rollout.step + 1;
  switch (command) {
    case 'advance':
    case 'promote': {
      const stage = rollout.stage + 1;
      const isLast = stage >= stagesOf(plan.strategy).length;
      return { status: isLast ? 'succeeded' : 'running', stage: isLast ? rollout.stage : stage, step };
    }
    case 'pause':
      return { ...rollout, status: 'paused', step };
    case 'resume':
      return { ...rollout, status: 'running', step };
    case 'hold':
      return { ...rollout, status: 'holding', step };
    case 'restore':
      return { ...rollout, status: 'restored', step };
    case 'abort':
      return { ...rollout, status: 'aborted', step };
  }
}

/** The share of instances that a rollout gives the new version, in percent. A dry run gives none. */
export function shareOf(plan: RolloutPlan, { status, stage }: Rollout): number {
  if (plan.dry_run || status === 'restored' || status === 'aborted' || stage < 0) return 0;
  return status === 'succeeded' ? 100 : (stagesOf(plan.strategy)[stage]?.percentage ?? 0);
}

/** What an environment serves. */
export interface ServedConfig {
  readonly stable_version: number | null;
  readonly candidate_version: number | null;
  readonly candidate_percentage: number;
}

/** What an environment serves during a rollout of `version` over `previous`. */
export function servedBy(
  plan: RolloutPlan,
  rollout: Rollout,
  { version, previous }: { version: number; previous: number | null },
): ServedConfig {
  const share = shareOf(plan, rollout);
  if (rollout.status === 'succeeded' && !plan.dry_run) {
    return { stable_version: version, candidate_version: null, candidate_percentage: 0 };
  }
  if (share === 0) return { stable_version: previous, candidate_version: null, candidate_percentage: 0 };
  return { stable_version: previous, candidate_version: version, candidate_percentage: share };
}

/**
 * True when an instance gets the candidate. A larger share only ever adds instances, and each rollout begins with
 * others, because its id is part of the hash. An instance without a name joins last.
 */
export function getsCandidate(deploymentId: string, percentage: number, instance: string | null): boolean {
  if (percentage >= 100) return true;
  return instance !== null && bucketOf(deploymentId, instance) < (percentage / 100) * bucketCount;
}
